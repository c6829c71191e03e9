// Package worker sends the jobs of a queue: one [Worker] a process, any number of processes a queue.
//
// A worker is an asynq server whose tasks come from the pacer (package pace). For each job it waits for the job's slot,
// sends it once, and decides by the error's kind what becomes of it: sent, failed, retried later, or back to its line
// while the page is paused or held. That decision is made in one place, and nothing below it retries.
//
// [Worker.Run] ends in order: nothing new is started, sends in flight finish, all else goes back to its line.
package worker
