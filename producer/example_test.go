package producer_test

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"

	"github.com/sendpace/sendpace/producer"
	"github.com/sendpace/sendpace/sendapi"
)

// exampleProducer is a producer on a Redis of its own.
func exampleProducer(cfg producer.Config) (*producer.Producer, func()) {
	server, err := miniredis.Run()
	if err != nil {
		panic(err)
	}
	rdb := redis.NewClient(&redis.Options{Addr: server.Addr()})
	p, err := producer.New(rdb, cfg)
	if err != nil {
		panic(err)
	}
	return p, func() {
		_ = rdb.Close()
		server.Close()
	}
}

// hello is a job for one person.
func hello(psid string) producer.Job {
	body, err := json.Marshal(sendapi.Text(sendapi.ID(psid), "Your parcel is on its way."))
	if err != nil {
		panic(err)
	}
	return producer.Job{PageID: "1001", Request: body}
}

func ExampleProducer_Enqueue() {
	p, stop := exampleProducer(producer.Config{})
	defer stop()
	body, err := json.Marshal(sendapi.Text(sendapi.ID("4321"), "Your parcel is on its way."))
	if err != nil {
		fmt.Println(err)
		return
	}
	receipt, err := p.Enqueue(context.Background(),
		producer.Job{PageID: "1001", Request: body},
		producer.Key("order-17"), producer.ExpireAt(time.Now().Add(20*time.Hour)))
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(len(receipt.ID), receipt.Line)
	// Output: 35 1001:bulk
}

func ExampleJob_Validate() {
	job := producer.Job{PageID: "1001", Request: json.RawMessage(`{"message":{"text":"Hello"}}`)}
	fmt.Println(job.Validate(time.Now()))
	// Output: request.recipient: required: one of id, user_ref, phone_number, comment_id, post_id, one_time_notif_token, notification_messages_token
}

func ExampleProducer_Enqueue_sequence() {
	p, stop := exampleProducer(producer.Config{})
	defer stop()
	typing, err := json.Marshal(sendapi.Action(sendapi.ID("4321"), sendapi.TypingOn))
	if err != nil {
		fmt.Println(err)
		return
	}
	receipt, err := p.Enqueue(context.Background(),
		producer.Job{PageID: "1001", Requests: []json.RawMessage{typing, hello("4321").Request}},
		producer.InBroadcast("autumn"), producer.MaxAttempts(3), producer.OnUnknown(producer.NeverResend), producer.Retain(time.Hour))
	fmt.Println(receipt.Line, err)
	// Output: 1001:bulk <nil>
}

func ExampleLineFullError() {
	p, stop := exampleProducer(producer.Config{MaxWaiting: 1})
	defer stop()
	for range 2 {
		_, err := p.Enqueue(context.Background(), hello("4321"))
		fmt.Println(err)
	}
	// Output:
	// <nil>
	// line 1001:bulk is full: 1 jobs wait and the limit is 1; try again later
}
