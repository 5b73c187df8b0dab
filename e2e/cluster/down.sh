#!/usr/bin/env bash
# Removes the node, whatever state it is in: its processes, its cgroups, its files. Its mounts, its network and those of
# its pods live in namespaces that end with its first process.
# shellcheck source-path=SCRIPTDIR source=lib.sh
source "$(dirname "$0")/lib.sh"

TRIES_MAX=300 # of a tenth of a second

# The node's part of every hierarchy of cgroups.
cgroups() {
  cgroup_hierarchies | while read -r hierarchy; do
    [ ! -d "$hierarchy/$CGROUP" ] || echo "$hierarchy/$CGROUP"
  done
}

# Only the node's own processes are in its cgroups.
processes() {
  cgroups | xargs -r -I{} find {} -name cgroup.procs -exec cat {} + 2>/dev/null | grep -vx 0 | sort -u
}

end_processes() {
  local tries
  for ((tries = 0; tries < TRIES_MAX; tries++)); do
    processes | xargs -r kill -KILL 2>/dev/null || true
    # Containers' cgroups lie in their pod's, so the innermost go first.
    cgroups | xargs -r -I{} find {} -depth -type d -exec rmdir {} + 2>/dev/null || true
    [ -n "$(cgroups)" ] || return 0
    sleep 0.1
  done
  fail "The node's processes $(processes | xargs) do not end, or its cgroups are held: $(cgroups | xargs)."
}

# The node mounts in its own namespace only; this is for what somebody else has mounted below it.
unmount() {
  awk -v below="$STATE/" 'index($5, below) == 1 { print $5 }' /proc/self/mountinfo | tac | xargs -r -n1 umount --lazy
}

main() {
  if [ "$(id -u)" != 0 ]; then
    exec sudo "$0"
  fi
  end_processes
  unmount
  rm -rf --one-file-system "$STATE"
}

main
