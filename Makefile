# The commands of the README. `.ci/run` calls them too, so what CI knows a developer can type.

CARGO ?= cargo
RELEASE = $(CARGO) build --release --locked
# Where tests/setup.sh puts cargo-deny if there is none.
export PATH := $(PATH):$(CURDIR)/target/tools/bin

.PHONY: help build demo test faults bench bench-webhook endurance soak fuzz clients instructions fmt lint audit crd setup crd-check deny

help: ## this list
	@grep -E '^[a-z0-9-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z0-9-]+):.*## /  make \1\t/' | expand -t 18

# One command a program: built together, each would get the other's features of the libraries they share.
build: ## both programs, optimised, in target/release
	$(RELEASE) -p sidecar
	$(RELEASE) -p webhook

demo: build ## an app, the sidecar and a TLS broker that demands tokens, here and within a minute
	$(RELEASE) -p tests --bin broker --bin demo
	target/release/demo

# The integration tests run the built programs, so these are built first; --all-targets, or every library would be built
# twice: with the features that the tests ask for and without.
test: setup lint ## everything that must hold without a cluster: format, lints, documentation, tests, generated files, licences
	$(CARGO) build --workspace --all-targets --locked
	$(CARGO) test --workspace --exclude e2e --locked
	@$(MAKE) --no-print-directory crd-check deny

faults: setup ## the fault suite with its table of counts: every fault, QoS and version under load
	$(CARGO) build --workspace --exclude e2e --all-targets --locked
	$(CARGO) test --workspace --exclude e2e --locked --test faults -- --nocapture

bench: build ## CPU, memory, start and size beside nginx; WRITE=1 writes docs/benchmarks.md
	tests/setup.sh bench
	$(RELEASE) -p tests --bin bench --bin copier
	ulimit -n 8192 && target/release/bench $(if $(WRITE),--write)

bench-webhook: ## latency, throughput and memory of the webhook; WRITE=1 writes docs/benchmarks-webhook.md
	$(RELEASE) -p webhook
	$(RELEASE) -p tests --bin bench-webhook
	target/release/bench-webhook $(if $(WRITE),--write)

# Sequences that no run has played before; optimised, a million take some ten seconds on two cores.
soak: ## random lives of a session against the engine: SEQUENCES=N, ten million without it
	MODEL_SEQUENCES=$(or $(SEQUENCES),10000000) MODEL_SEED=$$(date +%s)0000000 \
	  $(CARGO) test --release --locked -p sidecar --lib model -- --nocapture

# Needs the nightly toolchain and cargo-fuzz; says how to install them.
fuzz: ## the codec and the engine fed with anything: FUZZ_SECONDS=N for each target, 60 without it
	FUZZ_SECONDS=$(or $(FUZZ_SECONDS),60) sidecar/fuzz/run.sh

endurance: ## an hour at 2,000 messages a second with rotations and broker restarts; SECONDS=N for less
	tests/setup.sh test
	$(RELEASE) -p sidecar
	$(RELEASE) -p tests --bin endurance
	target/release/endurance $(if $(SECONDS),--seconds $(SECONDS))

clients: ## mosquitto's, Paho's, MQTT.js' and rumqttc's clients through the sidecar; WRITE=1 writes docs/clients.md
	tests/clients/install.sh
	$(CARGO) build --workspace --exclude e2e --bin dataflow-sidecar --bin clients --locked
	target/debug/clients $(if $(WRITE),--write)

instructions: ## instructions a message by callgrind, against their budget; WRITE=1 writes it
	tests/setup.sh instructions
	$(RELEASE) -p tests --bin steady
	tests/instructions.sh $(if $(WRITE),write)

fmt: ## formats the code
	$(CARGO) fmt --all

lint: ## format, clippy and documentation, warnings denied
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets --locked -- -D warnings
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --workspace --no-deps --locked

audit: ## known vulnerabilities in the dependencies; needs the network
	tests/audit.sh

CRD = deploy/chart/files/dataflowendpoints.yaml
# Without -p: the program as `make test` has built it.
PRINT_CRD = $(CARGO) run --quiet --locked --bin dataflow-webhook -- crd

crd: ## writes the CRD from the types
	$(PRINT_CRD) > $(CRD).new
	mv $(CRD).new $(CRD)

crd-check:
	$(PRINT_CRD) | diff -u $(CRD) - || { echo "$(CRD) is not what the types generate: run make crd" >&2; exit 1; }

setup:
	tests/setup.sh test

deny:
	tests/setup.sh deny
	$(CARGO) deny --locked check --hide-inclusion-graph licenses bans sources

.PHONY: image-binaries install-yaml chart-check alerts-check release release-tools release-check

# The host's own target, but said: then procedural macros and build scripts, which cannot be static, are built apart.
# glibc has the look-up of names inside since 2.34, so a static program resolves them too.
IMAGE_TARGET = $(shell rustc -vV | sed -n 's/^host: //p')
IMAGE_BUILD = RUSTFLAGS="-C target-feature=+crt-static $(REMAP)" $(RELEASE) --target $(IMAGE_TARGET) --target-dir $(BUILD)
# Where they are built: tests/release.sh builds them anew in another folder.
BUILD = target
IMAGE_BUILT = $(BUILD)/$(IMAGE_TARGET)/release

image-binaries: ## both programs, static, in target/image: what the image is made of
	$(IMAGE_BUILD) -p sidecar
	$(IMAGE_BUILD) -p webhook
	mkdir -p target/image
	cp $(IMAGE_BUILT)/dataflow-sidecar $(IMAGE_BUILT)/dataflow-webhook target/image/

# The paths of this machine are in no program that is released, and its commit is.
release: REMAP = --remap-path-prefix=$(abspath $(BUILD))=/build --remap-path-prefix=$(CURDIR)=/source --remap-path-prefix=$(or $(CARGO_HOME),$(HOME)/.cargo)=/cargo
release: export DATAFLOW_COMMIT = $(shell git rev-parse --short=12 HEAD)
release: release-tools image-binaries ## everything a release has, in dist/ or DIST=FOLDER: programs, image, chart, bill of materials, checksums
	deploy/release.sh $(DIST)

release-tools:
	tests/setup.sh release

release-check: release-tools ## shows that two builds of a release give the same bytes; two release builds long
	tests/release.sh

install-yaml: ## writes deploy/install.yaml from the chart
	deploy/check.sh write

chart-check: alerts-check ## the chart without a cluster: lint, values, rendering, deploy/install.yaml, alerts; needs helm
	deploy/check.sh

alerts-check: ## when the alerts fire and when they are silent, by promtool
	tests/setup.sh alerts
	deploy/check.sh alerts

.PHONY: e2e cluster cluster-node cluster-down tour

e2e: ## the same promises in a real cluster: a node of its own, or the one of E2E_KUBECONFIG=FILE
	e2e/run.sh

cluster: ## a cluster to play with: chart, a broker that demands tokens, an app that publishes
	e2e/sample.sh

tour: ## writes docs/tour.md, what kubectl shows in the cluster of make cluster
	e2e/tour.sh > docs/tour.md.new
	mv docs/tour.md.new docs/tour.md

cluster-node: ## its node alone, see e2e/cluster/README.md
	e2e/cluster/up.sh

cluster-down: ## removes it
	e2e/cluster/down.sh
