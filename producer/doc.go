// Package producer puts messages into the queue that Sendpace's workers send from.
//
// An application makes one [Producer] and calls [Producer.Enqueue] for each message. A [Job] is checked whole before
// anything is written: what the Send API is documented to refuse is refused here, with the path of each field. A job
// that was accepted is in Redis when Enqueue returns; from then on the workers are responsible for it.
//
// A job waits in a line, one for each page and lane, first in, first out; in the bulk lane each broadcast has one of its own. The
// lane says how soon it is wanted: [LaneRealtime] for an answer that somebody waits for, [LaneBulk] for all that can be spread
// out. Where the job names none, its message decides: a messaging_type of RESPONSE and sender actions are realtime, everything else
// is bulk.
//
// Every accepted job ends in exactly one [Outcome], which [Producer.Outcomes] follows. Until then [Producer.Get] tells where it
// is, and [Producer.Cancel] and its kin end it. Redis is the authority on all of this: a Producer keeps no state.
//
// A line is an asynq group, so nothing here is needed to enqueue: any asynq client that writes a task of type [TaskType]
// with a [Job] as JSON payload to the queue [DefaultQueue] is served too, and held to the same pace.
package producer
