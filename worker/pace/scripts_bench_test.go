package pace

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sendpace/sendpace/producer"
	"github.com/sendpace/sendpace/worker/redistest"
)

// BenchmarkScripts is what Redis spends on a job in each script of its way, alone in a call and with as many others as one takes.
func BenchmarkScripts(b *testing.B) {
	for _, each := range []int{1, takeMost} {
		b.Run(fmt.Sprintf("together=%d", each), func(b *testing.B) {
			d := newDesk(b, redistest.Server(b), Config{}, Rates{Page: 1e5, Bulk: 1e5, Media: 1, Thread: 250 * time.Millisecond}, nil)
			const round = 10 * takeMost
			rounds := b.N/round + 1
			jobs := make([]producer.Job, rounds*round)
			for i := range jobs {
				jobs[i] = producer.Job{PageID: strconv.Itoa(i%10 + 1), Request: json.RawMessage(fmt.Sprintf(
					`{"recipient":{"id":"%d"},"messaging_type":"UPDATE","message":{"text":"Your parcel is on its way."}}`, i+1))}
			}
			for _, r := range d.producer.EnqueueMany(b.Context(), jobs) {
				require.NoError(b, r.Err)
			}
			spent, commands := map[string]float64{}, map[string]float64{} // us, and those inside of scripts counted
			measure := func(script string, calls func()) {
				require.NoError(b, d.rdb.ConfigResetStat(b.Context()).Err())
				calls()
				for name, text := range d.rdb.InfoMap(b.Context(), "commandstats").Val()["Commandstats"] {
					var n, us float64
					_, err := fmt.Sscanf(text, "calls=%f,usec=%f,", &n, &us)
					require.NoError(b, err, "%q", text)
					switch name {
					case "cmdstat_config|resetstat", "cmdstat_info":
						continue
					case "cmdstat_evalsha":
						spent[script] += us
					}
					commands[script] += n
				}
			}
			b.ResetTimer()
			for range rounds {
				var hands []*Hand
				inTurn := func(call func(some []*Hand)) func() {
					return func() {
						for at := 0; at < len(hands); at += each {
							call(hands[at : at+each])
						}
					}
				}
				measure("take", func() {
					for len(hands) < round {
						hands = append(hands, d.takeSome(b, each)...)
					}
				})
				measure("permit", inTurn(func(some []*Hand) { d.permitSome(b, some) }))
				measure("late", inTurn(func(some []*Hand) { d.lateSome(b, some) }))
				measure("settle", inTurn(func(some []*Hand) { d.settleSome(b, some) }))
			}
			for script, us := range spent {
				b.ReportMetric(us/float64(len(jobs)), script+"-us/job")
				b.ReportMetric(commands[script]/float64(len(jobs)), script+"-commands/job")
			}
		})
	}
}

func (d *desk) takeSome(b *testing.B, n int) []*Hand {
	keys := []string{d.keys.Pending(), d.keys.Paused(), d.keys.Active(), d.keys.Lease()}
	got, err := d.take(context.Background(), question{look: lookEvery.Microseconds(), most: n, ready: d.cfg.Lead / readyShare}, keys,
		[]any{time.Now().Add(30 * time.Second).Unix()})
	require.NoError(b, err)
	hands := make([]*Hand, len(got.jobs))
	for i, job := range got.jobs {
		hands[i], err = d.newHand(got, job)
		require.NoError(b, err)
	}
	return hands
}

func (d *desk) permitSome(b *testing.B, hands []*Hand) {
	all := make([]permitting, len(hands))
	for i, h := range hands {
		all[i] = permitting{task: d.keys.Task(h.ID), args: [7]any{h.token, "resend", h.PageID(), h.ID[27:], "", h.slot, ""}}
	}
	got, err := d.permitAll(all)
	require.NoError(b, err)
	for i, h := range hands {
		require.Equal(b, "go", got[i].answer.verb)
		h.constant = true
	}
}

func (d *desk) lateSome(b *testing.B, hands []*Hand) {
	all := make([]lateness, len(hands))
	for i, h := range hands {
		all[i] = lateness{h.line, h.ID, h.slot, h.slot + 5000, h.number}
	}
	_, err := d.lateAll(all)
	require.NoError(b, err)
}

func (d *desk) settleSome(b *testing.B, hands []*Hand) {
	all := make([]settling, len(hands))
	for i, h := range hands {
		page, _, _ := strings.Cut(h.line, ":")
		var err error
		all[i], err = d.settling(h, Settlement{Recipient: h.ID[27:], Outcome: producer.Outcome{
			JobID: h.ID, PageID: page, Kind: producer.Sent, MessageIDs: []string{"m_1234567890123456"}, Attempts: 1, StepsDone: 1,
			SentAt: time.Now(), EndedAt: time.Now(),
		}})
		require.NoError(b, err)
	}
	got, err := d.settleAll(all)
	require.NoError(b, err)
	for _, g := range got {
		require.Equal(b, []string{"ok"}, g.answer)
	}
}
