#!/usr/bin/env bash
# Builds an image and gives it to the node: image.sh NAME FOLDER [DOCKERFILE [OPTIONS OF BUILDAH...]]. Pods name it NAME,
# with `imagePullPolicy: IfNotPresent` or `Never`: the node can pull nothing. Every base but `scratch` must be at hand.
# shellcheck source-path=SCRIPTDIR source=lib.sh
source "$(dirname "$0")/lib.sh"

# The node's place for a path of ours. The project has one there even if it lies where the node has folders of its own.
in_node_path() {
  local path
  path=$(realpath "$1")
  echo "${path/#"$PROJECT"//run/project}"
}

# buildah in the node: it keeps files in places of the system, and there those are the state folder's.
build() {
  in_node buildah --storage-driver vfs "$@"
}

main() {
  [ $# -ge 2 ] || fail "usage: $0 NAME FOLDER [DOCKERFILE [OPTIONS OF BUILDAH...]]"
  local name=$1 folder=$2 dockerfile=${3:-$2/Dockerfile} archive=/run/image-$$.tar
  node_pid >/dev/null || fail "No node runs here. This starts one: $CLUSTER/up.sh"
  if [ "$(id -u)" != 0 ]; then
    exec sudo "$0" "$@"
  fi
  # Our programs are copied in, not run: so no other isolation is needed, and a machine in a container may lack it.
  build bud --quiet --isolation chroot --tag "$name" --file "$(in_node_path "$dockerfile")" \
    "${@:4}" "$(in_node_path "$folder")" >/dev/null
  build push --quiet "$name" "docker-archive:$archive:$name"
  in_node ctr --namespace k8s.io images import "$archive" >/dev/null
  in_node rm "$archive"
}

main "$@"
