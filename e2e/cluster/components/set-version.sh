#!/usr/bin/env bash
# Writes go.mod for another Kubernetes: set-version.sh 1.34.4 [CoreDNS] [Helm]. Kubernetes pins the modules of its own
# repository by path, which only that repository can follow; here each is replaced by its published version.
set -euo pipefail
cd "$(dirname "$0")"

kubernetes=${1:?which Kubernetes, like 1.34.4}
coredns=${2:-1.12.4}
helm=${3:-3.19.0}

go_mod=$(go mod download -json "k8s.io/kubernetes@v$kubernetes" | sed -n 's/.*"GoMod": "\(.*\)".*/\1/p')
go=$(sed -n 's/^go //p' "$go_mod")

cat >go.mod <<END
// Written by set-version.sh.
module dataflow-sidecar.io/e2e/components

go $go

require (
	github.com/coredns/coredns v$coredns
	helm.sh/helm/v3 v$helm
	k8s.io/kubernetes v$kubernetes
)

tool (
	helm.sh/helm/v3/cmd/helm
	k8s.io/kubernetes/cmd/kubectl
)

replace (
$(sed -nE "s#^\s+(k8s.io/[a-z0-9-]+) => ./staging/.*#\t\1 => \1 v0.${kubernetes#1.}#p" "$go_mod")
)
END
go mod tidy
