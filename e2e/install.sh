#!/usr/bin/env bash
# Makes a cluster ready for the tests: the node, the images, the chart. With E2E_KUBECONFIG=FILE it is the cluster of that
# file, whose nodes must have both images already, and only the chart is installed.
# shellcheck source-path=SCRIPTDIR source=lib.sh
source "$(dirname "$0")/lib.sh"

TARGET=$(rustc -vV | sed -n 's/^host: //p')
IMAGES=$PROJECT/target/e2e-images

# build PROFILE ARGUMENTS...: programs that need no library, for images of nothing else.
build() {
  RUSTFLAGS="-C target-feature=+crt-static" "$CARGO" build --profile "$1" --locked --target "$TARGET" "${@:2}"
}

# image NAME DOCKERFILE PROFILE PROGRAMS...
image() {
  local folder=$IMAGES/${1##*/} program
  rm -rf "$folder"
  mkdir -p "$folder"
  for program in "${@:4}"; do
    cp "$PROJECT/target/$TARGET/$3/$program" "$folder/"
  done
  "$E2E/cluster/image.sh" "$1" "$folder" "$2"
}

load_images() {
  cd "$PROJECT"
  say "programs of the images"
  build release -p sidecar
  build release -p webhook
  build e2e -p e2e --bins
  say "images"
  image "$PRODUCT_IMAGE" "$E2E/images/product.Dockerfile" release dataflow-sidecar dataflow-webhook
  image "$TESTS_IMAGE" "$E2E/images/programs.Dockerfile" e2e e2e-broker e2e-app e2e-hostile
}

# What an earlier run has left, also one that was cut off.
remove_leftovers() {
  in_cluster kubectl delete namespaces,clusterrolebindings --selector dataflow-e2e=true --wait=false
  in_cluster kubectl get mutatingwebhookconfigurations --output name | sed -n '\#/zz-e2e-#p' |
    while read -r name; do in_cluster kubectl delete "$name"; done
}

install_chart() {
  say "chart"
  in_cluster helm upgrade --install "$RELEASE" "$PROJECT/deploy/chart" --namespace "$NAMESPACE" --create-namespace \
    --values "$E2E/values.yaml" --wait --timeout 3m >/dev/null
  # The same tags hold other programs after another build.
  if [ -z "${E2E_KUBECONFIG:-}" ]; then
    in_cluster kubectl --namespace "$NAMESPACE" rollout restart deployment/dataflow-webhook >/dev/null
    in_cluster kubectl --namespace "$NAMESPACE" rollout status deployment/dataflow-webhook --timeout 3m >/dev/null
  fi
  say "the webhook is ready"
}

main() {
  if [ ! -f "$PROJECT/deploy/chart/Chart.yaml" ]; then
    echo "deploy/chart is missing: the stories need the chart, and cannot be played without it." >&2
    exit 1
  fi
  if [ -z "${E2E_KUBECONFIG:-}" ]; then
    "$E2E/cluster/up.sh" >/dev/null
    load_images
  fi
  remove_leftovers >/dev/null
  install_chart
}

main
