package sendapi

// The pages that the rules come from. fromEC18 is the error page as it was before 2022; the codes that
// only it lists are kept for servers of old versions. Rules without a page come from reports of users, whose
// address is the source, or are the reading of this package (inferred). Where two pages disagree, the newer wins.
const (
	fromEC    = "https://developers.facebook.com/documentation/business-messaging/messenger-platform/error-codes"
	fromEC18  = "https://developers.facebook.com/docs/messenger-platform/reference/send-api/error-codes"
	fromErr   = "https://developers.facebook.com/docs/graph-api/guides/error-handling"
	fromRate  = "https://developers.facebook.com/docs/graph-api/overview/rate-limiting"
	fromEdge  = "https://developers.facebook.com/docs/graph-api/reference/page/messages"
	fromDocs  = "https://developers.facebook.com/documentation/business-messaging/messenger-platform/"
	fromMedia = fromDocs + "send-messages/template/media"
	inferred  = "inferred"
)

var (
	transient   = verdict{kind: KindTransient}
	unknown     = verdict{kind: KindUnknownOutcome}
	person      = verdict{kind: KindRecipient}
	window      = verdict{kind: KindWindow}
	invalid     = verdict{kind: KindInvalid}
	attachment  = verdict{kind: KindAttachment}
	auth        = verdict{kind: KindAuth, scope: ScopePage}
	appAuth     = verdict{kind: KindAuth, scope: ScopeApp}
	policy      = verdict{kind: KindPolicy, scope: ScopePage}
	control     = verdict{kind: KindThreadControl}
	appLimit    = verdict{kind: KindRateLimit, scope: ScopeApp}
	pageLimit   = verdict{kind: KindRateLimit, scope: ScopePage}
	threadLimit = verdict{kind: KindRateLimit, scope: ScopeThread}
	tokenLimit  = verdict{kind: KindRateLimit, scope: ScopeToken}
)

