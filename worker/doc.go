// Package worker sends the jobs of a queue: one [Worker] a process, any number of processes a queue.
//
// A worker is an asynq server whose tasks come from the pacer (package pace). For each job it waits for the job's slot,
// sends it once, and decides by the error's kind what becomes of it: an outcome, a retry later, or back to its line while the
// page is paused or held. That decision is made in one place, and nothing below it retries.
//
// Each job ends in exactly one outcome, written in the same step that takes it out of the workers' hands. It is sent again
// only where nobody can know whether it was sent before: no answer came, or its worker died meanwhile. The record of its
// outcome says how often that happened; a job, or [Config].OnUnknown, can ask to end as unknown instead.
//
// [Worker.Run] ends in order: nothing new is started, sends in flight finish, all else goes back to its line.
package worker
