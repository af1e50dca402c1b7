# Every check is one command. `make help` lists them.

CARGO ?= cargo

LOOM = RUSTFLAGS="--cfg peerguard_loom" CARGO_TARGET_DIR=target/loom $(CARGO) test --profile loom --features capi --lib loom_tests -- --nocapture

.PHONY: help tools test test-rust test-long loom loom-quick mutants proof screenshot lint doc bench bench-quick bench-docs bench-plots bench-small \
	instructions instructions-renew node clean

help: ## list the commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "%-18s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

test: tools lint test-rust instructions loom-quick ffi-test ffi-go ## every check that runs before a change lands

tools: ## install what the tests need besides Rust, Go, a C compiler and make
	./.ci/tools

test-rust: tools ## the Rust tests, with all features
	$(CARGO) build --release --example node
	$(CARGO) build --release --features http --example node
	$(CARGO) test --workspace --all-features

test-long: ## the same properties at full size: 10^6 sequences, 10^8 ids (about an hour)
	PEERGUARD_SEQUENCES=1000000 $(CARGO) test --test model
	PEERGUARD_FLOOD=full $(CARGO) test --test flood

loom: ## the models of every protocol, as deep as loom-tests/README.md says
	$(LOOM)

loom-quick: ## the same models with few preemptions
	PEERGUARD_LOOM=quick $(LOOM)

mutants: ## plants each fault of loom-tests/mutants and fails if one survives
	loom-tests/mutants/run.sh

proof: loom mutants test-long ## everything that takes long

screenshot: tools ## the page as a browser shows it, kept in docs/
	mkdir -p docs
	PEERGUARD_SCREENSHOT=docs $(CARGO) test --features http --test export_page

lint: ## formatting, clippy and rustdoc without a warning
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets -- -D warnings
	$(CARGO) clippy --all-targets --all-features -- -D warnings
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --no-deps --all-features

doc: ## the documentation, in target/doc
	$(CARGO) doc --no-deps --all-features

BENCH = $(CARGO) run --release -p peerguard-benches --

bench: ## peerguard, its rivals and floors in one table; 10 minutes
	$(BENCH)

bench-quick: ## the same in 2 minutes
	$(BENCH) --quick

bench-docs: ## the same as bench, and writes tables and plots into docs/
	$(BENCH) --docs

bench-plots: ## draws the plots in docs/ from target/bench.json
	$(BENCH) --plots

bench-small: ## criterion on the small costs: hash, look-up, gate, clocks
	$(CARGO) bench -p peerguard-benches --bench small

INSTRUCTIONS = $(CARGO) run --profile instructions -p peerguard-instructions --

instructions: tools ## counts the instructions of the hot operations and compares them with the committed ones
	$(INSTRUCTIONS) check

instructions-renew: tools ## writes the counts anew, for this compiler
	$(INSTRUCTIONS) renew

node: ## a node on loopback with 26 peers, for half a minute
	$(CARGO) run --release --example node -- --seconds 30

clean: ## remove what was built
	$(CARGO) clean

include ffi/ffi.mk