var rules = []rule{
	{1, 0, transient, fromErr},
	{1, 99, auth.after(2), fromEC}, // mostly a missing access level or permission
	{1, 1357046, unknown, fromEC},  // the page says that the messages were sent
	{1, 2018382, invalid, fromDocs + "send-messages/templates"},
	// The page adds that 2 may come when the person blocked the business: bound the tries.
	{2, 0, transient, fromEC},
	{2, 2018344, auth, fromEC},
	{3, 0, auth, fromErr},
	{4, 0, appLimit, fromRate},
	{4, 2018022, pageLimit, "https://github.com/jgorset/facebook-messenger"},
	{4, 2018354, person, fromEC},
	{9, 2018352, pageLimit, fromEC},
	{10, 0, auth, fromErr},
	{10, 2018278, window, fromEC},
	{10, 2018065, window, fromEC},
	{10, 2018108, person, fromEC},
	{10, 2534022, window, fromEC},
	{10, 2018028, auth, inferred}, // seen under 10 as well as 200
	{10, 1404170, policy, fromEC},
	{10, 1893015, person, fromEC},
	{10, 1893063, policy, fromEC}, // since Jun 25 2026
	{10, 2018336, person, fromEC},
	{10, 2534077, auth, fromEC},
	{17, 0, tokenLimit, fromRate},
	{17, 2446079, tokenLimit, fromRate}, // ads only
	{32, 0, pageLimit, fromRate},
	// 33 names an object without saying which of the ids is wrong. The recipient's is the one that differs
	// from message to message; of the page's see reading.blamesPage.
	{33, 0, person, inferred},
	{100, 33, person, inferred},
	{100, 0, invalid, fromEC}, // but for a wrong appsecret_proof, see reading.blamesProof
	{100, 2018001, person, fromEC},
	{100, 2018008, invalid.after(2), fromEC}, // the file could not be fetched; its host may come back
	{100, 2018012, invalid, inferred},
	{100, 2018014, invalid, fromEC},
	{100, 2018032, invalid, fromEC18},
	{100, 2018034, invalid, "https://github.com/rickydunlop/fbmessenger-node"},
	{100, 2018047, invalid.after(1), fromEC}, // the upload failed, mostly for a type that does not fit the file
	{100, 2018074, attachment, fromEC},
	{100, 2018109, invalid, fromEC}, // too large; the page of 2018 files it under limits
	{100, 2018164, appAuth, fromEC},
	{100, 2018294, invalid.after(1), fromEC}, // a video took too long, or is broken
	{100, 2018320, invalid, fromEC},
	{100, 2018328, invalid, fromEC},
	{100, 2534013, auth, fromEC},
	{100, 2534014, person, fromEC},
	{100, 2534015, invalid, fromEC},
	{100, 2534025, invalid, fromEC},
	{100, 2534029, policy, fromEC},
	{100, 2534037, control, fromEC},
	{102, 0, auth, fromErr},
	{190, 0, auth, fromErr},
	{190, 458, auth, fromErr},
	{190, 459, auth, fromErr},
	{190, 460, auth, fromErr},
	{190, 463, auth, fromErr},
	{190, 464, auth, fromErr},
	{190, 467, auth, fromErr},
	{190, 492, auth, fromErr},
	{200, 0, auth, fromEC},
	// The guide calls 1545041 a closed window, the error page an unavailable person. Neither is sent again.
	{200, 1545041, person, fromEC},
	{200, 2018021, auth, fromEC},
	{200, 2018027, auth, fromEC},
	{200, 2018028, auth, fromEC},
	{200, 2534041, auth, fromEC},
	// 230 can be about one person as well, which only the answers for other people would show. Holding the page for
	// nothing costs time; taking a missing permission for one person's fault would cost every message of the backlog.
	{230, 0, auth, fromEdge},
	{299, 0, auth, fromErr},
	{341, 0, appLimit, fromErr},
	{368, 0, policy, fromErr},
	{506, 0, invalid, fromErr},
	{551, 0, person, fromEC},
	{551, 1545041, person, fromEC},
	{613, 0, pageLimit, fromRate},
	{613, 1996, appLimit, fromRate},
	{613, 1893016, invalid, fromEC},
	{613, 2018338, threadLimit, fromEC},
	{613, 2534040, pageLimit, fromEC},
	{803, 0, invalid, inferred},
	{1200, 0, transient, fromEC18},
	{1200, 2018024, transient, fromEC18},
	{2022, 0, policy, fromEC},
	{10303, 0, invalid, fromEC},
	{10900, 0, invalid, fromEdge},
	{10903, 0, person, fromEdge},
	{10904, 0, auth, fromEdge},
	{36000, 0, invalid, "https://github.com/nyaruka/courier"},
	{36103, 0, auth, fromEC},
}

// numbers are printed on their pages without saying whether they come as code or as subcode.
var numbers = []rule{
	{2018144, 0, threadLimit, fromEC},
	{2018171, 0, control, fromEC},
	{2018173, 0, invalid, fromMedia},
	{2018175, 0, invalid, fromMedia},
	{2018182, 0, invalid, fromMedia},
	{2018183, 0, invalid, fromMedia},
	{2018184, 0, invalid, fromMedia},
	{2018185, 0, invalid, fromMedia},
	{2018186, 0, invalid, fromMedia},
	{2018187, 0, invalid, fromMedia},
	{2018188, 0, invalid, fromMedia},
	{2018218, 0, invalid, fromEC},
	{2018234, 0, control, fromEC},
	{2018247, 0, invalid, fromEC},
	{2018300, 0, control, fromEC},
	{2018321, 0, control, fromEC},
	{2300052, 0, person, fromDocs + "marketing-messages-on-messenger/"},
	{9000001, 0, invalid, fromEC},
}

var ranges = []struct {
	from, to int
	verdict
	source string
}{
	{200, 299, auth, fromErr},
	{80000, 80014, pageLimit, fromRate},
	{131000, 131999, invalid, fromEC}, // WhatsApp only
}
