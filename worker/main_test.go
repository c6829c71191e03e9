package worker_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/rs/zerolog"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/sendpace/sendpace/producer"
	"github.com/sendpace/sendpace/sendapi"
	"github.com/sendpace/sendpace/worker"
	"github.com/sendpace/sendpace/worker/pace"
)

// fleetEnv makes a run of this test binary a worker process. Its value is a fleetWorker as JSON.
const fleetEnv = "SENDPACE_TEST_WORKER"

// fleetWorker is the configuration of a worker process.
type fleetWorker struct {
	Redis, Graph string
	Rates        pace.Rates
	PageRates    map[string]pace.Rates
	Pages        []string
	OnUnknown    producer.UnknownPolicy
	Log          bool
}

func TestMain(m *testing.M) {
	if text := os.Getenv(fleetEnv); text != "" {
		if err := runFleetWorker(text); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	goleak.VerifyTestMain(m)
}

func runFleetWorker(text string) error {
	var f fleetWorker
	if err := json.Unmarshal([]byte(text), &f); err != nil {
		return err
	}
	o := &redis.UniversalOptions{Addrs: []string{f.Redis}}
	worker.DurableRetries(o)
	rdb := redis.NewUniversalClient(o)
	defer rdb.Close()
	client, err := sendapi.NewClient(sendapi.Config{BaseURL: f.Graph})
	if err != nil {
		return err
	}
	pages := map[string]sendapi.Page{}
	for _, id := range f.Pages {
		pages[id] = sendapi.Page{ID: id, Token: sendapi.Secret(tokenOf(id))}
	}
	log := zerolog.Nop()
	if f.Log {
		log = zerolog.New(os.Stderr).With().Timestamp().Logger()
	}
	w, err := worker.New(rdb, client, worker.Config{
		Pages: pages, Rates: f.Rates, PageRates: f.PageRates, Margin: 0.005, OnUnknown: f.OnUnknown, Log: log,
	})
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	return w.Run(ctx)
}

func tokenOf(page string) string { return "EAAtoken" + page }

// startProcess starts a worker in a process of its own, and kills it when the test ends.
func startProcess(t testing.TB, f fleetWorker) *exec.Cmd {
	t.Helper()
	text, err := json.Marshal(f)
	require.NoError(t, err)
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), fleetEnv+"="+string(text))
	cmd.Stderr = os.Stderr
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		done := make(chan struct{})
		go func() { _ = cmd.Wait(); close(done) }()
		select {
		case <-done:
		case <-time.After(10 * time.Second):
			_ = cmd.Process.Kill()
			<-done
		}
	})
	return cmd
}
