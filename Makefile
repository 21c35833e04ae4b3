# Forewarn: what to run. `make` alone prints this list.
#
#   make run ARGS="--listen 127.0.0.1:9000"    an exchange with a demonstration program
#   make test                                   everything that can be tested here
#
# Every target is plain: what it runs is what you would type.

SHELL := bash
.SHELLFLAGS := -eo pipefail -c

GO        ?= go
ARGS      ?=
PKG       ?= ./...
FUZZTIME  ?= 10s
BENCH     ?= .
BENCHFLAGS ?=
TESTFLAGS ?=
CI        ?=

VERSION := $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
LDFLAGS := -s -w -X github.com/forewarn-exchange/forewarn/internal/cli.Version=$(VERSION)

# The version comes from LDFLAGS. Go's own stamping fails in a checkout that
# belongs to another user (a container's bind mount), so it is switched off.
export GOFLAGS := $(filter-out -buildvcs=%,$(GOFLAGS)) -buildvcs=false
export GOWORK  := off
export CI

# Under CI nothing may come from a cache of results, and a test that finds no
# engine or browser is a failure, not a skip.
ifeq ($(CI),true)
TESTFLAGS += -count=1
SUMMARYFLAGS := -forbid 'postgres|initdb|chrom|browser|axe|python3'
endif

.DEFAULT_GOAL := help
.PHONY: help run build assets test check bench fuzz fmt clean tools \
	check-format check-vet check-staticcheck check-rules check-modules check-static

help: ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | awk -F'\t' '{printf "  make %-8s %s\n", $$1, $$2}'

run: ## build, then start a demonstration exchange (ARGS="--listen ADDR --data DIR ...")
	@scripts/assets --optional
	@$(MAKE) --no-print-directory build
	@exec bin/forewarn demo $(ARGS)

build: ## the static binary bin/forewarn
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags '$(LDFLAGS)' -o bin/forewarn ./cmd/forewarn

assets: ## fonts into the web pages, axe for the browser tests (needs npm)
	@scripts/assets

test: ## everything: units, stores on both engines, stories, browser (PKG=./... TESTFLAGS=)
	@scripts/setup-test
	@$(GO) -C tools build -o ../.bin/ ./testsummary
	@$(GO) test -json -timeout 15m $(TESTFLAGS) $(PKG) 2>&1 | .bin/testsummary $(SUMMARYFLAGS)
ifeq ($(PKG),./...)
	@GO=$(GO) scripts/conformance $(TESTFLAGS)
endif

check: check-format check-vet check-staticcheck check-rules check-modules check-static ## format, vet, staticcheck, rules of the house, modules, licences, static binary
	@echo "check: all passed"

tools:
	@$(GO) -C tools build -o ../.bin/ tool
	@$(GO) -C tools build -o ../.bin/ ./...

check-format: tools
	@out="$$(.bin/gofumpt -l $$(scripts/go-files))"; \
	if [ -n "$$out" ]; then echo "not formatted (make fmt):"; echo "$$out"; exit 1; fi

check-vet:
	$(GO) vet ./...
	$(GO) -C tools vet ./...
	$(GO) -C tools/conformance vet ./...

check-staticcheck: tools
	.bin/staticcheck ./...
	cd tools && ../.bin/staticcheck ./...
	cd tools/conformance && ../../.bin/staticcheck ./...

check-rules:
	$(GO) test -count=1 .

check-modules:
	$(GO) mod verify
	$(GO) mod tidy -diff
	$(GO) -C tools mod verify
	$(GO) -C tools/conformance mod verify
	$(GO) -C tools/conformance mod tidy -diff

check-static: build tools
	.bin/staticbin bin/forewarn

bench: ## the benchmarks, each beside a floor, and a table with the targets (BENCH=regexp BENCHFLAGS=)
	$(GO) test -run '^$$' -bench '$(BENCH)' -timeout 60m $(BENCHFLAGS) ./internal/bench ./internal/ledger

fuzz: ## each fuzz target for FUZZTIME (10s)
	@scripts/fuzz $(FUZZTIME)

fmt: tools ## format all Go files
	@.bin/gofumpt -w $$(scripts/go-files)

clean: ## remove what was built and fetched here
	rm -rf bin .bin node_modules
	find internal/transport/web/assets/vendor -type f ! -name .gitignore -delete 2>/dev/null || true
