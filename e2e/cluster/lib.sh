# Names and helpers of the scripts here. It is sourced, never run.
# shellcheck shell=bash disable=SC2034
set -euo pipefail

CLUSTER=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
PROJECT=$(cd "$CLUSTER/../.." && pwd -P)
BIN=$CLUSTER/.bin/current
STATE=$CLUSTER/.state

# Addresses in the node's own network; nothing outside it sees them.
NODE_IP=172.31.255.1
SERVICES=10.97.0.0/24
API_SERVICE_IP=10.97.0.1 # The first of them, by Kubernetes' own rule.

# Programs such as ip and iptables are not on every user's path.
export PATH=$BIN:$PATH:/usr/sbin:/sbin

# A cgroup of this checkout, so that two checkouts can each have a node. All pods run in it, and the node's first
# process waits in its `init`: that is how a node is found, and no file can name a process that is somebody else's.
CGROUP=dataflow-e2e-$(printf %s "$CLUSTER" | cksum | cut -d' ' -f1)

say() {
  printf '%4ds  %s\n' "$SECONDS" "$*"
}

fail() {
  printf '%s\n' "$@" >&2
  exit 1
}

as_root() {
  if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi
}

# Where cgroups are made: one place with cgroup v2, one a controller with v1.
cgroup_hierarchies() {
  if [ -f /sys/fs/cgroup/cgroup.controllers ]; then
    echo /sys/fs/cgroup
  else
    find /sys/fs/cgroup -mindepth 1 -maxdepth 1 -exec test -f '{}/cgroup.procs' \; -print
  fi
}

# The hierarchy in which the node's first process is kept.
node_cgroup() {
  if [ -f /sys/fs/cgroup/cgroup.controllers ]; then
    echo "/sys/fs/cgroup/$CGROUP/init"
  else
    echo "/sys/fs/cgroup/pids/$CGROUP/init"
  fi
}

# The id of the node's first process; a failure if there is no node.
node_pid() {
  local pid
  while read -r pid; do
    # The one that has id 1 in its own namespace; `unshare`, which waits for it, is there too.
    if grep -qsE '^NSpid:.*\s1$' "/proc/$pid/status"; then
      echo "$pid"
      return
    fi
  done 2>/dev/null <"$(node_cgroup)/cgroup.procs"
  return 1
}

# Runs a command as the node's own processes run: its mounts, network, host name and process ids. The project is
# /run/project there, and may not be changed.
in_node() {
  nsenter --target "$(node_pid)" --mount --net --uts --pid -- env TMPDIR=/run/tmp "$@"
}

# Go, at least of the version that the go.mod in this folder asks for.
require_go() {
  local wanted
  wanted=$(sed -n 's/^go //p' "$1/go.mod")
  command -v go >/dev/null || PATH=$PATH:/usr/local/go/bin
  command -v go >/dev/null ||
    fail "Go is missing, which builds $1: install Go $wanted or newer as https://go.dev/doc/install says," \
      "then run this again."
  # Go 1.21 and later fetch the toolchain that go.mod asks for; older ones do not understand the question.
  (cd "$1" && go version >/dev/null) ||
    fail "This Go ($(cd / && go version)) cannot build $1: install $wanted or newer as https://go.dev/doc/install says."
}

# build_once FOLDER BUILD SOURCES...: runs `BUILD PLACE`, which fills FOLDER/HASH, the hash being that of the sources, unless
# it is there already; and points FOLDER/current there.
build_once() {
  local folder=$1 build=$2 hash
  hash=$(cat "${@:3}" | sha256sum | cut -c1-16)
  mkdir -p "$folder"
  exec 9>"$folder/lock"
  flock 9
  if [ ! -d "$folder/$hash" ]; then
    rm -rf "$folder"/*.part
    "$build" "$folder/$hash.part"
    # What earlier sources gave: a rebuild from Go's own cache takes seconds.
    find "$folder" -mindepth 1 -maxdepth 1 -type d ! -name '*.part' -exec rm -rf {} +
    mv "$folder/$hash.part" "$folder/$hash"
  fi
  ln -sfn "$hash" "$folder/current"
}
