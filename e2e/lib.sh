# Names and helpers of the scripts here. It is sourced, never run.
# shellcheck shell=bash disable=SC2034
set -euo pipefail

E2E=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
PROJECT=$(cd "$E2E/.." && pwd -P)
CARGO=${CARGO:-cargo}
NAMESPACE=dataflow-system
RELEASE=dataflow-webhook
PRODUCT_IMAGE=localhost/dataflow-sidecar:e2e
TESTS_IMAGE=localhost/dataflow-e2e:e2e
PROMETHEUS_IMAGE=localhost/dataflow-prometheus:e2e

say() {
  printf '%4ds  %s\n' "$SECONDS" "$*"
}

# Runs a command that talks to the cluster: the one that E2E_KUBECONFIG names, or the node of e2e/cluster.
in_cluster() {
  if [ -n "${E2E_KUBECONFIG:-}" ]; then
    KUBECONFIG=$E2E_KUBECONFIG "$@"
  else
    "$E2E/cluster/enter.sh" "$@"
  fi
}
