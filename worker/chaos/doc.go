// Package chaos proves what a fleet promises: it runs worker processes, real Redis servers, a producer and the sandbox on the
// loopback, breaks all of them at random while thousands of jobs go through, and judges by what the platform saw.
//
// [Judge] is a pure function over the record of a run: the jobs, the calls that reached the sandbox, the outcomes that the
// fleet reported, and the disturbances. Each promise is one rule of it. What a disturbance makes impossible to judge (a proxy
// that delays calls says nothing about when they left) is left out by the time of the disturbance, and the report counts how
// much that was.
//
// Every random choice comes from one seed, which a run prints: go test ./worker/chaos -args -seed 7 draws the same jobs and
// the same disturbances again. What the machine makes of them is its own.
//
// What a Sentinel failover promises is less, since Redis replicates after it acknowledged: what the old master took in its
// last moments may be gone. Jobs that were touched then may be lost, or sent again with no word of it; all others may not.
package chaos
