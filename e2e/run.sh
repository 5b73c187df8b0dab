#!/usr/bin/env bash
# The tests against a real cluster: `make e2e`. E2E_KUBECONFIG=FILE says which; without it a node is brought up, and
# removed when all is good.
# shellcheck source-path=SCRIPTDIR source=lib.sh
source "$(dirname "$0")/lib.sh"

# Stories wait much more than they work.
STORIES_AT_ONCE=6
ROTATION_LOG=$PROJECT/target/e2e-rotation.log

# tests NAME ARGUMENTS...: the tests were compiled outside the node's network, where cargo may need the world's.
tests() {
  in_cluster "$CARGO" test --quiet --offline --locked -p e2e --test "$1" -- "${@:2}"
}

main() {
  cd "$PROJECT"
  "$E2E/install.sh"
  deploy/check.sh
  in_cluster deploy/check.sh server
  say "the chart and its rendering, also for the API server"
  "$CARGO" test --locked -p e2e --no-run
  say "the rotation of a token has begun: eight minutes, beside the others"
  tests rotation >"$ROTATION_LOG" 2>&1 &
  local rotation=$! failed=()
  tests stories --test-threads "$STORIES_AT_ONCE" || failed+=(stories)
  say "stories"
  tests installation --test-threads 1 || failed+=(installation)
  say "installation"
  wait "$rotation" || failed+=(rotation)
  cat "$ROTATION_LOG"
  say "rotation"
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
