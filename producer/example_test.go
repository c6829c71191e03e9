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

// exampleRedis is a Redis of its own; an application connects to its server.
func exampleRedis() (redis.UniversalClient, func()) {
	server, err := miniredis.Run()
	if err != nil {
		panic(err)
	}
	rdb := redis.NewClient(&redis.Options{Addr: server.Addr()})
	return rdb, func() {
		_ = rdb.Close()
		server.Close()
	}
}

func exampleProducer(cfg producer.Config) (*producer.Producer, func()) {
	rdb, stop := exampleRedis()
	p, err := producer.New(rdb, cfg)
	if err != nil {
		panic(err)
	}
	return p, stop
}

// hello is a job for one person.
func hello(psid string) producer.Job {
	job, err := producer.NewJob("1001", sendapi.Text(sendapi.ID(psid), "Your parcel is on its way."))
	if err != nil {
		panic(err)
	}
	return job
}

func ExampleProducer_Enqueue() {
	ctx := context.Background()
	rdb, stop := exampleRedis()
	defer stop()

	p, err := producer.New(rdb, producer.Config{})
	if err != nil {
		fmt.Println(err)
		return
	}
	job, err := producer.NewJob("1001", sendapi.Text(sendapi.ID("4321"), "Your parcel is on its way."))
	if err != nil {
		fmt.Println(err)
		return
	}
	receipt, err := p.Enqueue(ctx, job, producer.Key("order-17"), producer.ExpireAt(time.Now().Add(20*time.Hour)))
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(len(receipt.ID), receipt.Line, receipt.Repeat)
	// Output: 35 1001:bulk false
}

// The builders of package sendapi make typed messages; what the Send API would refuse is refused, with the path of each field.
func ExampleProducer_Enqueue_typed() {
	p, stop := exampleProducer(producer.Config{})
	defer stop()
	to := sendapi.ID("4321")
	for _, message := range []*sendapi.Request{
		sendapi.Buttons(to, "Your parcel is here. When shall we bring it?",
			sendapi.Postback("Today", "today"), sendapi.Link("Another day", "https://shop.example/17")),
		sendapi.MediaURL(to, sendapi.Image, "https://shop.example/map.png"),
		sendapi.Text(to, ""),
	} {
		job, err := producer.NewJob("1001", message)
		if err != nil {
			fmt.Println(err)
			return
		}
		_, err = p.Enqueue(context.Background(), job)
		fmt.Println(err)
	}
	// Output:
	// <nil>
	// <nil>
	// request.message: needs text, an attachment, a template or a sticker_id
}

// A body that the application has as JSON is sent as it is, with the fields that Sendpace does not know.
func ExampleProducer_Enqueue_rawJSON() {
	p, stop := exampleProducer(producer.Config{})
	defer stop()
	receipt, err := p.Enqueue(context.Background(), producer.Job{PageID: "1001", Request: json.RawMessage(`{
		"recipient": {"id": "4321"},
		"messaging_type": "RESPONSE",
		"message": {"text": "We are open until 6 pm."},
		"a_field_of_next_year": true
	}`)})
	fmt.Println(receipt.Line, err)
	// Output: 1001:realtime <nil>
}

func ExampleJob_Validate() {
	job := producer.Job{PageID: "1001", Request: json.RawMessage(`{"message":{"text":"Hello"}}`)}
	fmt.Println(job.Validate(time.Now()))
	// Output: request.recipient: required: one of id, user_ref, phone_number, comment_id, post_id, one_time_notif_token, notification_messages_token
}

func ExampleProducer_Enqueue_sequence() {
	p, stop := exampleProducer(producer.Config{})
	defer stop()
	to := sendapi.ID("4321")
	job, err := producer.NewJob("1001", sendapi.Action(to, sendapi.TypingOn), sendapi.Text(to, "Your parcel is on its way."))
	if err != nil {
		fmt.Println(err)
		return
	}
	receipt, err := p.Enqueue(context.Background(), job,
		producer.InBroadcast("autumn"), producer.MaxAttempts(3), producer.OnUnknown(producer.NeverResend), producer.Retention(time.Hour))
	fmt.Println(receipt.Line, err)
	// Output: 1001:bulk:@autumn <nil>
}

