#!/usr/bin/env bash
# Shows that a release is reproducible: makes it twice, each time with programs that are built from nothing, and compares
# every byte. Takes as long as two release builds.
set -euo pipefail
cd "$(dirname "$0")/.."
WORK=$(mktemp -d)
trap 'rm -rf "$WORK"' EXIT

for round in one two; do
  make --no-print-directory release BUILD="$WORK/build-$round" DIST="$WORK/$round" >/dev/null
  rm -rf "$WORK/build-$round"
done
diff --recursive "$WORK/one" "$WORK/two" || {
  echo "two builds of the same commit differ" >&2
  exit 1
}
echo "two builds gave the same bytes:"
cat "$WORK/one/SHA256SUMS"
