#!/usr/bin/env bash
# Builds the Kubernetes components, CoreDNS, kubectl and Helm into .bin/HASH, the hash being that of what they are built
# from, and points .bin/current there. If they are there already it does nothing.
# shellcheck source-path=SCRIPTDIR source=lib.sh
source "$(dirname "$0")/lib.sh"

LINKS=(etcd kube-apiserver kube-controller-manager kube-proxy kube-scheduler kubelet)

require_go() {
  local wanted
  wanted=$(sed -n 's/^go //p' components/go.mod)
  command -v go >/dev/null || PATH=$PATH:/usr/local/go/bin
  command -v go >/dev/null ||
    fail "Go is missing, which builds Kubernetes: install Go $wanted or newer as https://go.dev/doc/install says," \
      "then run this again."
  # Go 1.21 and later fetch the toolchain that go.mod asks for; older ones do not understand the question.
  (cd components && go version >/dev/null) ||
    fail "This Go ($(cd / && go version)) cannot build Kubernetes: install $wanted or newer as https://go.dev/doc/install says."
}

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
  local hash
  hash=$(cat components/go.mod components/go.sum components/*/*.go build.sh | sha256sum | cut -c1-16)
  mkdir -p .bin
  exec 9>.bin/lock
  flock 9
  if [ ! -d ".bin/$hash" ]; then
    require_go
    say "building Kubernetes, CoreDNS and Helm: minutes the first time, 3 GB of memory"
    rm -rf .bin/*.part
    build "$PWD/.bin/$hash.part"
    # Binaries of earlier sources: a rebuild from Go's own cache takes seconds.
    find .bin -mindepth 1 -maxdepth 1 -type d ! -name '*.part' -exec rm -rf {} +
    mv ".bin/$hash.part" ".bin/$hash"
  fi
  ln -sfn "$hash" .bin/current
}

main
