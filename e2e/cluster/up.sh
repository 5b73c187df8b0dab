#!/usr/bin/env bash
# One Kubernetes node from nothing: installs and builds what is missing, starts it, waits until pods run, and prints
# how to use it. A node that is up already is left as it is. `down.sh` removes it.
# shellcheck source-path=SCRIPTDIR source=lib.sh
source "$(dirname "$0")/lib.sh"

usage() {
  local from
  from=$(realpath --relative-to="$PWD" "$CLUSTER")
  cat <<END

Kubernetes $(sed -n 's#^\s*k8s.io/kubernetes ##p' "$CLUSTER/components/go.mod") is up. It has a network of its own, so run what talks to it through enter.sh:

  $from/enter.sh kubectl get pods -A     any command, with kubectl and helm on its path and KUBECONFIG set
  $from/enter.sh                         a shell of the same kind
  $from/image.sh NAME FOLDER             builds FOLDER/Dockerfile and gives the image to the node
  $from/down.sh                          removes the node and everything it has made

kubeconfig   $from/.state/client/kubeconfig
logs         $from/.state/log (components, audit.log, pods)
END
}

# A node that was started to the end, and whose kubelet still reports.
is_up() {
  [ -e "$STATE/run/up" ] && "$CLUSTER/enter.sh" kubectl --request-timeout 5s wait --for condition=Ready node/node --timeout 1s
}

main() {
  if is_up >/dev/null 2>&1; then
    usage
    return
  fi
  "$CLUSTER/packages.sh"
  "$CLUSTER/build.sh"
  as_root "$CLUSTER/start.sh"
  usage
}

main
