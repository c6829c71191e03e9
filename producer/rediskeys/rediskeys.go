// Package rediskeys names every Redis key that a queue of Sendpace touches, asynq's and its own. All of them carry the queue
// as hash tag, so that they share one slot of a cluster and one script may use them together. It is for the packages of
// Sendpace; applications need none of it.
package rediskeys

import _ "embed" // the script is a file, so that it reads as Lua

// EndsLua is put before the scripts that end jobs: its count_end counts an end in the job's broadcast.
//
//go:embed ends.lua
var EndsLua string

// Keys are the keys of one queue.
type Keys struct {
	// Queue is the asynq queue's name.
	Queue string
}

// Asynq is a key of asynq v0.26.0 (internal/base/base.go): "asynq:{q}:<name>". An empty name gives the prefix of all.
func (k Keys) Asynq(name string) string { return "asynq:{" + k.Queue + "}:" + name }

// Own is a key of our own: "sendpace:{q}:<name>". An empty name gives the prefix of all.
func (k Keys) Own(name string) string { return "sendpace:{" + k.Queue + "}:" + name }

// Task is the hash of a task. An empty id gives the prefix of all.
func (k Keys) Task(id string) string { return k.Asynq("t:") + id }

// Line is the sorted set of a line, an asynq group. An empty name gives the prefix of all.
func (k Keys) Line(name string) string { return k.Asynq("g:") + name }

// Groups is the set of the names of all lines that are not empty.
func (k Keys) Groups() string { return k.Asynq("groups") }

// Pending is the list of tasks that asynq would hand out next.
func (k Keys) Pending() string { return k.Asynq("pending") }

// Active is the list of tasks in the hands of workers.
func (k Keys) Active() string { return k.Asynq("active") }

// Lease is the sorted set of active tasks by the end of their lease.
func (k Keys) Lease() string { return k.Asynq("lease") }

// Paused exists while an operator has paused the queue in asynq.
func (k Keys) Paused() string { return k.Asynq("paused") }

// Scheduled is the sorted set of tasks that wait for their first time.
func (k Keys) Scheduled() string { return k.Asynq("scheduled") }

// Retry is the sorted set of tasks that wait to be tried again.
func (k Keys) Retry() string { return k.Asynq("retry") }

// Archived is the sorted set of tasks that failed.
func (k Keys) Archived() string { return k.Asynq("archived") }

// Completed is the sorted set of ended tasks that are kept, by the end of their retention.
func (k Keys) Completed() string { return k.Asynq("completed") }

// Due is the sorted set of lines by the time, in us, that they are worth a look.
func (k Keys) Due() string { return k.Own("due") }

// Rates holds the limits of a page, or of "default", which stands for all others. An empty name gives the prefix of all.
func (k Keys) Rates(page string) string { return k.Own("rates:") + page }

// RatedPages is the set of the pages that have limits of their own.
func (k Keys) RatedPages() string { return k.Rates("pages") }

// Temporary holds the rates that a page has for a time in place of the configured ones.
func (k Keys) Temporary(page string) string { return k.Own("temporary:") + page }

// Busy is the hash of the recipients' claims: "<page>:<recipient>" to the id of the job that goes before all others.
func (k Keys) Busy() string { return k.Own("busy") }

// Parked is the sorted set of jobs that stepped aside for another one to the same recipient.
func (k Keys) Parked(page, recipient string) string { return k.Own("parked:") + page + ":" + recipient }

// Threads is the sorted set of recipients, "<page>:<recipient>", by the time, in us, from which the next message may go to them.
func (k Keys) Threads() string { return k.Own("threads") }

// Adapt holds how the pace of a page, or of the app, adapts below its rates.
func (k Keys) Adapt(scope string) string { return k.Own("adapt:") + scope }

// Budget is the hash of the sends of a page, or of the app, by quarters of an hour.
func (k Keys) Budget(scope string) string { return k.Own("budget:") + scope }

// Slots holds the last slot that was taken of each limit of a page.
func (k Keys) Slots(page string) string { return k.Own("slots:") + page }

// Pause holds the reason of the pause or hold of a page, or of the whole app.
func (k Keys) Pause(scope string) string { return k.Own("pause:") + scope }

// Strikes counts the pauses of a page or of the app that came one soon after the other.
func (k Keys) Strikes(scope string) string { return k.Own("strikes:") + scope }

// Lookout is the id of the worker that polls while the others stand by, and after a space until when, in us. It is also the channel
// on which that worker says each time that it goes on.
func (k Keys) Lookout() string { return k.Own("lookout") }

// Looked is when, in us, a worker looked last for what came beside the lines.
func (k Keys) Looked() string { return k.Own("looked") }

// Outcomes is the hash of counts by "<page>:<outcome>".
func (k Keys) Outcomes() string { return k.Own("outcomes") }

// Broadcast is the hash of one broadcast: its counts by outcome, and how it is to be sent. An empty id gives the prefix of all.
func (k Keys) Broadcast(id string) string { return k.Own("broadcast:") + id }

// Broadcasts is the sorted set of the names of the broadcasts that were made from an audience, by the time, in unix seconds, that
// they were made.
func (k Keys) Broadcasts() string { return k.Own("broadcasts") }

// Shares holds how far each line of a page's bulk lane has come with its part of the pace, where broadcasts share it.
func (k Keys) Shares(page string) string { return k.Own("shares:") + page }

// Stream is the stream of outcome records.
func (k Keys) Stream() string { return k.Own("stream") }

// JobKey holds the id of the job that a page's key stands for. hash tells page and key apart from all others.
func (k Keys) JobKey(hash string) string { return k.Own("key:") + hash }

// Wake is the channel on which a worker hears that there is something to do.
func (k Keys) Wake() string { return k.Own("wake") }

// Workers is the sorted set of workers by the time, in us, of their last sign of life.
func (k Keys) Workers() string { return k.Own("workers") }

// WorkersInfo is the hash of what workers say of themselves.
func (k Keys) WorkersInfo() string { return k.Own("workers:info") }

// Steady is the time, in us, since when workers could give signs of life without a gap.
func (k Keys) Steady() string { return k.Own("steady") }

// Reaper is the id of the worker that looks for jobs of dead workers.
func (k Keys) Reaper() string { return k.Own("reaper") }

// Suppressed is the sorted set of the recipients of a page that are not sent to, by the time, in us, that this ends.
func (k Keys) Suppressed(page string) string { return k.Own("suppressed:") + page }

// Tokenless is the set of the pages that are held because a worker had no token for them.
func (k Keys) Tokenless() string { return k.Own("tokenless") }

// Exporter is the id of the process that exports the figures of the whole queue.
func (k Keys) Exporter() string { return k.Own("exporter") }

// Shards says over how many queues the pages are spread. It stands in the queue that there is where they are not.
func (k Keys) Shards() string { return k.Own("shards") }

// Closed exists in a queue that takes no jobs any more, because the pages are spread over others.
func (k Keys) Closed() string { return k.Own("closed") }

// Writable is written to find out whether that can be done.
func (k Keys) Writable() string { return k.Own("writable") }

// History is the hash of the rates of the last hour, by the place of their span in it.
func (k Keys) History() string { return k.Own("history") }
