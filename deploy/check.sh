#!/usr/bin/env bash
# Checks the chart: a fact a line, and the exit code 1 if one is false. `check.sh` needs helm only, `check.sh alerts` promtool;
# `check.sh server` asks the API server of KUBECONFIG about every object, and leaves nothing behind; `check.sh write` writes
# deploy/install.yaml.
set -euo pipefail
cd "$(dirname "$0")/.."
CHART=deploy/chart
INSTALL=deploy/install.yaml
ALERTS_TEST=deploy/alerts-test.yaml
NAMESPACE=dataflow-system
OUTPUT=$(mktemp)
trap 'rm -f "$OUTPUT" "$OUTPUT.yaml"' EXIT
# The end-to-end tests have built helm, kubectl and promtool; what is installed is preferred.
PATH=$PATH:$PWD/e2e/cluster/.bin/current:$PWD/e2e/prometheus/.bin/current
false_facts=0

need() {
  command -v "$1" >/dev/null && return
  echo "$1 is missing: install it, or build it with e2e/cluster/build.sh (needs Go; minutes the first time)." >&2
  exit 1
}

# fact NAME COMMAND...: the command must succeed.
fact() {
  local name=$1
  shift
  if "$@" >"$OUTPUT" 2>&1; then
    echo "  $name"
  else
    echo "FALSE  $name"
    sed 's/^/       /' "$OUTPUT"
    false_facts=$((false_facts + 1))
  fi
}

render() {
  helm template dataflow-webhook "$CHART" --namespace "$NAMESPACE" "$@"
}

# shows TEXT VALUES...: so rendered, the text is there. lacks TEXT VALUES...: it is not.
shows() {
  render "${@:2}" >"$OUTPUT.yaml" && grep -qF -- "$1" "$OUTPUT.yaml"
}
lacks() {
  render "${@:2}" >"$OUTPUT.yaml" && ! grep -qF -- "$1" "$OUTPUT.yaml"
}

# shows_times NUMBER TEXT VALUES...
shows_times() {
  render "${@:3}" >"$OUTPUT.yaml" && [ "$(grep -cF -- "$2" "$OUTPUT.yaml")" = "$1" ]
}

# refuses TEXT VALUES...: the schema does, and names it.
refuses() {
  ! render "${@:2}" >"$OUTPUT.yaml" 2>&1 && grep -q -- "$1" "$OUTPUT.yaml"
}

install_yaml() {
  cat <<END
# Everything that deploy/chart installs with its default values, for kubectl apply --server-side -f. Written by
# make install-yaml. Put your image for dataflow-sidecar:$(sed -n 's/^appVersion: //p' "$CHART/Chart.yaml"): it is named twice, for the webhook and for the sidecars.
apiVersion: v1
kind: Namespace
metadata:
  name: $NAMESPACE
  labels:
    pod-security.kubernetes.io/enforce: restricted
END
  render
}

install_yaml_is_rendered() {
  install_yaml | diff -u "$INSTALL" - || {
    echo "$INSTALL is not what the chart renders: run make install-yaml"
    return 1
  }
}

# Every metric that an alert or a panel names is one that a program counts.
metrics_exist() {
  local name missing=0
  while read -r name; do
    case "$name" in
      dataflow_sidecar_*) grep -q "\"${name#dataflow_sidecar_}\"" sidecar/src/metrics.rs ;;
      *) grep -q "\"$name\"" webhook/src/metrics.rs ;;
    esac || {
      echo "no program counts $name"
      missing=1
    }
  done < <(grep -ohE 'dataflow_(sidecar|webhook)_[a-z_]+' "$CHART"/files/{alerts.yaml,dashboard.json} |
    sed 's/_bucket$//' | sort -u)
  return "$missing"
}

