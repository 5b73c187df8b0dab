#!/usr/bin/env bash
# Removes the node, whatever state it is in: its processes, its cgroups, its files. Its mounts, its network and those of
# its pods live in namespaces that end with its first process.
# shellcheck source-path=SCRIPTDIR source=lib.sh
source "$(dirname "$0")/lib.sh"

SECONDS_MAX=60

# The node's cgroup in every hierarchy that still has it.
cgroups() {
  cgroup_hierarchies | while read -r hierarchy; do
    [ ! -d "$hierarchy/$CGROUP" ] || echo "$hierarchy/$CGROUP"
  done
}

# Every process of the node, and no other, is a descendant of one in these cgroups or in one of them itself.
processes() {
  find "$@" -name cgroup.procs -exec cat {} + 2>/dev/null | sort -u
}

end_processes() {
  local left
  while mapfile -t left < <(cgroups) && [ ${#left[@]} -gt 0 ]; do
    processes "${left[@]}" | xargs -r kill -KILL 2>/dev/null || true
    # A container's cgroup is in that of its pod, so the innermost go first.
    find "${left[@]}" -depth -type d -exec rmdir {} \; 2>/dev/null || true
    ((SECONDS < SECONDS_MAX)) ||
      fail "These cgroups stay: ${left[*]}" "as processes in them do not end: $(processes "${left[@]}" | xargs)"
    sleep 0.05
  done
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
