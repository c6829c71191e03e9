package sandbox

import (
	"time"

	"github.com/sendpace/sendpace/sendapi"
)

// The platform's limits.
// https://developers.facebook.com/documentation/business-messaging/messenger-platform/overview/rate-limiting
const (
	// DefaultRate is for texts, links, reactions and stickers, in calls a second of a page.
	DefaultRate = 300
	// DefaultMediaRate is for audio and video, which count against DefaultRate as well.
	DefaultMediaRate = 10
	// DefaultPrivateReplies is the private replies of a page in an hour.
	DefaultPrivateReplies = 750
	// DefaultHighVolume is the messages a second above which a page's inbox stops showing new ones.
	DefaultHighVolume = 40
	// CallsPerEngagedUser times the people whom a page can message is what it may call in 24 hours. A
	// sandbox has no people to count: set Config.PageCalls.
	CallsPerEngagedUser = 200
	// DefaultBudgetSpan is the span of Config.PageCalls and Config.AppCalls.
	DefaultBudgetSpan = 24 * time.Hour
)

// DefaultMaxCalls is how many calls are remembered.
const DefaultMaxCalls = 1_000_000

// maxUsage bounds a usage that is made up; the platform's own can go above 100.
const maxUsage = 1000

// Config says what a Server accepts. The zero value accepts any page and any token, at the platform's limits. What
// can change while it runs is set by SetPage, SetPerson and Fail.
type Config struct {
	// Tokens are the access tokens by page id. A page that is missing is unknown. Nil means any page with
	// any token.
	Tokens map[string]string
	// AppSecret, when set, requires the appsecret_proof that fits it.
	// https://developers.facebook.com/docs/graph-api/guides/secure-requests
	AppSecret string
	// AllowRemoved makes it a server of an older version: what the platform removed since is accepted, and the
	// version in the path is served even if it has expired.
	AllowRemoved bool
	// KnownIDs refuses ids of attachments and personas that were not made here. One of another page, an attachment
	// of more than 90 days ago, and a deleted persona are refused anyway.
	KnownIDs bool
	// Window is whether a page may write to people of whom it is not known when they wrote; empty means
	// WindowOpen.
	Window Window
	// WindowLength is how long a page may write to a person after the last message from them; 0 means
	// DefaultWindowLength. It does not change the 7 days of the tags.
	WindowLength time.Duration

	// Latency is how long a call waits for its answer, after it was decided and recorded.
	Latency time.Duration
	// Rate and MediaRate are the calls a second that a page may make, judged over any one-second window; 0
	// means DefaultRate and DefaultMediaRate, negative means no limit. A refused call counts as well.
	Rate, MediaRate float64
	// ThreadRate is the messages a second to one person; 0 means no limit, as the platform gives no figure. 0.5 is
	// one in two seconds.
	ThreadRate float64
	// PrivateReplies is how many of them a page may send in an hour; 0 means DefaultPrivateReplies, negative
	// means no limit.
	PrivateReplies int
	// PageCalls and AppCalls are the calls of a page, and of all pages together, in BudgetSpan; 0 means no limit.
	// A refused call counts as well.
	PageCalls, AppCalls int
	// BudgetSpan is the rolling span of PageCalls and AppCalls; 0 means DefaultBudgetSpan.
	BudgetSpan time.Duration
	// Block makes a limit that was exceeded refuse every call of its page, or app, until no call came for so long.
	// 0 means that a call is accepted again as soon as the limit itself has room.
	Block time.Duration
	// HighVolume is the messages a second above which a page is in high-volume mode, until it has sent less for a
	// minute; 0 means DefaultHighVolume, negative means never. Nothing is refused in that mode.
	HighVolume float64
	// HighVolumeStays keeps a page in high-volume mode for good, as in 2018, when staying below 1 a second was the
	// way to avoid it.
	HighVolumeStays bool
	// Usage is the least percentage that each page's usage header shows, 0 to 1,000. The real figure, the
	// highest share of the page's limits that is used, shows when it is higher.
	Usage float64

	// Seed is where the pseudo-random choices of faults begin: the same seed and the same order of calls give the
	// same faults.
	Seed uint64
	// MaxCalls is how many calls are remembered; older ones are dropped and counted. A call takes about 300
	// bytes and its body; all bodies together are at most 1 GiB, see Call.Body. 0 means DefaultMaxCalls.
	MaxCalls int
}

func (cfg Config) withDefaults() Config {
	orElse(&cfg.Window, WindowOpen)
	orElse(&cfg.WindowLength, DefaultWindowLength)
	orElse(&cfg.Rate, DefaultRate)
	orElse(&cfg.MediaRate, DefaultMediaRate)
	orElse(&cfg.PrivateReplies, DefaultPrivateReplies)
	orElse(&cfg.BudgetSpan, DefaultBudgetSpan)
	orElse(&cfg.HighVolume, DefaultHighVolume)
	orElse(&cfg.MaxCalls, DefaultMaxCalls)
	return cfg
}

func orElse[T comparable](value *T, otherwise T) {
	var zero T
	if *value == zero {
		*value = otherwise
	}
}

func (cfg Config) problems() sendapi.Problems {
	var c checker
	for page, token := range cfg.Tokens {
		c.check(numeric(page), "Tokens["+page+"]", "a page id is decimal digits")
		c.check(token != "", "Tokens["+page+"]", "the token is empty")
	}
	c.check(cfg.Window.valid(), "Window", "must be open or closed")
	c.rate("Rate", cfg.Rate)
	c.rate("MediaRate", cfg.MediaRate)
	c.rate("ThreadRate", cfg.ThreadRate)
	c.rate("HighVolume", cfg.HighVolume)
	c.check(cfg.PrivateReplies <= maxRate, "PrivateReplies", "must not be above 100,000")
	c.check(0 <= cfg.Usage && cfg.Usage <= maxUsage, "Usage", "must be 0 to 1,000")
	c.atLeastZero("WindowLength", int64(cfg.WindowLength))
	c.atLeastZero("Latency", int64(cfg.Latency))
	c.atLeastZero("PageCalls", int64(cfg.PageCalls))
	c.atLeastZero("AppCalls", int64(cfg.AppCalls))
	c.atLeastZero("BudgetSpan", int64(cfg.BudgetSpan))
	c.atLeastZero("Block", int64(cfg.Block))
	c.atLeastZero("MaxCalls", int64(cfg.MaxCalls))
	return c.problems
}