check() {
  need helm
  local cert_manager=(--set certificates.mode=certManager)
  fact "helm lint" helm lint --strict "$CHART"
  fact "$INSTALL is what the chart renders" install_yaml_is_rendered
  fact "a misspelled value is refused" refuses replica --set replica=1
  fact "a misspelled value of a part is refused" refuses repo --set image.repo=x
  fact "a wrong failurePolicy is refused" refuses failurePolicy --set failurePolicy=fail
  fact "no replica is refused" refuses replicas --set replicas=0
  fact "an older Kubernetes is refused" refuses 1.30.0-0 --kube-version 1.29.9
  fact "caBundle is never rendered" lacks "caBundle:"
  fact "one replica" shows "replicas: 1" --set replicas=1
  fact "failurePolicy Fail: the policy denies" lacks "validationActions: [Warn]"
  fact "failurePolicy Ignore: the policy warns" shows "validationActions: [Warn]" --set failurePolicy=Ignore
  fact "and endpoints are still checked" shows_times 3 "failurePolicy: Ignore" --set failurePolicy=Ignore
  fact "the definition is installed, and kept" shows "helm.sh/resource-policy: keep"
  fact "crds.install=false leaves it out" lacks "kind: CustomResourceDefinition" --set crds.install=false
  fact "and says so to the webhook" shows DATAFLOW_WEBHOOK_FOREIGN_CRD --set crds.install=false
  fact "and takes the right to write status" lacks dataflowendpoints/status --set crds.install=false
  fact "its own namespace is excluded" shows '"edge","kube-system"' --namespace edge
  fact "self: it may write its authority and caBundle" shows "resourceNames: [dataflow-webhook-ca]"
  fact "certManager: it may not" lacks "resourceNames: [" "${cert_manager[@]}"
  fact "certManager: caBundle is injected" \
    shows "cert-manager.io/inject-ca-from: $NAMESPACE/dataflow-webhook" "${cert_manager[@]}"
  fact "certManager: the webhook reads files" shows "value: /certificates/tls.crt" "${cert_manager[@]}"
  fact "certManager: an authority of its own" shows "isCA: true" "${cert_manager[@]}"
  fact "certManager with an issuer: none" lacks "isCA: true" "${cert_manager[@]}" \
    --set certificates.certManager.issuerRef.name=internal
  fact "monitoring is off by default" lacks monitoring.coreos.com
  fact "every metric of the alerts and the dashboard exists" metrics_exist
}

# Every alert has a test: promtool does not miss one.
alerts_are_tested() {
  local name missing=0
  while read -r name; do
    grep -q "alertname: $name\$" "$ALERTS_TEST" || {
      echo "$ALERTS_TEST does not say when $name fires"
      missing=1
    }
  done < <(sed -n 's/^ *- alert: //p' "$CHART/files/alerts.yaml")
  return "$missing"
}

check_alerts() {
  command -v promtool >/dev/null || {
    echo "promtool is missing: run tests/setup.sh alerts, or install Prometheus." >&2
    exit 1
  }
  fact "the alerts are rules that Prometheus reads" promtool check rules "$CHART/files/alerts.yaml"
  fact "the alerts fire and resolve as written in $ALERTS_TEST" promtool test rules "$ALERTS_TEST"
  fact "every alert has such a test" alerts_are_tested
}

# asks_server VALUES...: a dry run of all objects whose kinds every cluster knows.
asks_server() {
  render "$@" | kubectl apply --dry-run=server --filename -
}

check_server() {
  need helm
  need kubectl
  local created=""
  if ! kubectl get namespace "$NAMESPACE" >/dev/null 2>&1; then
    kubectl create namespace "$NAMESPACE" >/dev/null
    created=yes
  fi
  fact "the API server takes every object of $INSTALL" kubectl apply --dry-run=server --filename "$INSTALL"
  fact "and with failurePolicy Ignore and one replica" asks_server --set failurePolicy=Ignore,replicas=1
  fact "and with a foreign definition, and the dashboard" asks_server --set crds.install=false,dashboard.enabled=true
  [ -z "$created" ] || kubectl delete namespace "$NAMESPACE" --wait=false >/dev/null
}

case "${1:-}" in
  "") check ;;
  alerts) check_alerts ;;
  server) check_server ;;
  write)
    need helm
    install_yaml >"$INSTALL.new"
    mv "$INSTALL.new" "$INSTALL"
    ;;
  *)
    echo "usage: $0 [alerts|server|write]" >&2
    exit 64
    ;;
esac
[ "$false_facts" = 0 ] || exit 1
