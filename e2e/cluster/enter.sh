#!/usr/bin/env bash
# Runs a command, or a shell, in the node's network as the user who calls it: enter.sh kubectl get pods -A
# shellcheck source-path=SCRIPTDIR source=lib.sh
source "$(dirname "$0")/lib.sh"

main() {
  local pid enter
  pid=$(node_pid) || fail "No node runs here. This starts one: $CLUSTER/up.sh"
  # Caches of kubectl and Helm belong to this cluster alone: the next one at the same address serves other resources.
  export KUBECONFIG=$STATE/client/kubeconfig KUBECACHEDIR=$STATE/client/kubectl
  export HELM_CACHE_HOME=$STATE/client/helm HELM_CONFIG_HOME=$STATE/client/helm HELM_DATA_HOME=$STATE/client/helm
  enter=(nsenter --target "$pid" --net)
  if [ "$(id -u)" != 0 ]; then
    enter=(sudo --preserve-env "${enter[@]}" --setuid "$(id -u)" --setgid "$(id -g)" env "PATH=$PATH" "HOME=$HOME")
  fi
  exec "${enter[@]}" "$@"
}

[ $# -gt 0 ] || set -- "${SHELL:-bash}"
main "$@"
