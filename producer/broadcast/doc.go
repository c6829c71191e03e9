// Package broadcast sends one message, with placeholders, to an audience: the people of a CSV or NDJSON file.
//
// [Client.Plan] checks everything before anything is stored: the settings, the template, and the message of each row, against the
// rules of the Send API. [Client.Start] then stores a job for each person. Both read the file as a stream, on all cores, so that a
// million rows need some 100 MB. The jobs are stored some hundred a call of a script that moves a cursor over their rows with them:
// whatever is killed, times out or is called again, each person has one job. Nothing is sent before all are stored. A person who
// stands in the file twice is messaged once.
//
// From then on the workers see to it: the jobs wait in a line of their own, and the workers read from Redis whether the broadcast is
// paused, when its window is open, how much of the page's bulk pace it gets beside others, and when enough of its test share has been
// sent. [Client.Status] and [Client.Report] tell how far it is and what became of it, [Client.Pause], [Client.Resume] and
// [Client.Cancel] control it. Redis is the authority on all of this: what a client of this package knows can be lost.
//
// A job is sent once as far as package worker promises it: if nobody can know whether a message was sent, it is sent again unless
// [Spec].OnUnknown, or else the worker's configuration, says otherwise.
package broadcast
