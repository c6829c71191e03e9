package config_test

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/sendpace/sendpace/config"
)

func ExampleLoad() {
	dir, err := os.MkdirTemp("", "sendpace")
	if err != nil {
		panic(err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	path := filepath.Join(dir, "sendpace.yaml")
	if err := os.WriteFile(path, []byte(`
pages:
  - id: "1001"
    access_token: ${PAGE_TOKEN}
    rate: 50
`), 0o600); err != nil {
		panic(err)
	}

	cfg, warnings, err := config.Load(config.Source{Path: path, Env: []string{"PAGE_TOKEN=EAAB"}})
	if err != nil {
		panic(err)
	}
	page, _ := cfg.Page("1001")
	fmt.Println(page.ID, page.AccessToken, cfg.RatesOf(page).Rate, cfg.RatesOf(page).BulkRate)
	for _, w := range warnings {
		fmt.Println(w)
	}
	// Output:
	// 1001 [secret] 50 0.9
	// pages[0].rate: above 40 a second the page's inbox stops showing new messages
}
