# Every check is one command. `make help` lists them.

CARGO ?= cargo

LOOM = RUSTFLAGS="--cfg peerguard_loom" CARGO_TARGET_DIR=target/loom $(CARGO) test --profile loom --features capi --lib loom_tests -- --nocapture

.PHONY: help tools test test-rust test-long loom loom-quick mutants linearizability schedules probes tsan asan fuzz fuzz-build proof \
	screenshot lint doc bench bench-quick bench-docs bench-plots bench-small instructions instructions-renew node clean

help: ## list the commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "%-18s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

test: tools lint test-rust instructions loom-quick ffi-test ffi-go ## every check that runs before a change lands

tools: ## install what the tests need besides Rust, Go, a C compiler and make
	./.ci/tools

# The example is built first as the README and the tests start it, so that no test waits for a compiler.
test-rust: tools ## the Rust tests, with all features
	$(CARGO) build --release --example node
	$(CARGO) build --release --features http --example node
	$(CARGO) test --workspace --all-features --no-fail-fast

test-long: ## the same properties at full size: 10^6 sequences, 10^8 ids (about an hour)
	PEERGUARD_SEQUENCES=1000000 $(CARGO) test --test model
	PEERGUARD_SEQUENCES=100000 $(CARGO) test --test time
	PEERGUARD_FLOOD=full $(CARGO) test --test flood

loom: ## the models of every protocol, as deep as loom-tests/README.md says
	$(LOOM)

loom-quick: ## the same models with few preemptions
	PEERGUARD_LOOM=quick $(LOOM)

mutants: ## plants each fault of loom-tests/mutants and fails if one survives
	loom-tests/mutants/run.sh

linearizability: ## 100,000 recorded histories, each searched for a legal order (a minute)
	PEERGUARD_HISTORIES=100000 $(CARGO) test --test linearizability -- --nocapture

schedules: ## the whole guard under shuttle's schedulers, each history searched as above
	cd tests/schedules && RUSTFLAGS="--cfg peerguard_shuttle" CARGO_TARGET_DIR=../../target/schedules $(CARGO) test -- --nocapture

probes: ## 10^6 rounds of a half-open breaker under two threads
	PEERGUARD_ROUNDS=1000000 $(CARGO) test --test threads -- --nocapture

# The sanitizers and the search are the compiler's; a stable compiler wants to be told that it may.
HOST = $(shell rustc -vV | sed -n 's/^host: //p')
UNSTABLE = RUSTC_BOOTSTRAP=1

# With the standard library built anew, so that its own synchronisation is seen: nothing is suppressed.
tsan: ## ThreadSanitizer over the tests with threads
	rustup component add rust-src
	$(UNSTABLE) RUSTFLAGS="-Zsanitizer=thread" CARGO_TARGET_DIR=target/tsan TSAN_OPTIONS=halt_on_error=1 \
		PEERGUARD_ROUNDS=20000 PEERGUARD_HISTORIES=2000 $(CARGO) test -Zbuild-std --target $(HOST) \
		--test threads --test linearizability --test eviction_race --test one_key_one_record -- --nocapture --skip planted

asan: fuzz-build ## AddressSanitizer over the table, and over the C interface by the corpus of its calls
	$(UNSTABLE) RUSTFLAGS="-Zsanitizer=address -Cunsafe-allow-abi-mismatch=sanitizer" CARGO_TARGET_DIR=target/asan \
		$(CARGO) test --target $(HOST) --test eviction_race --test one_key_one_record --test threads
	mkdir -p target/fuzz/asan
	$(FUZZ_BIN)/c_calls -seed=1 -runs=20000 -max_len=8192 target/fuzz/asan tests/fuzz/corpus/c_calls

FUZZ_TARGETS = id config metrics graphql c_calls
FUZZ_SECONDS ?= 120
FUZZ_BIN = target/fuzz/$(HOST)/release
# libFuzzer's coverage, and AddressSanitizer.
FUZZ_FLAGS = -Zsanitizer=address -Cunsafe-allow-abi-mismatch=sanitizer -Cpasses=sancov-module -Ccodegen-units=1 \
	-Cllvm-args=-sanitizer-coverage-level=4 -Cllvm-args=-sanitizer-coverage-inline-8bit-counters \
	-Cllvm-args=-sanitizer-coverage-pc-table -Cllvm-args=-sanitizer-coverage-trace-compares

fuzz-build:
	cd tests/fuzz && $(UNSTABLE) RUSTFLAGS="$(FUZZ_FLAGS)" CARGO_TARGET_DIR=../../target/fuzz \
		$(CARGO) build --release --target $(HOST)

fuzz: fuzz-build ## searches for inputs that break what must hold: FUZZ_SECONDS (120) for each target
	for target in $(FUZZ_TARGETS); do \
		mkdir -p target/fuzz/found/$$target && \
		$(FUZZ_BIN)/$$target -max_total_time=$(FUZZ_SECONDS) -max_len=8192 -timeout=300 -print_final_stats=1 \
			-artifact_prefix=target/fuzz/$$target- target/fuzz/found/$$target tests/fuzz/corpus/$$target || exit 1; \
	done

proof: loom mutants test-long linearizability schedules probes tsan asan fuzz ## everything that takes long

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
