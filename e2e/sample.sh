#!/usr/bin/env bash
# Leaves a person with a cluster to play with: `make cluster`. It has the chart, and the namespace `sample` with a broker
# that demands tokens, an endpoint and an app that publishes.
# shellcheck source-path=SCRIPTDIR source=lib.sh
source "$(dirname "$0")/lib.sh"

main() {
  cd "$PROJECT"
  "$E2E/install.sh"
  "$CARGO" build --locked -p e2e --example sample
  in_cluster target/debug/examples/sample
  if [ -z "${E2E_KUBECONFIG:-}" ]; then
    echo "kubectl reaches this cluster from a shell that e2e/cluster/enter.sh opens; make cluster-down removes it."
  fi
}

main
