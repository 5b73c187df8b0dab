#!/usr/bin/env bash
# Builds Prometheus, with discovery in Kubernetes, which packages of distributions lack, and promtool into .bin/HASH, and
# points .bin/current there. If they are there already it does nothing.
# shellcheck source-path=SCRIPTDIR source=../cluster/lib.sh
source "$(dirname "$0")/../cluster/lib.sh"

# build FOLDER: static, as Prometheus runs in an image of nothing else.
build() {
  require_go .
  say "building Prometheus: minutes the first time"
  mkdir -p "$1"
  CGO_ENABLED=0 go build -trimpath -buildvcs=false -ldflags "-s -w" -tags remove_all_sd,enable_kubernetes_sd -o "$1/" \
    github.com/prometheus/prometheus/cmd/prometheus github.com/prometheus/prometheus/cmd/promtool
}

main() {
  cd "$PROJECT/e2e/prometheus"
  build_once "$PWD/.bin" build go.mod go.sum build.sh
}

main
