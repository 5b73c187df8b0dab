#!/usr/bin/env bash
# Looks for known vulnerabilities in the locked dependencies. Exit codes: 0 none, 1 found (or the tool failed),
# 75 not checked, because the advisory database could not be reached.
#
# `cargo deny check advisories` answers 1 both for a found advisory and for a failed download, so the two are done apart:
# the configuration first, then the download, then the check of what was downloaded.
set -euo pipefail
cd "$(dirname "$0")/.."
tests/setup.sh deny
PATH="$PATH:$PWD/target/tools/bin"

readonly NOT_CHECKED=75
# A network that swallows packets must not hold CI.
readonly FETCH_SECONDS_MAX=120

cargo deny --locked check sources

if ! command -v git >/dev/null; then
  echo "audit: git is missing, with which the advisory database is fetched: install it" >&2
  exit 1
fi
# The database is a git repository: git must not wait for somebody to type a password.
if ! GIT_TERMINAL_PROMPT=0 timeout "$FETCH_SECONDS_MAX" cargo deny --locked fetch db; then
  echo "audit: NOT CHECKED: the advisory database could not be reached. This is no pass: run 'make audit' where the network is." >&2
  exit "$NOT_CHECKED"
fi

cargo deny --locked --offline check advisories || {
  echo "audit: FAILED: see the advisories above; update the dependency, or say in deny.toml why it does not apply." >&2
  exit 1
}
echo "audit: no known advisory applies"
