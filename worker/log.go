package worker

import (
	"fmt"
	"strings"

	"github.com/rs/zerolog"
)

// asynqLog passes asynq's log on. What it says of each failed task is left out: the handler has said it, with more.
type asynqLog struct{ log zerolog.Logger }

func (l asynqLog) Debug(args ...any) { l.write(zerolog.DebugLevel, args) }
func (l asynqLog) Info(args ...any)  { l.write(zerolog.InfoLevel, args) }
func (l asynqLog) Warn(args ...any)  { l.write(zerolog.WarnLevel, args) }
func (l asynqLog) Error(args ...any) { l.write(zerolog.ErrorLevel, args) }
func (l asynqLog) Fatal(args ...any) { l.write(zerolog.ErrorLevel, args) }

func (l asynqLog) write(level zerolog.Level, args []any) {
	text := fmt.Sprint(args...)
	if strings.HasPrefix(text, "Retry exhausted") {
		return
	}
	l.log.WithLevel(level).Str("from", "asynq").Msg(text)
}
