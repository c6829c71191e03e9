package pace

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

// line is a way to a server whose clock shows what local does, and more by ahead.
type line struct {
	clock *clock
	ahead time.Duration
}

// reply is asked for at a local time, and there and back takes as long as said.
func (l *line) reply(at, there, back time.Duration) {
	server := (at + there + l.ahead).Microseconds()
	l.clock.observe(server, l.clock.base.Add(at), l.clock.base.Add(at+there+back))
}

// late is by how much the clock is late at a local time; below zero it is early.
func (l *line) late(at time.Duration) time.Duration {
	return l.clock.at((at + l.ahead).Microseconds()).Sub(l.clock.base.Add(at))
}

func TestClockFollowsTheFastestReply(t *testing.T) {
	t.Parallel()
	const ms, us = time.Millisecond, time.Microsecond
	l := line{clock: newClock(time.Unix(1000, 0)), ahead: 50 * 365 * 24 * time.Hour}
	l.reply(0, 2*ms, 3*ms)
	assert.Equal(t, 3*ms, l.late(10*ms))
	assert.Equal(t, 5*ms, l.clock.doubt())
	l.reply(10*ms, 9*ms, 200*us)
	l.reply(20*ms, 100*us, 9*ms)
	assert.InDelta(t, 200*us, l.late(100*ms), float64(10*us))
	assert.InDelta(t, 300*us, l.clock.doubt(), float64(20*us), "each bound from the reply that tells it best")

	for at := time.Second; at < time.Minute; at += time.Second {
		l.reply(at, 100*ms, 150*ms)
	}
	assert.Less(t, l.late(time.Minute), 13*ms, "slow replies tell nothing new")
	l.reply(time.Minute, us, us)
	assert.InDelta(t, us, l.late(time.Minute), float64(us))
}

func TestClockFollowsAServerWhoseClockIsSet(t *testing.T) {
	t.Parallel()
	const ms = time.Millisecond
	for _, step := range []time.Duration{-time.Hour, -10 * ms, 10 * ms, time.Hour} {
		l := line{clock: newClock(time.Unix(1000, 0)), ahead: time.Hour}
		l.reply(0, ms, ms)
		l.ahead += step
		l.reply(time.Second, ms, ms)
		assert.InDelta(t, ms, l.late(time.Second), float64(2*ms), "set by %v", step)
		assert.Less(t, l.clock.doubt(), 3*ms, "set by %v", step)
	}
}

func TestClockIsNotEarlyWhereClocksDrift(t *testing.T) {
	t.Parallel()
	l := line{clock: newClock(time.Unix(1000, 0)), ahead: time.Hour}
	for at := time.Duration(0); at < time.Hour; at += 20 * time.Millisecond {
		l.reply(at, time.Millisecond, time.Millisecond)
		l.ahead -= time.Microsecond // 50 us a second
		if late := l.late(at); late < 0 || late > 2*time.Millisecond {
			assert.FailNow(t, "the clock is wrong", "late by %v at %v, want 0 to 2ms", late, at)
		}
	}
}

func TestAFarRedisIsAskedForThePermitEarlier(t *testing.T) {
	t.Parallel()
	l := line{clock: newClock(time.Unix(1000, 0))}
	p := &Pacer{cfg: Config{}.withDefaults(), clock: l.clock}
	l.reply(0, 2*ms, 4*ms)
	assert.Equal(t, 2*ms+2*6*ms, p.permitAhead(), "twice as long as an answer takes")
	l.reply(time.Second, 50*us, 50*us)
	assert.InDelta(t, 2*ms, p.permitAhead(), float64(300*us))

	*l.clock = clock{base: l.clock.base}
	l.reply(0, time.Second, time.Second)
	assert.Equal(t, p.cfg.Lead/2, p.permitAhead(), "it is in hand no earlier than that")
}
