// Package sendapi is a client for the Messenger Send API. It needs the standard library only.
//
// Which type to use when:
//
//	a text                              Text
//	an answer to what the person did    Text(…).AsResponse()
//	buttons that answer for the person  Text(…).Offering(Choice(…), …)
//	an image, audio, video or file      MediaURL; MediaID for one that was uploaded before
//	a text with buttons                 Buttons with Link, Postback, Call
//	cards side by side                  Cards with Element
//	typing, seen, a reaction            Action, React, Unreact
//	outside the 24 hours                .Tagged(TagHumanAgent)
//	anything else the platform knows    ParseRequest of its JSON, or Client.SendRaw
//
// Each returns a [Request], to which [ID] and the other addresses give a [Recipient]. What this version has no field
// for is kept when JSON is read and written.
//
// # Errors
//
// A call that did not succeed is an [*Error] with one of a closed set of kinds, found by the platform's code and
// subcode; the HTTP status counts only where the body cannot be read. [KindUnknownOutcome] is the one that needs
// thought: the message may have been sent. The package never sends anything a second time: whoever calls it owns the
// retries.
//
// # What is not here
//
// The Broadcast API, which the platform removed on Mar 4 2020
// (https://developers.facebook.com/docs/messenger-platform/reference/broadcast-api/), and the attachment upload,
// batch and persona calls.
package sendapi
