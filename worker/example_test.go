package worker_test

import (
	"context"
	"fmt"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"

	"github.com/sendpace/sendpace/producer"
	"github.com/sendpace/sendpace/sendapi"
	"github.com/sendpace/sendpace/sendapi/sandbox"
	"github.com/sendpace/sendpace/worker"
	"github.com/sendpace/sendpace/worker/pace"
)

// A worker in a program of one's own, with the sandbox in place of the platform.
func Example() {
	store, err := miniredis.Run() // an application connects to its Redis
	if err != nil {
		panic(err)
	}
	defer store.Close()
	opts := &redis.UniversalOptions{Addrs: []string{store.Addr()}}
	worker.DurableRetries(opts)
	rdb := redis.NewUniversalClient(opts)
	defer rdb.Close()
	box, err := sandbox.New(sandbox.Config{})
	if err != nil {
		panic(err)
	}
	defer box.Close()

	client, err := sendapi.NewClient(sendapi.Config{BaseURL: "http://sandbox", HTTPClient: box.Client()})
	if err != nil {
		fmt.Println(err)
		return
	}
	w, err := worker.New(rdb, client, worker.Config{
		Pages: map[string]sendapi.Page{"1001": {ID: "1001", Token: "EAAB-page-token"}},
		Rates: pace.Rates{Page: 30, Bulk: 0.9, Media: 10},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	ended := make(chan error)
	go func() { ended <- w.Run(ctx) }()

	queue, err := producer.New(rdb, producer.Config{})
	if err != nil {
		fmt.Println(err)
		return
	}
	job, err := producer.NewJob("1001", sendapi.Text(sendapi.ID("4321"), "Your parcel is on its way."))
	if err != nil {
		fmt.Println(err)
		return
	}
	if _, err := queue.Enqueue(ctx, job, producer.Key("order-17")); err != nil {
		fmt.Println(err)
		return
	}
	err = queue.Outcomes(ctx, producer.Follow{Group: "shop", Consumer: "shop-1"}, func(_ context.Context, r producer.Record) error {
		fmt.Println(r.Outcome.Key, r.Outcome.Kind)
		stop() // where it is enough
		return nil
	})
	fmt.Println(err, <-ended)
	// Output:
	// order-17 sent
	// <nil> <nil>
}
