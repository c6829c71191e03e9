# The linter is pinned here; `make lint` builds it once into ./.bin.
GOLANGCI_VERSION := v2.15.0
BIN := $(CURDIR)/.bin
LINTER := $(BIN)/golangci-lint-$(GOLANGCI_VERSION)

.DEFAULT_GOAL := help
.PHONY: help demo build test lint bench redis

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: ## send 300 sample messages at three paces, with everything built in
	go run ./cmd/sendpace demo

build: ## build ./.bin/sendpace
	go build -trimpath -o $(BIN)/sendpace ./cmd/sendpace

test: redis ## run all tests with the race detector
	go test -race -shuffle=on -timeout 5m ./...

lint: $(LINTER) ## check style, and which package may import which
	$(LINTER) run ./...

bench: redis ## measure pace and cost on a real Redis (about 4 minutes)
	go test -run '^$$' -bench . -benchtime 1x -timeout 20m ./worker
	go test -run '^$$' -bench . ./sendapi ./producer ./worker/pace

# The tests use the redis-server in the PATH, and install one if there is none.
redis:
	@command -v redis-server >/dev/null && exit 0; \
	if command -v apt-get >/dev/null && [ "$$(id -u)" = 0 ]; then apt-get update -q && apt-get install -qy redis-server; \
	elif command -v apt-get >/dev/null && sudo -n true 2>/dev/null; then sudo apt-get update -q && sudo apt-get install -qy redis-server; \
	elif command -v brew >/dev/null; then brew install redis; fi; \
	command -v redis-server >/dev/null || { echo 'redis-server is missing. Type: sudo apt-get install redis-server' >&2; exit 1; }

$(LINTER):
	@mkdir -p $(BIN)
	GOBIN=$(BIN) go install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(GOLANGCI_VERSION)
	@mv $(BIN)/golangci-lint $@
