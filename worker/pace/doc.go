// Package pace decides when each job is sent. It is authoritative for the limits: whatever else runs in the fleet, a
// message goes out only in a slot that a script of this package has handed out.
//
// Jobs wait in lines, one a page and lane, and one a broadcast in the bulk lane, which are asynq groups. A worker does not take from
// asynq's pending list: the Redis client that it gives to its asynq server, [Client], answers asynq's dequeue call with the job that is
// due next, together with its slot, the moment at which it is to be sent. The script that picks it (take.lua) is atomic, sees all
// limits, and uses the Redis server's clock, so any number of workers hold one pace. Slots are handed out a little ahead of time; the
// worker waits for the slot on a clock of its own that follows the server's, asks a last time whether the page is paused, sleeps the
// rest by a timer of the kernel (package alarm), and sends. A slot that was not used is never caught up with.
//
// Because a job is handed only to a worker with a free place, nothing is released ahead of a dead fleet, and there is no
// leader: while nothing is due one worker, the lookout, asks often and the others stand by. One answer hands out all jobs whose slots
// are near enough, of any lines. What several jobs ask for at the same time, a permit or their end, one call asks for.
// What makes a line due tells the lookout so.
//
// A worker that stands by asks Redis for no jobs as long as it hears the lookout say that it goes on, and leaves to it what asynq
// has each server do for all; a lookout that says nothing is replaced within a second. What is for the whole fleet and not for its
// pace, the worker that reaps does. So an idle fleet costs Redis little, whatever its size.
//
// Messages to one recipient keep their order within a line. The first to be handed out claims the recipient until it has ended, retries
// included; later ones step aside and the line goes on without them.
//
// A job in a worker's hand has a token, its owner. Only the owner may send the job or end it (permit.lua, settle.lua), so that
// a worker which was taken for dead, and was only stalled, finds out before it sends. Before a send the job is marked, until
// the answer is in Redis: whoever has a job with the mark of another hand knows that it may have been sent. Workers beat; the
// jobs of one that does not are back at the head of their lines within seconds (beat.lua, reap.lua). asynq's own ways to end a
// run and to recover a task are not used: they go by leases, which end while a send is under way and are looked at after a
// minute.
//
// All that limits a job is charged in one step: the rates of its page, lane and class, the spacing of its conversation, and the
// budgets of a day (limits.lua). A job that a limit of its own holds up steps out of its line into a side line, together with
// its recipient's claim, so that a video delays no text of others and no text overtakes it. Below the rates the pace adapts:
// after a pause one probe goes first and the pace climbs back, and it slows down as usage nears its limit.
//
// The line of a broadcast is looked at only while the broadcast sends: it has a state, a start, a window of the day and a pace of
// its own, which package producer/broadcast sets (broadcasts.lua). The lines of a page's bulk lane share its pace by weight; a line
// that cannot use its turn leaves it to the others, and has nothing to catch up with. The permit asks for the state again, so that
// nothing is sent after a pause. A job that came back while its broadcast does not send holds up no other message to its recipient.
// Pages without broadcasts pay nothing for all this.
//
// asynq's own keys are touched only here. The scripts name each one, with the version that it was read from, and a
// contract test runs asynq itself against them.
package pace
