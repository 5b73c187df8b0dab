#!/usr/bin/env bash
# Makes a cluster ready for the tests: the node, the images, the chart. With E2E_KUBECONFIG=FILE it is the cluster of that
# file, whose nodes must have both images already, and only the chart is installed.
# shellcheck source-path=SCRIPTDIR source=lib.sh
source "$(dirname "$0")/lib.sh"

TARGET=$(rustc -vV | sed -n 's/^host: //p')
PROGRAMS=$PROJECT/target/e2e-image

# The programs of the tests, without a need for any library: their image has nothing else.
build_programs() {
  RUSTFLAGS="-C target-feature=+crt-static" "$CARGO" build --profile e2e --locked --target "$TARGET" -p e2e --bins
  rm -rf "$PROGRAMS"
  mkdir -p "$PROGRAMS"
  local program
  for program in e2e-broker e2e-app e2e-hostile; do
    cp "$PROJECT/target/$TARGET/e2e/$program" "$PROGRAMS/"
  done
}

load_images() {
  cd "$PROJECT"
  say "programs of the images"
  make image-binaries
  build_programs
  say "images"
  # The image that users build, from programs that were built outside.
  "$E2E/cluster/image.sh" "$PRODUCT_IMAGE" "$PROJECT/target/image" "$PROJECT/deploy/Dockerfile" --build-arg PROGRAMS=local
  "$E2E/cluster/image.sh" "$TESTS_IMAGE" "$PROGRAMS" "$E2E/images/programs.Dockerfile"
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
