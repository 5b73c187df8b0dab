#!/usr/bin/env bash
# Makes what a release has, in dist/ or the folder that is named: static programs with manual pages and shell completions, the
# image as OCI archive, the chart, install.yaml, a bill of materials of each program, and checksums.
#
# The same commit gives the same bytes: every time is the commit's, archives are sorted and belong to nobody, and paths of
# this machine are left out of the programs. tests/release.sh shows it.
set -euo pipefail
cd "$(dirname "$0")/.."
DIST=$(realpath -m "${1:-dist}")
VERSION=$(sed -n 's/^version = "\(.*\)"$/\1/p' Cargo.toml | head -n 1)
MACHINE=$(uname -m)
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct)}
export SOURCE_DATE_EPOCH
PATH=$PATH:$PWD/target/tools/bin
WORK=$(mktemp -d)
trap 'rm -rf "$WORK"' EXIT

need() {
  command -v "$1" >/dev/null && return
  echo "$1 is missing: run $2" >&2
  exit 1
}

# pack ARCHIVE FOLDER NAMES...: a compressed archive of what is in the folder.
pack() {
  pack_plain "$@" | gzip --no-name --best >"$1"
}

pack_plain() {
  tar --create --sort=name --format=ustar --mtime="@$SOURCE_DATE_EPOCH" --owner=0 --group=0 --numeric-owner \
    --mode='u=rwX,go=rX' --directory "$2" "${@:3}"
}

programs() {
  local name=dataflow-sidecar-$VERSION-linux-$MACHINE
  mkdir -p "$WORK/$name/man" "$WORK/$name/completions"
  cp target/image/dataflow-sidecar target/image/dataflow-webhook LICENSE LICENSE-APACHE LICENSE-MIT README.md "$WORK/$name"
  # kubectl finds its plugins by their names.
  ln -s dataflow-webhook "$WORK/$name/kubectl-dataflow"
  local example
  for example in sidecar-manual webhook-manual; do
    "${CARGO:-cargo}" run --quiet --locked --example "$example" -- "$WORK/$name/man" "$WORK/$name/completions"
  done
  pack "$DIST/$name.tar.gz" "$WORK" "$name"
}

# The layout is packed here, because buildah's own archives tell when they were written.
image() {
  local tag=dataflow-sidecar:$VERSION
  buildah bud --quiet --isolation chroot --timestamp "$SOURCE_DATE_EPOCH" --build-arg PROGRAMS=local \
    --tag "$tag" --file deploy/Dockerfile target/image >/dev/null
  buildah push --quiet "$tag" "oci:$WORK/oci:$VERSION"
  pack_plain - "$WORK/oci" . >"$DIST/dataflow-sidecar-$VERSION-image-$MACHINE.tar"
}

# A chart package is its folder by the chart's name; `helm package` writes the time of its run into it.
chart() {
  cp -r deploy/chart "$WORK/dataflow-sidecar"
  pack "$DIST/dataflow-sidecar-chart-$VERSION.tgz" "$WORK" dataflow-sidecar
  cp deploy/install.yaml "$DIST/install.yaml"
}

# In a workspace of the program alone: the tool would list what other members ask of libraries that they share. It writes
# where that lies into the file, which is no business of a release.
materials() {
  local program place
  for program in sidecar webhook; do
    place=$WORK/materials-$program
    mkdir "$place"
    cp -r Cargo.lock endpoint "$program" "$place"
    sed "s/^members = .*/members = [\"endpoint\", \"$program\"]/" Cargo.toml >"$place/Cargo.toml"
    (cd "$place" && "${CARGO:-cargo}" cyclonedx --quiet --format json --spec-version 1.5 \
      --target "$(rustc -vV | sed -n 's/^host: //p')" --override-filename materials)
    sed "s|$place|/source|g" "$place/$program/materials.json" >"$DIST/dataflow-$program-$VERSION.cdx.json"
  done
}

need buildah "sudo apt-get update && sudo apt-get install -y --no-install-recommends buildah"
need cargo-cyclonedx "tests/setup.sh release"
[ -x target/image/dataflow-webhook ] || { echo "the programs are not built: run make image-binaries" >&2; exit 1; }
rm -rf "$DIST"
mkdir -p "$DIST"
programs
image
chart
materials
(cd "$DIST" && sha256sum -- * >SHA256SUMS)
ls -l "$DIST"
