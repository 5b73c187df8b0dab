#!/usr/bin/env bash
# Builds an image and gives it to the node: image.sh NAME FOLDER [DOCKERFILE]. Pods name it NAME, with
# `imagePullPolicy: IfNotPresent` or `Never`: the node can pull nothing. Every base but `scratch` must be at hand.
# shellcheck source-path=SCRIPTDIR source=lib.sh
source "$(dirname "$0")/lib.sh"

# buildah with all its files in the state folder.
build() {
  TMPDIR=$STATE/run buildah --root "$STATE/lib/containers" --runroot "$STATE/run/containers" --storage-driver vfs "$@"
}

main() {
  [ $# -ge 2 ] || fail "usage: $0 NAME FOLDER [DOCKERFILE]"
  local name=$1 folder=$2 dockerfile=${3:-$2/Dockerfile} archive
  node_pid >/dev/null || fail "No node runs here. This starts one: $CLUSTER/up.sh"
  if [ "$(id -u)" != 0 ]; then
    exec sudo "$0" "$@"
  fi
  archive=image-$$.tar
  # Our programs are copied in, not run: so no other isolation is needed, and a machine in a container may lack it.
  build bud --quiet --isolation chroot --tag "$name" --file "$dockerfile" "$folder" >/dev/null
  build push --quiet "$name" "docker-archive:$STATE/run/$archive:$name"
  in_node ctr --namespace k8s.io images import "/run/$archive" >/dev/null
  rm "$STATE/run/$archive"
}

main "$@"
