#!/usr/bin/env bash
# Builds the Kubernetes components, CoreDNS, kubectl and Helm into .bin/HASH, the hash being that of what they are built
# from, and points .bin/current there. If they are there already it does nothing.
# shellcheck source-path=SCRIPTDIR source=lib.sh
source "$(dirname "$0")/lib.sh"

LINKS=(etcd kube-apiserver kube-controller-manager kube-proxy kube-scheduler kubelet)

# What the programs answer when they are asked for their version, and the version Helm's templates are told.
link_flags() {
  local version helm major minor
  version=$(sed -nE 's#^\s+k8s.io/kubernetes v##p' components/go.mod)
  helm=$(sed -nE 's#^\s+helm.sh/helm/v3 v([^ ]*).*#\1#p' components/go.mod)
  IFS=. read -r major minor _ <<<"$version"
  printf -- '-X %s ' "k8s.io/component-base/version.gitVersion=v$version" \
    "k8s.io/component-base/version.gitMajor=$major" "k8s.io/component-base/version.gitMinor=$minor" \
    "helm.sh/helm/v3/internal/version.version=v$helm" \
    "helm.sh/helm/v3/pkg/chartutil.k8sVersionMajor=$major" "helm.sh/helm/v3/pkg/chartutil.k8sVersionMinor=$minor" \
    "helm.sh/helm/v3/pkg/lint/rules.k8sVersionMajor=$major" "helm.sh/helm/v3/pkg/lint/rules.k8sVersionMinor=$minor"
}

# build FOLDER: static, as CoreDNS runs in an image of nothing else.
build() {
  local flags
  require_go components
  say "building Kubernetes, CoreDNS and Helm: minutes the first time, 3 GB of memory"
  flags=$(link_flags)
  mkdir -p "$1"
  (cd components && CGO_ENABLED=0 go build -trimpath -buildvcs=false -ldflags "-s -w $flags" -o "$1/" \
    ./node ./coredns k8s.io/kubernetes/cmd/kubectl helm.sh/helm/v3/cmd/helm)
  for link in "${LINKS[@]}"; do
    ln -sf node "$1/$link"
  done
}

main() {
  cd "$CLUSTER"
  build_once "$PWD/.bin" build components/go.mod components/go.sum components/*/*.go build.sh
}

main
