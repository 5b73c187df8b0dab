#!/usr/bin/env bash
# Shows that the node that is up is a real one: a fact a line. It leaves nothing behind.
# shellcheck source-path=SCRIPTDIR source=lib.sh
source "$(dirname "$0")/lib.sh"

NAMESPACE=node-check
OUTPUT=$(mktemp)

# fact NAME COMMAND...: the command must succeed, within a minute.
fact() {
  local name=$1 deadline=$((SECONDS + 60))
  shift
  until "$@" >"$OUTPUT" 2>&1; do
    ((SECONDS < deadline)) || fail "FALSE  $name" "$* says:" "$(cat "$OUTPUT")"
    sleep 0.5
  done
  say "$name"
}

k() {
  "$CLUSTER/enter.sh" kubectl --namespace "$NAMESPACE" "$@"
}

# as COMPONENT ARGUMENTS...: kubectl with that component's identity.
as() {
  local identity=$1
  shift
  as_root "$CLUSTER/enter.sh" kubectl --kubeconfig "$STATE/lib/kubernetes/$identity.kubeconfig" "$@"
}

# refused TEXT COMMAND...: the command fails, and says TEXT.
refused() {
  local text=$1
  shift
  ! "$@" && grep -q "$text" "$OUTPUT"
}

says() {
  local text=$1
  shift
  "$@" | grep -q "$text"
}

clean_up() {
  rm -f "$OUTPUT"
  "$CLUSTER/enter.sh" kubectl delete namespace "$NAMESPACE" --ignore-not-found >/dev/null
}

apply_objects() {
  k create namespace "$NAMESPACE"
  k label namespace "$NAMESPACE" pod-security.kubernetes.io/enforce=restricted
  k create secret generic unrelated --from-literal=key=value
  k apply --filename "$CLUSTER/config/check.yaml"
}

# token_review AUDIENCE FIELD: what the API server says of the pod's token.
token_review() {
  local token
  token=$(k exec server -- /bin/busybox cat /var/run/token/token)
  printf '{"apiVersion":"authentication.k8s.io/v1","kind":"TokenReview","spec":{"token":"%s","audiences":["%s"]}}' \
    "$token" "$1" | k create --filename - --output "jsonpath={.status.$2}"
}

check() {
  fact "a pod from a local image is ready, in a restricted namespace" \
    k wait --for condition=Ready pod/server --timeout 1s
  fact "a Job's pod reads it by its Service's name, and completes" \
    k wait --for condition=Complete job/client --timeout 1s
  fact "kubectl logs" says "from the server" k logs job/client
  fact "kubectl exec" says "from the server" k exec server -- /bin/busybox cat /data/index.html
  fact "the API server takes the pod's token for its audience" \
    says "system:serviceaccount:$NAMESPACE:default" token_review e2e-audience user.username
  fact "and for no other" says "is invalid for the target audiences" token_review another-audience error
  fact "the node's identity reads no Secret of a pod that it does not run" \
    refused "no relationship found between node 'node' and this object" as node -n "$NAMESPACE" get secret unrelated
  fact "nor does it label itself as it likes" \
    refused "is not allowed to modify labels" as node label node node node-restriction.kubernetes.io/check=1
  fact "the scheduler's identity reads no Secret" refused Forbidden as kube-scheduler -n "$NAMESPACE" get secrets
  fact "the audit log says who made the pod" \
    as_root grep -q '"verb":"patch\|create".*"username":"admin".*"resource":"pods","namespace":"'"$NAMESPACE"'"' \
    "$STATE/log/audit.log"
}

main() {
  node_pid >/dev/null || fail "No node runs here. This starts one: $CLUSTER/up.sh"
  trap clean_up EXIT
  as_root "$CLUSTER/image.sh" localhost/busybox:e2e /bin "$CLUSTER/images/busybox.Dockerfile"
  apply_objects >"$OUTPUT" || fail "The objects of the check were refused: see above."
  check
}

main
