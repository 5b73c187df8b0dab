#!/usr/bin/env bash
# Starts the node; up.sh calls it as root, once what it needs is installed and built.
# shellcheck source-path=SCRIPTDIR source=lib.sh
source "$(dirname "$0")/lib.sh"

# Places as the node's processes see them (node.sh).
PROGRAMS=/run/project/e2e/cluster/.bin/current
SETTINGS=/run/project/e2e/cluster/config
KEYS=/var/lib/kubernetes

WAIT_SECONDS_MAX=180 # A machine that builds something else at the same time is slow.

declare -A STARTED # Component to the id of the process here that waits for it.

# component NAME ARGUMENTS...: starts it in the node.
component() {
  local name=$1
  shift
  setsid nsenter --target "$NODE" --mount --net --uts --pid -- env TMPDIR=/run/tmp "$@" \
    >"$STATE/log/$name.log" 2>&1 </dev/null &
  STARTED[$name]=$!
}

# wait_for WHAT LOG COMMAND...: until the command succeeds; a component that ends early ends the wait.
wait_for() {
  local what=$1 log=$STATE/log/$2.log deadline=$((SECONDS + WAIT_SECONDS_MAX)) name
  shift 2
  until "$@" >/dev/null 2>&1; do
    for name in "${!STARTED[@]}"; do
      kill -0 "${STARTED[$name]}" 2>/dev/null || give_up "$name has ended" "$STATE/log/$name.log"
    done
    ((SECONDS < deadline)) || give_up "$what: not within $WAIT_SECONDS_MAX seconds" "$log"
    sleep 0.1
  done
}

# give_up WHY LOG: the node is left as it is, to be looked at.
give_up() {
  tail -n 20 "$2" >&2 || true
  fail "" "$1. Above is the end of $2." "This removes what has been started: $CLUSTER/down.sh"
}

kubectl() {
  "$CLUSTER/enter.sh" kubectl "$@"
}

require_namespaces() {
  unshare --mount --net --uts --pid --fork true ||
    fail "Namespaces cannot be made here: a node needs a machine, or a container that runs privileged."
}

make_cgroups() {
  local hierarchy controller
  # With cgroup v2 the kubelet needs these in every cgroup above its own; systemd leaves some of them out.
  if [ -f /sys/fs/cgroup/cgroup.controllers ]; then
    for controller in cpu cpuset memory pids hugetlb; do
      echo "+$controller" >/sys/fs/cgroup/cgroup.subtree_control || true
    done 2>/dev/null
  fi
  for hierarchy in $(cgroup_hierarchies); do
    mkdir -p "$hierarchy/$CGROUP" ||
      fail "Cgroups cannot be made in $hierarchy: a node needs a machine, or a container that runs privileged."
  done
  mkdir "$(node_cgroup)"
}

start_first_process() {
  mkdir -p "$STATE"/{client,lib,log} "$STATE"/run/{project,tmp}
  (
    echo "$BASHPID" >"$(node_cgroup)/cgroup.procs"
    exec setsid unshare --mount --net --uts --pid --fork --kill-child --mount-proc "$CLUSTER/node.sh"
  ) >"$STATE/log/node.log" 2>&1 </dev/null &
  STARTED[node]=$!
  wait_for "the node's namespaces" node test -e "$STATE/run/ready"
  NODE=$(node_pid)
}

start_etcd() {
  # Nobody's data is in it, so it need not wait for the disk. It listens in the node's own network only.
  component etcd "$PROGRAMS/etcd" --data-dir /var/lib/etcd --unsafe-no-fsync \
    --listen-client-urls http://127.0.0.1:2379 --advertise-client-urls http://127.0.0.1:2379 \
    --listen-peer-urls http://127.0.0.1:2380
}

