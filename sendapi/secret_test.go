package sendapi_test

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sendpace/sendpace/sendapi"
)

func TestSecretIsNeverPrinted(t *testing.T) {
	t.Parallel()
	page := sendapi.Page{ID: "1001", Token: "EAAtoken", AppSecret: "s3cret"}
	var b strings.Builder
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%10.3s", "%T %[1]v"} {
		fmt.Fprintf(&b, verb+"\n", page.Token)
		fmt.Fprintf(&b, verb+"\n", page)
		fmt.Fprintf(&b, verb+"\n", &page)
	}
	encoded, err := json.Marshal(page)
	require.NoError(t, err)
	text, err := page.Token.MarshalText()
	require.NoError(t, err)
	b.Write(encoded)
	b.Write(text)
	slog.New(slog.NewJSONHandler(&b, nil)).Info("page", "page", page, "token", page.Token)
	slog.New(slog.NewTextHandler(&b, nil)).Info("page", "page", page, "token", page.Token)
	b.WriteString(page.Token.String() + page.Token.GoString())

	for _, secret := range []string{
		"EAAtoken", "s3cret", fmt.Sprintf("%x", "EAAtoken"), fmt.Sprintf("%X", "EAAtoken"),
	} {
		assert.NotContains(t, b.String(), secret)
	}
	assert.Contains(t, b.String(), "[secret]")
	assert.Equal(t, "EAAtoken", page.Token.Reveal())
}
