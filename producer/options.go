package producer

import "time"

// Option changes a job as it is enqueued. Options may be given in any order; the job is validated after all of them.
type Option func(*Job)

// At sends the job no earlier than t. Sending starts on a whole second.
func At(t time.Time) Option { return func(j *Job) { j.SendAt = t } }

// ExpireAt keeps the job from being sent at t or later.
func ExpireAt(t time.Time) Option { return func(j *Job) { j.ExpiresAt = t } }

// InLane puts the job into a lane whatever its message says.
func InLane(l Lane) Option { return func(j *Job) { j.Lane = l } }

// InBroadcast makes the job part of a mailing, as the field Broadcast of [Job] does.
func InBroadcast(id string) Option { return func(j *Job) { j.Broadcast = id } }

// Key makes enqueueing idempotent, as the field of [Job] does.
func Key(k string) Option { return func(j *Job) { j.Key = k } }

// MaxAttempts bounds how often the job is tried: 1 to 100 times.
func MaxAttempts(n int) Option { return func(j *Job) { j.MaxAttempts = n } }

// OnUnknown says what happens when nobody can know whether the message was sent.
func OnUnknown(p UnknownPolicy) Option { return func(j *Job) { j.OnUnknown = p } }

// Meta attaches the application's own data, as the field of [Job] does: it comes back in the outcome.
func Meta(m map[string]any) Option { return func(j *Job) { j.Meta = m } }

// Retention keeps the ended job readable for d, as the field of [Job] does.
func Retention(d time.Duration) Option { return func(j *Job) { j.Retention = Duration(d) } }
