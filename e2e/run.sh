#!/usr/bin/env bash
# The tests against a real cluster: `make e2e`. E2E_KUBECONFIG=FILE says which; without it a node is brought up, and
# removed when all is good.
# shellcheck source-path=SCRIPTDIR source=lib.sh
source "$(dirname "$0")/lib.sh"

# Stories wait much more than they work.
STORIES_AT_ONCE=6
# They wait for clocks that nobody may turn: of tokens, and of alerts.
SLOW=(rotation monitoring)

# tests NAME ARGUMENTS...: the tests were compiled outside the node's network, where cargo may need the world's.
tests() {
  in_cluster "$CARGO" test --quiet --offline --locked -p e2e --test "$1" -- "${@:2}"
}

prometheus() {
  "$E2E/prometheus/build.sh"
  if [ -z "${E2E_KUBECONFIG:-}" ]; then
    "$E2E/cluster/image.sh" "$PROMETHEUS_IMAGE" "$E2E/prometheus/.bin/current" "$E2E/prometheus/Dockerfile"
  fi
  say "Prometheus"
}

main() {
  cd "$PROJECT"
  "$E2E/install.sh"
  prometheus
  deploy/check.sh
  deploy/check.sh alerts
  in_cluster deploy/check.sh server
  say "the chart and its rendering, also for the API server"
  "$CARGO" test --locked -p e2e --no-run
  local name slow=() failed=()
  for name in "${SLOW[@]}"; do
    tests "$name" >"target/e2e-$name.log" 2>&1 &
    slow+=($!)
  done
  say "${SLOW[*]}: begun, and minutes beside the others"
  tests stories --test-threads "$STORIES_AT_ONCE" || failed+=(stories)
  say "stories"
  tests installation --test-threads 1 || failed+=(installation)
  say "installation"
  local at
  for at in "${!SLOW[@]}"; do
    wait "${slow[$at]}" || failed+=("${SLOW[$at]}")
    cat "target/e2e-${SLOW[$at]}.log"
    say "${SLOW[$at]}"
  done
  tests uninstall || failed+=(uninstall)
  if [ ${#failed[@]} -gt 0 ]; then
    say "FAILED: ${failed[*]}"
    [ -n "${E2E_KUBECONFIG:-}" ] || echo "The node is left to be looked at; make cluster-down removes it."
    exit 1
  fi
  [ -n "${E2E_KUBECONFIG:-}" ] || "$E2E/cluster/down.sh"
  say "all good"
}

main
