package worker

import (
	"fmt"

	"github.com/rs/zerolog"
)

// asynqLog passes asynq's log on.
type asynqLog struct{ log zerolog.Logger }

func (l asynqLog) Debug(args ...any) { l.write(zerolog.DebugLevel, args) }
func (l asynqLog) Info(args ...any)  { l.write(zerolog.InfoLevel, args) }
func (l asynqLog) Warn(args ...any)  { l.write(zerolog.WarnLevel, args) }
func (l asynqLog) Error(args ...any) { l.write(zerolog.ErrorLevel, args) }
func (l asynqLog) Fatal(args ...any) { l.write(zerolog.ErrorLevel, args) }

func (l asynqLog) write(level zerolog.Level, args []any) {
	l.log.WithLevel(level).Str("from", "asynq").Msg(fmt.Sprint(args...))
}

// pacerLog logs what happens beside the sending.
type pacerLog struct{ log zerolog.Logger }

func (l pacerLog) Error(err error) { l.log.Warn().Err(err).Msg("pacer") }

func (l pacerLog) TakenOver(id, token string, lost bool) {
	if lost {
		l.log.Error().Str("job", id).Msg("a job in hand has no task any more")
		return
	}
	l.log.Warn().Str("job", id).Str("from", token).Msg("taken over from a worker that is gone")
}
