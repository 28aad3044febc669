# The few commands worth remembering. Each does its own set-up, or says exactly what is missing.

# A shell that has not been opened since Rust or Go were installed does not find them.
export PATH := $(PATH):$(HOME)/.cargo/bin:/usr/local/go/bin

FUZZ_SECONDS ?= 60

.DEFAULT_GOAL := help
.PHONY: help build demo test lint fmt advisories fuzz bench bed

help: ## this list
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' Makefile | while IFS='	' read -r name what; do \
		printf '  make %-12s %s\n' "$$name" "$$what"; done

build: ## target/release/kausal (needs Rust and a C compiler)
	@scripts/setup build
	cargo build --locked --release

demo: build ## the story of one Deployment from a real cluster's audit log; leaves a server running
	target/release/kausal demo

test: ## everything that must hold (also needs Go 1.26 or newer, to build a real API server and Jaeger)
	@scripts/test

lint: ## formatting, clippy, and what dependencies may be
	@scripts/setup deny
	cargo fmt --all --check
	rustfmt --check --edition 2024 fuzz/targets/*.rs
	cargo clippy --locked --workspace --all-targets --all-features -- -D warnings
	"$$(scripts/setup --path cargo-deny)" --locked check --hide-inclusion-graph bans licenses sources

fmt: ## formats the code
	cargo fmt --all
	rustfmt --edition 2024 fuzz/targets/*.rs

advisories: ## known vulnerabilities of dependencies (needs the network)
	@scripts/setup deny
	"$$(scripts/setup --path cargo-deny)" --locked check advisories

fuzz: ## every fuzz target for FUZZ_SECONDS=60 (needs the nightly toolchain)
	@scripts/setup fuzz
	scripts/fuzz $(FUZZ_SECONDS)

bench: ## how fast, how small (docs/benchmarks.md says what it was where)
	@scripts/setup build
	cargo bench --locked --workspace --benches

bed: ## builds the real servers that the end-to-end tests run
	tests/bed/build
