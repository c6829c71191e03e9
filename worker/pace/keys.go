package pace

// keys builds the name of every Redis key that this package touches. All carry the queue as hash tag, so that they share
// one slot of a cluster and one script may use them together.
type keys struct {
	queue string
}

func (k keys) asynq(name string) string { return "asynq:{" + k.queue + "}:" + name }
func (k keys) own(name string) string   { return "sendpace:{" + k.queue + "}:" + name }

// Keys of asynq v0.26.0 (internal/base/base.go).
func (k keys) active() string             { return k.asynq("active") }
func (k keys) groups() string             { return k.asynq("groups") }
func (k keys) line(l string) string       { return k.asynq("g:") + l }
func (k keys) tasks() string              { return k.asynq("t:") }
func (k keys) pending() string            { return k.asynq("pending") }
func (k keys) isRetry(key string) bool    { return key == k.asynq("retry") }
func (k keys) isArchived(key string) bool { return key == k.asynq("archived") }

// Keys of our own.
func (k keys) due() string                { return k.own("due") }
func (k keys) rates() string              { return k.own("rates") }
func (k keys) busy() string               { return k.own("busy") }
func (k keys) slots(page string) string   { return k.own("slots:") + page }
func (k keys) pause(scope string) string  { return k.own("pause:") + scope }
func (k keys) strike(scope string) string { return k.own("strikes:") + scope }
func (k keys) lookout() string            { return k.own("lookout") }
func (k keys) outcomes() string           { return k.own("outcomes") }
func (k keys) wake() string               { return k.own("wake") }
