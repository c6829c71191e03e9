package gateway_test

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"

	"github.com/sendpace/sendpace/producer"
	"github.com/sendpace/sendpace/producer/gateway"
	"github.com/sendpace/sendpace/sendapi"
)

// A gateway in a program of one's own.
func Example() {
	store, err := miniredis.Run() // an application connects to its Redis
	if err != nil {
		panic(err)
	}
	defer store.Close()
	rdb := redis.NewClient(&redis.Options{Addr: store.Addr()})
	defer rdb.Close()

	queue, err := producer.New(rdb, producer.Config{})
	if err != nil {
		fmt.Println(err)
		return
	}
	graph, err := sendapi.NewClient(sendapi.Config{}) // for files, which are uploaded at once
	if err != nil {
		fmt.Println(err)
		return
	}
	handler, err := gateway.New(queue, graph, gateway.Config{Pages: []sendapi.Page{{ID: "1001", Token: "EAAB-page-token"}}})
	if err != nil {
		fmt.Println(err)
		return
	}
	server := &http.Server{
		Handler: handler, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 30 * time.Second, WriteTimeout: 45 * time.Second,
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // it is at once
	if err != nil {
		fmt.Println(err)
		return
	}
	go func() { _ = server.Serve(listener) }()
	defer server.Close()

	body := strings.NewReader(`{"recipient":{"id":"4321"},"messaging_type":"UPDATE","message":{"text":"Hello"}}`)
	req, err := http.NewRequestWithContext(context.Background(), http.MethodPost,
		"http://"+listener.Addr().String()+"/v26.0/me/messages", body)
	if err != nil {
		fmt.Println(err)
		return
	}
	req.Header.Set("Authorization", "Bearer EAAB-page-token")
	req.Header.Set("X-Sendpace-Key", "order-17")
	transport := &http.Transport{DisableKeepAlives: true}
	res, err := transport.RoundTrip(req)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer res.Body.Close()
	info, err := queue.Get(context.Background(), res.Header.Get("X-Sendpace-Job"))
	fmt.Println(res.StatusCode, info.State, info.Line, err)
	// Output: 200 waiting 1001:bulk <nil>
}
