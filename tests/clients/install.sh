#!/usr/bin/env bash
# Installs the client libraries of `make clients` below target/clients, in the versions written here, and nothing else.
set -euo pipefail
cd "$(dirname "$0")"
../setup.sh clients

missing() {
  echo "$1 is missing: run: sudo apt-get update && sudo apt-get install -y --no-install-recommends $2" >&2
  exit 1
}
command -v python3 >/dev/null || missing python3 "python3 python3-venv"
python3 -c 'import ensurepip, venv' 2>/dev/null || missing "python3's venv" python3-venv
command -v node >/dev/null || missing node nodejs
command -v npm >/dev/null || missing npm npm

# What is installed already stays: each of the two is done again only when its list changed.
into=../../target/clients
mkdir -p "$into"
if ! cmp -s requirements.txt "$into/requirements.txt"; then
  python3 -m venv --clear "$into/venv"
  "$into/venv/bin/pip" install --quiet --disable-pip-version-check --requirement requirements.txt
  cp requirements.txt "$into/"
fi
if ! cmp -s package-lock.json "$into/installed.json"; then
  cp package.json package-lock.json "$into/"
  npm ci --prefix "$into" --no-audit --no-fund --loglevel=error
  cp package-lock.json "$into/installed.json"
fi
