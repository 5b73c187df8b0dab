#!/usr/bin/env bash
# The node's first process: start.sh runs it in mount, network, host name and process namespaces of its own. It makes
# them a machine that is apart from this one, then becomes catatonit, which does nothing but wait for orphans.
# When it is killed the kernel kills everything in its process namespace, and the other namespaces go with them.
# shellcheck source-path=SCRIPTDIR source=lib.sh
source "$(dirname "$0")/lib.sh"

# What the kubelet wants of the kernel, and would write for the whole machine.
TUNABLES=(
  vm/overcommit_memory=1 vm/panic_on_oom=0 kernel/panic=10 kernel/panic_on_oops=1
  kernel/keys/root_maxkeys=1000000 kernel/keys/root_maxbytes=25000000
)

# Components find their usual places, and they are in the state folder; the rest of the root file system is read-only.
mount_folders() {
  cd "$STATE" # The paths below stay right when the checkout is itself in one of the places that are mounted over.
  mount --bind -o ro "$PROJECT" run/project
  mount --bind lib /var/lib
  mount --bind log /var/log
  mount --rbind run /run
  mount -o remount,bind,ro /
  # Volumes that the kubelet mounts must appear to containerd, which is what `shared` is for.
  mount --make-rshared /
}

# Files that hold the wanted values lie over the kernel's: the kubelet reads them and has nothing to write.
pretend_tunables() {
  local tunable file
  for tunable in "${TUNABLES[@]}"; do
    file=/run/tunables/${tunable%=*}
    mkdir -p "$(dirname "$file")"
    echo "${tunable#*=}" >"$file"
    mount --bind "$file" "/proc/sys/${tunable%=*}"
  done
}

# The address is on a bridge without ports, as not every kernel has `dummy` devices. The default route leads nowhere;
# without one there is no route to a Service's address either, and so no packet for kube-proxy to redirect.
make_network() {
  ip link set lo up
  ip link add node0 type bridge
  ip address add "$NODE_IP/24" dev node0
  ip link set node0 up
  ip route add default via "${NODE_IP%.*}.254" dev node0 onlink
}

main() {
  hostname node
  make_network
  mount_folders
  pretend_tunables
  cd /
  touch /run/ready
  exec catatonit -P
}

main