start_api_server() {
  component kube-apiserver "$PROGRAMS/kube-apiserver" --etcd-servers http://127.0.0.1:2379 \
    --advertise-address "$NODE_IP" --service-cluster-ip-range "$SERVICES" --allow-privileged \
    --tls-cert-file "$KEYS/kube-apiserver.crt" --tls-private-key-file "$KEYS/kube-apiserver.key" \
    --client-ca-file "$KEYS/ca.crt" --authorization-mode Node,RBAC --enable-admission-plugins NodeRestriction \
    --service-account-issuer https://kubernetes.default.svc --service-account-key-file "$KEYS/tokens.pub" \
    --service-account-signing-key-file "$KEYS/tokens.key" \
    --kubelet-client-certificate "$KEYS/kube-apiserver-to-kubelet.crt" \
    --kubelet-client-key "$KEYS/kube-apiserver-to-kubelet.key" --kubelet-certificate-authority "$KEYS/ca.crt" \
    --kubelet-preferred-address-types InternalIP \
    --proxy-client-cert-file "$KEYS/kube-apiserver-to-extensions.crt" \
    --proxy-client-key-file "$KEYS/kube-apiserver-to-extensions.key" --requestheader-client-ca-file "$KEYS/ca.crt" \
    --requestheader-allowed-names kube-apiserver-to-extensions --requestheader-username-headers X-Remote-User \
    --requestheader-group-headers X-Remote-Group --requestheader-extra-headers-prefix X-Remote-Extra- \
    --audit-policy-file "$SETTINGS/audit.yaml" --audit-log-path /var/log/audit.log --audit-log-maxsize 100 \
    --audit-log-maxbackup 1
}

start_controllers() {
  local name arguments
  for name in kube-controller-manager kube-scheduler; do
    arguments=(--leader-elect=false)
    arguments+=("--kubeconfig=$KEYS/$name.kubeconfig" "--authentication-kubeconfig=$KEYS/$name.kubeconfig")
    arguments+=("--authorization-kubeconfig=$KEYS/$name.kubeconfig")
    if [ "$name" = kube-controller-manager ]; then
      arguments+=("--service-account-private-key-file=$KEYS/tokens.key" "--root-ca-file=$KEYS/ca.crt")
      arguments+=(--use-service-account-credentials --flex-volume-plugin-dir=/var/lib/kubelet/volume-plugins)
    fi
    component "$name" "$PROGRAMS/$name" "${arguments[@]}"
  done
}

start_node_components() {
  component kubelet "$PROGRAMS/kubelet" --config "$SETTINGS/kubelet.yaml" --kubeconfig "$KEYS/node.kubeconfig" \
    --node-ip "$NODE_IP" --cgroup-root "/$CGROUP"
  component kube-proxy "$PROGRAMS/kube-proxy" --config "$SETTINGS/kube-proxy.yaml"
}

main() {
  "$CLUSTER/down.sh"
  require_namespaces
  make_cgroups
  start_first_process
  say "certificates"
  "$CLUSTER/certificates.sh" "$STATE/lib/kubernetes" >"$STATE/log/certificates.log" 2>&1 ||
    give_up "The certificates could not be made" "$STATE/log/certificates.log"
  cp "$STATE/lib/kubernetes/admin.kubeconfig" "$STATE/client/kubeconfig"
  say "etcd, API server and containerd"
  start_etcd
  start_api_server
  component containerd containerd --config "$SETTINGS/containerd.toml"
  wait_for "containerd" containerd in_node ctr version
  "$CLUSTER/image.sh" localhost/pause:e2e /usr/bin "$CLUSTER/images/pause.Dockerfile"
  "$CLUSTER/image.sh" localhost/coredns:e2e "$BIN" "$CLUSTER/images/coredns.Dockerfile"
  wait_for "the API server" kube-apiserver kubectl get --raw /readyz
  say "controllers, kubelet, kube-proxy and CoreDNS"
  start_controllers
  start_node_components
  kubectl apply --filename "$CLUSTER/config/cluster.yaml" >/dev/null
  wait_for "the node's Ready condition" kubelet kubectl wait --for condition=Ready node/node --timeout 1s
  wait_for "CoreDNS" kubelet kubectl --namespace kube-system rollout status deployment/coredns --timeout 1s
  wait_for "the default service account" kube-controller-manager kubectl get serviceaccount default
  # The user who called up.sh is the administrator of the cluster, and kubectl keeps a cache there.
  chown -R "${SUDO_UID:-0}:${SUDO_GID:-0}" "$STATE/client"
  touch "$STATE/run/up"
  say "pods run"
}

main
