// Package gateway speaks the Send API over HTTP and puts what it gets into the queue. A program in any language changes its
// base URL, and its messages are sent by Sendpace's workers at the page's pace.
//
// A send is a POST to /{version}/{page}/messages with the body, the token and the answer of the platform. The answer comes at
// once; its message_id is the job's id. What the platform is documented to refuse is refused with the platform's error object
// and code. A batch is taken apart: each of its sends becomes a job, in their order. A file that comes along is uploaded to the
// platform first, with the page's token, and the message that is queued has its attachment_id. Beyond the platform, headers that
// begin with X-Sendpace- set what a [producer.Job] can have, and /jobs/{id} shows and cancels a job. /openapi.json describes all.
//
// Nothing is acknowledged that is not in Redis. The reverse cannot be promised: where Redis was asked and did not answer in time,
// the caller gets an error and the job may be stored all the same. With X-Sendpace-Key the call can be repeated safely.
//
// Tokens are compared and forgotten: they are neither stored nor logged. Workers send with the tokens of their own configuration.
package gateway
