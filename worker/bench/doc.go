// Package bench measures fleets of Sendpace on a real redis-server, side by side with what else one would do with asynq: bare asynq,
// and asynq with the limiter redis_rate in its handler. `make bench` runs it and writes RESULTS.md.
//
// It is a module of its own, so that users of Sendpace do not get what it depends on. Each worker is a process. Redis, the workers and
// the sandbox that receives the calls share the machine: what counts is the ratio of two figures of one run, not one figure alone. All
// comparators make the same HTTP call with the same client; what differs is the queue.
package bench
