# The commands of the README. `.ci/run` calls them too, so what CI knows a developer can type.

CARGO ?= cargo
RELEASE = $(CARGO) build --release --locked

.PHONY: help build demo test bench fmt lint audit crd setup deny

help: ## this list
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## /  make \1\t/' | expand -t 18

# One command a program: built together, each would get the other's features of the libraries they share.
build: ## both programs, optimised, in target/release
	$(RELEASE) -p sidecar
	$(RELEASE) -p webhook

demo: build ## an app, the sidecar and a TLS broker that demands tokens, here and within a minute
	$(CARGO) run --release --locked -p tests --bin demo

test: setup lint ## everything that must hold: format, lints, documentation, tests, generated files, licences
	$(CARGO) build --workspace --locked
	$(CARGO) test --workspace --locked
	@$(MAKE) --no-print-directory crd-check deny

bench: build ## CPU, memory, start and size beside nginx; WRITE=1 writes docs/benchmarks.md
	tests/setup.sh bench
	$(CARGO) run --release --locked -p tests --bin bench -- $(if $(WRITE),--write)

fmt: ## formats the code
	$(CARGO) fmt --all

lint: ## format, clippy and documentation, warnings denied
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets --locked -- -D warnings
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --workspace --no-deps --locked

audit: ## known vulnerabilities in the dependencies; needs the network
	tests/audit.sh

CRD = deploy/crd/dataflowendpoints.yaml

crd: ## writes the CRD from the types
	$(CARGO) run --locked -p webhook -- crd > $(CRD).new
	mv $(CRD).new $(CRD)

.PHONY: crd-check
crd-check:
	$(CARGO) run --quiet --locked -p webhook -- crd | diff -u $(CRD) - || { echo "$(CRD) is not what the types generate: run make crd" >&2; exit 1; }

setup:
	tests/setup.sh test

deny:
	$(CARGO) deny --locked check licenses bans sources
