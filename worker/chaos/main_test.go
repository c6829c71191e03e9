package chaos

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/rs/zerolog"
	"go.uber.org/goleak"

	"github.com/sendpace/sendpace/sendapi"
	"github.com/sendpace/sendpace/worker"
	"github.com/sendpace/sendpace/worker/pace"
)

// workerEnv makes a run of this test binary a worker process. Its value is a workerConfig as JSON.
const workerEnv = "SENDPACE_CHAOS_WORKER"

// workerConfig is the configuration of a worker process.
type workerConfig struct {
	Redis connection
	Graph string
	Rates map[string]pace.Rates
	Log   string // file
}

const (
	firstPause   = 2 * time.Second
	longestPause = 6 * time.Second
	// margin is larger than the default. A dozen processes on two cores jitter more than a margin of 0.5 % of a second, and
	// what is judged here is the fleet, not the machine.
	margin = 0.05
)

func TestMain(m *testing.M) {
	if text := os.Getenv(workerEnv); text != "" {
		if err := runWorker(text); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	goleak.VerifyTestMain(m)
}

// runWorker works until its standard input ends, which is when the process that started it does.
func runWorker(text string) error {
	var cfg workerConfig
	if err := json.Unmarshal([]byte(text), &cfg); err != nil {
		return err
	}
	log, err := os.OpenFile(cfg.Log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	options := cfg.Redis.options()
	worker.DurableRetries(options)
	rdb := redis.NewUniversalClient(options)
	defer rdb.Close()
	client, err := sendapi.NewClient(sendapi.Config{BaseURL: cfg.Graph})
	if err != nil {
		return err
	}
	pages := map[string]sendapi.Page{}
	for id := range cfg.Rates {
		pages[id] = sendapi.Page{ID: id, Token: sendapi.Secret(tokenOf(id))}
	}
	w, err := worker.New(rdb, client, worker.Config{
		Pages: pages, Rates: pace.Rates{Page: 10, Bulk: 10, Media: 10}, PageRates: cfg.Rates, Margin: margin,
		FirstPause: firstPause, LongestPause: longestPause, MaxAttempts: 100, Concurrency: 100,
		Log: zerolog.New(log).With().Timestamp().Int("pid", os.Getpid()).Logger(),
	})
	if err != nil {
		return err
	}
	ctx, stop := context.WithCancel(context.Background())
	go func() { _, _ = io.Copy(io.Discard, os.Stdin); stop() }()
	return w.Run(ctx)
}

func tokenOf(page string) string { return "EAAtoken" + page }

// startWorker starts a worker process. Closing stop ends it in order.
func startWorker(cfg workerConfig) (cmd *exec.Cmd, stop io.Closer, err error) {
	text, err := json.Marshal(cfg)
	if err != nil {
		return nil, nil, err
	}
	cmd = exec.CommandContext(context.Background(), os.Args[0])
	cmd.Env = append(os.Environ(), workerEnv+"="+string(text))
	cmd.Stderr = os.Stderr
	if stop, err = cmd.StdinPipe(); err == nil {
		err = cmd.Start()
	}
	return cmd, stop, err
}

// connection is how to reach Redis.
type connection struct {
	Addrs   []string
	Master  string // the sentinels' name of the master; empty: there are none
	Cluster bool
	// Via are the proxies in front of the nodes, by address. Cluster nodes and sentinels name nodes by their own addresses.
	Via map[string]string
}

func (c connection) options() *redis.UniversalOptions {
	return &redis.UniversalOptions{
		Addrs: c.Addrs, MasterName: c.Master, IsClusterMode: c.Cluster,
		Dialer: func(ctx context.Context, network, addr string) (net.Conn, error) {
			if via, ok := c.Via[addr]; ok {
				addr = via
			}
			d := net.Dialer{Timeout: 5 * time.Second}
			return d.DialContext(ctx, network, addr)
		},
	}
}
