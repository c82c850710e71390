# What people and CI call; each is one command that also works by hand.
.PHONY: run test lint bench openapi goldens crash power-cut faults strangers backfill switches

run:
	cargo run --release -- demo

# Everything, the crash and power-cut rounds in small. The power cut needs mkfs.ext4, mount and losetup, the simulator's tests
# Microsoft's packages for Python and Node, the sinks' tests other people's readers of webhooks and a NATS server; what
# cannot be had is said.
test: tools target/azure-devops target/azure-devops-node target/oracles-python target/oracles-node
	cargo test --lib --bins --tests

.PHONY: tools
tools:
	@command -v mkfs.ext4 >/dev/null && command -v losetup >/dev/null || { \
	  [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null && \
	  apt-get update -qq && apt-get install -y -qq e2fsprogs mount >/dev/null; } || \
	  echo "without e2fsprogs and mount the power-cut test is skipped"
	@command -v nats-server >/dev/null || { \
	  [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null && \
	  apt-get update -qq && apt-get install -y -qq nats-server >/dev/null; } || \
	  echo "without nats-server the tests of the NATS sink are skipped"

# Microsoft's own clients, which must take the simulator for a real one.
target/azure-devops:
	@mkdir -p target
	@{ python3 -m venv $@.new && $@.new/bin/pip install --quiet --disable-pip-version-check azure-devops==7.1.0b4 && \
	  mv $@.new $@; } || \
	  echo "without python3 and pip the test with the package azure-devops is skipped"

target/azure-devops-node:
	@mkdir -p $@.new
	@{ npm install --silent --no-audit --no-fund --prefix $@.new azure-devops-node-api@17.0.1 && \
	  mv $@.new $@; } || \
	  echo "without node and npm the test with azure-devops-node-api is skipped"

# Other people's readers of what a webhook delivers: they must take it, and refuse what was tampered with.
target/oracles-python:
	@mkdir -p target
	@{ python3 -m venv $@.new && $@.new/bin/pip install --quiet --disable-pip-version-check standardwebhooks==1.1.0 cloudevents==2.2.0 && \
	  mv $@.new $@; } || \
	  echo "without python3 and pip the tests with standardwebhooks and cloudevents of PyPI are skipped"

target/oracles-node:
	@mkdir -p $@.new
	@{ npm install --silent --no-audit --no-fund --prefix $@.new standardwebhooks@1.1.1 cloudevents@10.0.0 && \
	  mv $@.new $@; } || \
	  echo "without node and npm the tests with standardwebhooks and cloudevents of npm are skipped"

lint:
	cargo fmt --check
	cargo clippy --all-targets -- -D warnings
	RUSTDOCFLAGS="-D warnings -A rustdoc::private_intra_doc_links" cargo doc --no-deps --document-private-items --quiet

bench:
	cargo bench --bench ingest
	cargo bench --bench ingest -- memory
	cargo bench --bench deliver
	cargo bench --bench queries
	cargo bench --bench registry

# Writes openapi/openapi.json anew from the routes.
openapi:
	UPDATE=1 cargo test --test it the_checked_in_document_is_current

# Writes fixtures/events anew from fixtures/azure; read the difference before you commit it.
goldens:
	UPDATE=1 cargo test --test it golden

# The promise under kill -9, at full length.
crash:
	HOOKWELL_CRASH_ROUNDS=20 cargo test --release --test it kill_9 -- --nocapture

# The promise under a power cut, at full length. Needs root.
power-cut:
	HOOKWELL_POWER_CUT_ROUNDS=20 cargo test --release --test it power_cut -- --nocapture

# Every system call of the store fails once, for a second and for ever, or is the last one: hours. HOOKWELL_FAULTS=20 tries
# so many of each kind and takes minutes, HOOKWELL_FAULTS_ONLY=" rename " one kind.
faults:
	HOOKWELL_FAULTS=$${HOOKWELL_FAULTS:-all} cargo test --release --test it failing_call -- --nocapture

# A month of a big project is filled across a kill, at full size.
backfill:
	HOOKWELL_BACKFILL_BUILDS=50000 cargo test --release --test it a_long_past -- --nocapture

# A day and the story of two weeks on each side of each switch of the simulator, one after the other.
switches:
	HOOKWELL_SWITCHES=all cargo test --release --test it every_side_of_every_switch -- --nocapture

# 4,096 hostile connections of each kind, one kind after the other, for longer than any wait may last.
strangers:
	HOOKWELL_STRANGERS=4096 cargo test --release --test it process::strangers -- --nocapture --test-threads 1

# Each fuzz target for a minute (or FUZZ_SECONDS), guided by coverage, beginning with what was found before: new inputs go to
# fixtures/fuzz, a crash to tests/fuzz/artifacts. `make fuzz-merge` leaves of the inputs the smallest that reach as much.
FUZZ_TARGETS ?= basic envelope replies repository_url store translate wiql
FUZZ_SECONDS ?= 60
FUZZ = PATH="$(CURDIR)/target/tools/bin:$$PATH" cargo fuzz
FUZZ_OPTIONS = --fuzz-dir tests/fuzz --target-dir target/fuzz --sanitizer none --codegen-units 16

.PHONY: fuzz fuzz-merge
fuzz: target/tools/bin/cargo-fuzz
	$(FUZZ) build $(FUZZ_OPTIONS)
	for target in $(FUZZ_TARGETS); do \
	  $(FUZZ) run $(FUZZ_OPTIONS) $$target fixtures/fuzz/$$target $$(case $$target in envelope|translate) echo fixtures/azure;; esac) -- \
	    -max_total_time=$(FUZZ_SECONDS) -max_len=16384 -timeout=10 -rss_limit_mb=1024 -print_final_stats=1 || exit 1; \
	done

fuzz-merge: target/tools/bin/cargo-fuzz
	for target in $(FUZZ_TARGETS); do $(FUZZ) cmin $(FUZZ_OPTIONS) $$target fixtures/fuzz/$$target || exit 1; done

target/tools/bin/cargo-fuzz:
	cargo install cargo-fuzz --locked --version 0.13.2 --root target/tools
