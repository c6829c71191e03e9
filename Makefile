# The linter is pinned here; `make lint` builds it once into ./.bin.
GOLANGCI_VERSION := v2.15.0
BIN := $(CURDIR)/.bin
LINTER := $(BIN)/golangci-lint-$(GOLANGCI_VERSION)

.DEFAULT_GOAL := help
.PHONY: help demo build test lint bench bench-calls chaos chaos-cut clients browser rules manifests redis chromium

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-11s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: ## send 300 sample messages at three paces, with everything built in
	go run ./cmd/sendpace demo

build: ## build ./.bin/sendpace
	go build -trimpath -o $(BIN)/sendpace ./cmd/sendpace

test: redis ## run all tests with the race detector, one package at a time: some hold a pace
	go test -race -shuffle=on -p 1 -timeout 10m ./...

lint: $(LINTER) ## check style, and which package may import which
	$(LINTER) run ./...

# RUN=Drain measures one scenario of worker/bench; SMALL=1 does a twentieth of the work and writes no file.
bench: redis ## measure a fleet beside bare asynq on a real Redis (about 15 minutes), and write worker/bench/RESULTS.md
	go -C worker/bench test -run '^$$' -bench '$(or $(RUN),.)' -benchtime 1x -timeout 30m . -args -out RESULTS.md $(if $(SMALL),-small)

bench-calls: redis ## measure single calls: messages, jobs, the gateway, what monitoring asks
	go test -run '^$$' -bench . ./sendapi ./producer ./producer/broadcast ./producer/gateway ./worker/pace

# SEED=7 draws the same jobs and disturbances as an earlier run that printed 7.
CHAOS := go test -count=1 -v -run '^TestChaos' ./worker/chaos

chaos: redis ## break a fleet at random for 15 minutes, and judge it by what the platform saw
	$(CHAOS) -parallel 1 -timeout 15m -args -scale full -seed $(or $(SEED),0)

chaos-cut: redis ## the same in 3 minutes
	$(CHAOS) -timeout 5m -args -scale cut -seed $(or $(SEED),0)

# Public client libraries are no dependencies of Sendpace, and most machines that test it have no node.
CLIENTS := producer/gateway/clienttest
clients: ## send through the gateway with two public client libraries (needs node and npm)
	@command -v npm >/dev/null || { echo 'npm is missing. Type: sudo apt-get install nodejs npm' >&2; exit 1; }
	npm ci --prefix $(CLIENTS) --ignore-scripts --no-audit --no-fund
	go test -count=1 -tags clients -run '^TestClient' ./producer/gateway

browser: chromium redis ## try the monitor in a real browser; SENDPACE_SHOTS=DIR keeps pictures
	go test -count=1 -tags browser -run '^TestBrowser' ./cmd/sendpace

rules: ## check and test the alert rules for Prometheus (needs promtool)
	@command -v promtool >/dev/null || { echo 'promtool is missing. Type: sudo apt-get install prometheus' >&2; exit 1; }
	promtool check rules worker/metrics/rules.yml
	promtool test rules worker/metrics/rules_test.yml

manifests: ## check the files for Kubernetes and Docker Compose against the forms that those publish
	cd cmd/sendpace/kubernetes/check && go vet ./... && go test -count=1 ./...

# The tests use the redis-server in the PATH, and install one if there is none.
redis:
	@command -v redis-server >/dev/null && exit 0; \
	if command -v apt-get >/dev/null && [ "$$(id -u)" = 0 ]; then apt-get update -q && apt-get install -qy redis-server; \
	elif command -v apt-get >/dev/null && sudo -n true 2>/dev/null; then sudo apt-get update -q && sudo apt-get install -qy redis-server; \
	elif command -v brew >/dev/null; then brew install redis; fi; \
	command -v redis-server >/dev/null || { echo 'redis-server is missing. Type: sudo apt-get install redis-server' >&2; exit 1; }

# The browser tests use the Chromium or Chrome in the PATH, and install one if there is none.
chromium:
	@for b in chromium chromium-browser google-chrome headless-shell; do command -v $$b >/dev/null && exit 0; done; \
	if command -v apt-get >/dev/null && [ "$$(id -u)" = 0 ]; then apt-get update -q && apt-get install -qy --no-install-recommends chromium fonts-dejavu-core; \
	else echo 'chromium is missing. Type: sudo apt-get install chromium' >&2; exit 1; fi

$(LINTER):
	@mkdir -p $(BIN)
	GOBIN=$(BIN) go install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(GOLANGCI_VERSION)
	@mv $(BIN)/golangci-lint $@
