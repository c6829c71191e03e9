// Package sendapi is a client for the Messenger Send API. It needs the standard library only.
//
// # Which type to use when
//
// Each of these returns a [Request], to which [ID] or another address gives its [Recipient].
//
//	a text                               Text
//	buttons that answer for the person   Text(…).Offering(Choice(…), AskPhone(), AskEmail())
//	an image, audio, video or file       MediaURL, or MediaID for one that was uploaded before
//	                                     Client.SendFile for one that is sent along
//	a text with buttons                  Buttons with Link, Postback, Call, LogIn, LogOut
//	cards side by side                   Cards with Element
//	a receipt                            Structured with ReceiptTemplate
//	a picture or video of Facebook       Structured with MediaTemplate
//	a grid of pictures                   Structured with ImageGridTemplate
//	products of the page's catalogue     Structured with ProductTemplate
//	a coupon                             Structured with CouponTemplate
//	"how was it?"                        Structured with CustomerFeedbackTemplate
//	an address to send goods to          Structured with CustomerInformationTemplate
//	a lead form                          Structured with InstantFormTemplate
//	a boarding pass, check-in, itinerary
//	or change of a flight                Structured with BoardingPassTemplate, CheckinTemplate, ItineraryTemplate,
//	                                     FlightUpdateTemplate
//	a sticker                            Sticker
//	typing, seen, a reaction             Action, React, Unreact
//	anything else                        Structured with RawPayload, ParseRequest of its JSON, or Client.SendRaw
//
// When and to whom:
//
//	an answer to what the person did     .AsResponse()
//	on the business's own account,
//	within 24 hours of the person's last
//	action                               as it is: TypeUpdate is the default
//	later, written by a person           .Tagged(TagHumanAgent), up to 7 days
//	later, asking for feedback           .Tagged(TagCustomerFeedback), up to 7 days
//	later, an approved text              Utility
//	a comment or post on the page        Comment, Post instead of ID: a private reply, up to 7 days
//	below an earlier message             .Quoting(id)
//	in the name of a persona             set PersonaID
//	without a sound, or unnoticed        set NotificationType
//
// # What is checked
//
// [Request.Check] knows every rule and limit that is documented. It reports all problems at once, each with its JSON
// path, the limit and the size found: refusals for what the platform does not take, and warnings for what it takes
// all the same, such as a title that it cuts off. [Client.Send] sends nothing that has refusals.
//
// What the platform has removed has a type all the same, with the date in its documentation, as a server of an older
// version may take it: [AllowRemoved] turns the refusal into a warning. What is left of 2018 and not known to be
// refused, such as customer matching by [Phone], is a warning. Where sources contradict each other, the newer one
// counts, and the field's documentation says so.
//
// JSON goes through without loss: what this version has no field for is kept at every level and written back, and no
// problem to Check.
//
// # Other calls
//
//	a file that goes to many people      Client.UploadURL or Client.UploadFile, then MediaID
//	up to 50 sends at once               Client.Batch
//	names to write under                 Client.CreatePersona, Client.Personas, Client.DeletePersona
//	whose token it is                    Client.CheckPage
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
// The Broadcast API (message_creatives, broadcast_messages and their insights) has no calls: the platform removed it
// for all versions on Mar 4 2020, and names the Send API under its 24-hour rules as the replacement
// (https://developers.facebook.com/docs/messenger-platform/reference/broadcast-api/). In Sendpace package
// producer/broadcast takes its place: one message and an audience become many jobs, each sent through this package at
// the page's pace.
//
// The Marketing Messages API, which replaces recurring notifications, sends through an ad account and not through a
// page, and has no calls here either.
package sendapi
