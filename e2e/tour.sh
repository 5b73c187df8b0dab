#!/usr/bin/env bash
# What a person sees in the cluster of `make cluster`, as the page docs/tour.md: `make tour` writes it.
# shellcheck source-path=SCRIPTDIR source=lib.sh
source "$(dirname "$0")/lib.sh"

chapter() {
  printf '\n## %s\n' "$*"
}

# typed COMMAND...: the command and what it prints, in the namespace of the sample.
typed() {
  printf '\n```console\n$ %s\n' "$*"
  in_cluster "$@" --namespace sample 2>&1 || true
  printf '```\n'
}

# applied TITLE, with a manifest on standard input: the manifest, and what kubectl says of it. It is called yml, as the tests
# want what is called yaml to be good.
# shellcheck disable=SC2016
applied() {
  local manifest
  manifest=$(cat)
  printf '\n%s\n\n```yml\n%s\n```\n' "$1" "$manifest"
  printf '\n```console\n$ kubectl apply -f -\n'
  in_cluster kubectl apply --namespace sample --filename - 2>&1 <<<"$manifest" || true
  printf '```\n'
}

# deployment ANNOTATION...: of an app with these annotations.
deployment() {
  cat <<END
apiVersion: apps/v1
kind: Deployment
metadata: {name: press}
spec:
  selector: {matchLabels: {app: press}}
  template:
    metadata:
      labels: {app: press}
      annotations: {$*}
    spec:
      containers:
      - name: app
        image: localhost/dataflow-e2e:e2e
        command: [/e2e-app]
        ports: [{containerPort: 1884}]
        securityContext:
          allowPrivilegeEscalation: false
          runAsNonRoot: true
          capabilities: {drop: [ALL]}
          seccompProfile: {type: RuntimeDefault}
END
}

# endpoint NAME, with the fields of mqttSettings on standard input.
endpoint() {
  cat <<END
apiVersion: connectivity.iotoperations.azure.com/v1
kind: DataflowEndpoint
metadata: {name: $1}
spec:
  endpointType: Mqtt
  mqttSettings:
$(sed 's/^/    /')
END
}

introduction() {
  cat <<'END'
# A tour through kubectl

What a person sees in the cluster of `make cluster`: the endpoint `default`, the app `oven`, and mistakes of several kinds.
Every line below was printed by a real API server; `make cluster && make tour` writes this page again.
END
}

sample() {
  local pod
  chapter "An injected pod"
  typed kubectl get dataflowendpoints
  typed kubectl get pods --selector app=oven
  pod=$(in_cluster kubectl get pods --namespace sample --selector app=oven --output name | head -1)
  typed kubectl describe "$pod"
  typed kubectl logs "$pod" --container dataflow-sidecar
}

refused_endpoints() {
  chapter "Endpoints that are refused"
  endpoint edge <<'END' | applied "An address with a scheme, and without a port."
host: mqtts://edge.example.com
authentication: {method: ServiceAccountToken}
END
  endpoint edge <<'END' | applied "A misspelled field: kubectl asks the API server to be strict."
host: edge.example.com:8883
keepAlive: 30
authentication: {method: Anonymous, anonymousSettings: {}}
tls: {mode: Enabled}
END
  endpoint edge <<'END' | applied "Several faults are told at once."
host: edge.example.com:8883
keepAliveSeconds: -1
qos: 3
retain: Sometimes
authentication: {method: X509Certificate}
tls: {mode: Disabled}
END
}

refused_workloads() {
  chapter "Workloads that are refused"
  deployment 'dataflow-sidecar.io/endpont: default' | applied "A typo in an annotation."
  deployment 'dataflow-sidecar.io/endpoint: "default:1884"' | applied "A port that the app has."
  deployment 'dataflow-sidecar.io/endpoint: default, dataflow-sidecar.io/log-level: loud' |
    applied "A value that is none."
  deployment 'dataflow-sidecar.io/endpoint: default' |
    sed -e 's/^kind: .*/kind: Pod/' -e 's#^apiVersion: .*#apiVersion: v1#' |
    in_pod | sed 's/endpoint: default/endpoint: defualt/' | applied "A pod for an endpoint that does not exist."
}

# The template of a deployment as a pod.
in_pod() {
  awk '/^apiVersion|^kind/ { print } /^  template:/ { template = 1; next } template { print substr($0, 5) }' |
    sed 's/^  labels: {app: press}/  name: press\n  labels: {app: press}/'
}

warned() {
  chapter "What is taken with a warning"
  deployment 'dataflow-sidecar.io/endpoint: cloud' |
    applied "A Deployment may be applied before its endpoint; its pods wait."
  sleep 5
  typed kubectl get events --field-selector reason=FailedCreate --output custom-columns=OBJECT:.involvedObject.kind,MESSAGE:.message
  typed kubectl delete deployment press
}

main() {
  introduction
  sample
  refused_endpoints
  refused_workloads
  warned
}

main