// A stream of any length takes constant memory.
func ExampleProducer_EnqueueSeq() {
	p, stop := exampleProducer(producer.Config{})
	defer stop()
	customers := func(yield func(producer.Job) bool) { // an application reads them from its database
		for i := range 1000 {
			if !yield(hello(fmt.Sprint(5000 + i))) {
				return
			}
		}
	}
	stored, refused := 0, 0
	for result := range p.EnqueueSeq(context.Background(), customers, producer.InBroadcast("autumn")) {
		if result.Err != nil {
			refused++
			continue
		}
		stored++
	}
	fmt.Println(stored, refused)
	// Output: 1000 0
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

// What a job's outcome is for: an application follows the stream and settles its own records.
func ExampleProducer_Outcomes() {
	p, stop := exampleProducer(producer.Config{})
	defer stop()
	receipt, err := p.Enqueue(context.Background(), hello("4321"), producer.Key("order-17"))
	if err != nil {
		fmt.Println(err)
		return
	}
	if _, err := p.Cancel(context.Background(), receipt.ID); err != nil {
		fmt.Println(err)
		return
	}
	ctx, cancel := context.WithCancel(context.Background())
	err = p.Outcomes(ctx, producer.Follow{Group: "shop", Consumer: "shop-1"},
		func(_ context.Context, r producer.Record) error {
			if r.Gap != nil {
				fmt.Println(r.Gap.Reason)
				return nil
			}
			fmt.Println(r.Outcome.Key, r.Outcome.Kind)
			cancel() // an application goes on
			return nil
		})
	fmt.Println(err)
	// Output:
	// order-17 cancelled
	// <nil>
}

func ExampleProducer_ReadOutcomes() {
	p, stop := exampleProducer(producer.Config{})
	defer stop()
	ctx := context.Background()
	for _, psid := range []string{"1", "2", "3"} {
		if _, err := p.Enqueue(ctx, hello(psid), producer.Key("order-"+psid)); err != nil {
			fmt.Println(err)
			return
		}
	}
	if _, err := p.CancelPage(ctx, "1001"); err != nil {
		fmt.Println(err)
		return
	}
	for after := ""; ; {
		records, err := p.ReadOutcomes(ctx, after, 2, 0)
		if err != nil || len(records) == 0 {
			break
		}
		for _, r := range records {
			fmt.Println(r.Outcome.Kind, r.Outcome.Reason)
			after = r.ID
		}
	}
	// Output:
	// cancelled cancelled
	// cancelled cancelled
	// cancelled cancelled
}

func ExampleProducer_Get() {
	p, stop := exampleProducer(producer.Config{})
	defer stop()
	ctx := context.Background()
	var last producer.Receipt
	for _, psid := range []string{"1", "2", "3"} {
		var err error
		if last, err = p.Enqueue(ctx, hello(psid)); err != nil {
			fmt.Println(err)
			return
		}
	}
	info, err := p.Get(ctx, last.ID)
	fmt.Println(info.State, info.Line, info.Place, err)
	// Output: waiting 1001:bulk 3 <nil>
}

func ExampleProducer_CancelBroadcast() {
	p, stop := exampleProducer(producer.Config{})
	defer stop()
	ctx := context.Background()
	for _, psid := range []string{"1", "2", "3"} {
		if _, err := p.Enqueue(ctx, hello(psid), producer.InBroadcast("autumn")); err != nil {
			fmt.Println(err)
			return
		}
	}
	count, err := p.CancelBroadcast(ctx, "autumn", "")
	fmt.Println(count.Cancelled, count.InHand, err)
	// Output: 3 0 <nil>
}

func ExampleProducer_CancelKey() {
	p, stop := exampleProducer(producer.Config{})
	defer stop()
	ctx := context.Background()
	if _, err := p.Enqueue(ctx, hello("4321"), producer.Key("order-17"), producer.At(time.Now().Add(time.Hour))); err != nil {
		fmt.Println(err)
		return
	}
	for range 2 {
		fmt.Println(p.CancelKey(ctx, "1001", "order-17"))
	}
	// Output:
	// cancelled <nil>
	// ended <nil>
}

func ExampleProducer_Resend() {
	p, stop := exampleProducer(producer.Config{})
	defer stop()
	ctx := context.Background()
	receipt, err := p.Enqueue(ctx, hello("4321"), producer.Retention(time.Hour))
	if err != nil {
		fmt.Println(err)
		return
	}
	if _, err := p.Cancel(ctx, receipt.ID); err != nil {
		fmt.Println(err)
		return
	}
	info, err := p.Get(ctx, receipt.ID)
	if err != nil {
		fmt.Println(err)
		return
	}
	again, err := p.Resend(ctx, *info.Outcome)
	fmt.Println(info.Outcome.Kind, again.Line, again.ID != receipt.ID, err)
	// Output: cancelled 1001:bulk true <nil>
}
