package pace

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/hibiken/asynq"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sendpace/sendpace/producer"
	"github.com/sendpace/sendpace/worker/redistest"
)

func TestAClassThatNoIDTellsIsHeldToItsLimit(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, addr string) {
		ctx := context.Background()
		d := newDesk(t, addr, Config{Lead: 5 * time.Second}, Rates{Page: 1e4, Bulk: 1e4, Media: 0.01}, nil)
		client := asynq.NewClientFromRedisClient(d.rdb)
		var hands []*Hand
		for i := range 2 {
			body := fmt.Sprintf(`{"page_id":"1","request":{"recipient":%s,"messaging_type":"UPDATE","message":%s}}`,
				person(strconv.Itoa(i)), video)
			_, err := client.Enqueue(asynq.NewTask(producer.TaskType, []byte(body)),
				asynq.Queue(producer.DefaultQueue), asynq.Group("1:bulk"))
			require.NoError(t, err)
			id := d.next()
			require.NotEmpty(t, id)
			hands = append(hands, d.taken[id])
		}
		routes := []producer.Route{d.routeOf("1", "0"), d.routeOf("1", "1")}
		for i := range routes {
			routes[i].Class = producer.ClassMedia
			hands[i].Place(routes[i])
		}
		got, err := d.Await(ctx, hands[0], Ask{Route: routes[0]})
		require.NoError(t, err)
		assert.Equal(t, Go, got.Verdict)
		got, err = d.Await(ctx, hands[1], Ask{Route: routes[1]})
		require.NoError(t, err)
		require.Equal(t, Back, got.Verdict, "a hundred seconds later")
		d.settleAs(hands[1].ID, routes[1], Settlement{Where: got.Where})
		assert.Equal(t, "1:bulk:media", d.rdb.HGet(ctx, d.keys.Task(hands[1].ID), "group").Val())
		assert.Empty(t, d.next())
	})
}

func TestAJobOfAnotherClientComesBackToItsSideLine(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, addr string) {
		ctx := context.Background()
		d := newDesk(t, addr, Config{}, fast, nil)
		for _, id := range []string{"another-client", strings.Repeat("0", 26) + "-" + producer.RecipientHash("1", "id:1")} {
			_, err := asynq.NewClientFromRedisClient(d.rdb).Enqueue(asynq.NewTask(producer.TaskType, []byte("{}")),
				asynq.Queue(producer.DefaultQueue), asynq.Group("1:bulk:media"), asynq.TaskID(id))
			require.NoError(t, err)
			d.takeJob(id)
			assert.Equal(t, "1:bulk:media", d.rdb.HGet(ctx, d.keys.Task(id), "line").Val(), id)
		}
	})
}

func TestAProbeThatIsRefusedLetsNoLineOversleep(t *testing.T) {
	t.Parallel()
	d := newClockedDesk(t, Config{}, fast)
	pause := func(length time.Duration) {
		_, err := d.Pause(context.Background(), "1", length, Reason{})
		require.NoError(t, err)
	}
	probe := d.enqueue("1", "1", "x")
	pause(time.Second)
	d.after(2 * time.Second)
	require.Equal(t, []string{probe}, ids(d.drain()))
	answer := d.enqueue("1", "2", "x", producer.InLane(producer.LaneRealtime))
	require.Empty(t, d.drain(), "the probe is out")
	pause(5 * time.Second)
	d.settleAs(probe, d.routeOf("1", "1"), Settlement{})
	d.after(6 * time.Second)
	assert.Equal(t, []string{answer}, ids(d.drain()))
}

func TestAnAnswerDoesNotWaitBehindAVideoThatNobodyHasTaken(t *testing.T) {
	t.Parallel()
	d := newClockedDesk(t, Config{}, Rates{Page: 1000, Bulk: 1000, Media: 0.001})
	first, second := d.store("1", person("1"), video), d.store("1", person("2"), video)
	last := d.store("1", person("2"), words("behind the second"))
	require.Equal(t, []string{first}, ids(d.drain()))
	answer := d.enqueue("1", "2", "x", producer.InLane(producer.LaneRealtime))
	d.after(time.Second)
	require.Equal(t, []string{answer}, ids(d.drain()))
	d.done(answer, d.routeOf("1", "2"))
	d.after(time.Second)
	assert.Empty(t, ids(d.drain()), "the second video has its turn before what is behind it")
	d.after(1000 * time.Second)
	assert.Equal(t, []string{second}, ids(d.drain()))
	d.done(second, d.routeOf("1", "2"))
	d.after(time.Second)
	assert.Equal(t, []string{last}, ids(d.drain()))
}

func TestAnswersThatWaitedForASpacedVideoGoBeforeItAndInTheirOrder(t *testing.T) {
	t.Parallel()
	d := newClockedDesk(t, Config{}, Rates{Page: 1000, Bulk: 1000, Media: 0.001, Thread: 10 * time.Second})
	to := d.routeOf("1", "2")
	zero := d.enqueue("1", "2", "x")
	require.Equal(t, []string{zero}, ids(d.drain()))
	d.done(zero, to)
	spaced := d.store("1", person("2"), video)
	require.Empty(t, d.drain(), "its conversation is spaced")
	var answers []string
	for range 2 {
		answers = append(answers, d.enqueue("1", "2", "x", producer.InLane(producer.LaneRealtime)))
		require.Empty(t, d.drain())
	}
	other := d.store("1", person("1"), video)
	require.Equal(t, []string{other}, ids(d.drain()), "now the first video has no slot for long")
	d.after(11 * time.Second)
	answers = append(answers, d.enqueue("1", "2", "x", producer.InLane(producer.LaneRealtime)))
	for _, want := range answers {
		require.Equal(t, []string{want}, ids(d.drain()))
		d.done(want, to)
		d.after(11 * time.Second)
	}
	assert.Empty(t, d.drain())
	d.after(1000 * time.Second)
	assert.Equal(t, []string{spaced}, ids(d.drain()))
}

func TestAReplyWithAVideoDoesNotWaitForAllOtherVideos(t *testing.T) {
	t.Parallel()
	d := newClockedDesk(t, Config{Lead: time.Millisecond}, Rates{Page: 1000, Bulk: 1000, Media: 1, Replies: 1})
	for i := range 10 {
		d.store("1", person(strconv.Itoa(i)), video)
	}
	both, reply := d.store("1", comment("1"), video), d.store("1", comment("2"), words("x"))
	var got []string
	for range 4 {
		got = append(got, ids(d.drain())...)
		d.after(time.Second)
	}
	assert.Contains(t, got, both)
	assert.Contains(t, got, reply)
}
