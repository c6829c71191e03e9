package broadcast_test

import (
	"context"
	"fmt"
	"strings"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"

	"github.com/sendpace/sendpace/producer/broadcast"
)

func Example() {
	server, err := miniredis.Run() // an application connects to its Redis
	if err != nil {
		panic(err)
	}
	defer server.Close()
	rdb := redis.NewClient(&redis.Options{Addr: server.Addr()})
	defer rdb.Close()

	client, err := broadcast.New(rdb, broadcast.Config{})
	if err != nil {
		fmt.Println(err)
		return
	}
	window, err := broadcast.ParseWindow("09:00-20:00", "Europe/Berlin")
	if err != nil {
		fmt.Println(err)
		return
	}
	spec := broadcast.Spec{
		Name:      "spring-sale",
		PageID:    "1001",
		Template:  []byte(`{"messaging_type":"UPDATE","message":{"text":"Hello {{or .first_name \"friend\"}}, {{.offer}} for you"}}`),
		Window:    window,
		TestShare: 25,
		TestLimit: 10,
		SkipBad:   true,
	}
	audience := broadcast.NewAudience(strings.NewReader( // broadcast.OpenAudience opens a file
		"recipient,first_name,offer\n4321,Ann,10 %\n4322,,10 %\n4323,Cy,\n4321,Ann,20 %\n"), broadcast.FormatCSV)

	plan, err := client.Plan(context.Background(), spec, audience)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("%d people, %d duplicate, %d bad: %+v\n", plan.People, plan.Duplicates, plan.Bad, plan.Problems)
	fmt.Printf("%s\n", plan.Sample[0])

	for range 2 { // the second call finds all of it there
		started, err := client.Start(context.Background(), plan)
		fmt.Println(started.State, started.Repeat, err)
	}
	state, err := client.Pause(context.Background(), "spring-sale", "the shop is down")
	fmt.Println(state, err)
	status, err := client.Status(context.Background(), "spring-sale")
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(status.Why, status.Stored, status.Left())
	// Output:
	// 2 people, 1 duplicate, 1 bad: [{Row:4 Message:offer: empty, and it has no default}]
	// {"recipient":{"id":"4321"},"messaging_type":"UPDATE","message":{"text":"Hello Ann, 10 % for you"}}
	// testing false <nil>
	// testing true <nil>
	// paused <nil>
	// the shop is down 2 2
}
