#!/usr/bin/env bash
# Installs what the tests (`setup.sh test`), the benchmark (`bench`), the count of instructions (`instructions`), the real clients
# (`clients`), the tests of the alerts (`alerts`), the checks of the dependencies (`deny`) or a release (`release`) need and a
# Debian or Ubuntu machine lacks. Where it may not, it prints the one command that does.
set -euo pipefail
cd "$(dirname "$0")/.."

# Built without optimisation: that takes a third of the time, and a check still takes a second.
# It goes below target/, so nothing of the user's is replaced; a cargo-deny that is there already is used.
if [ "${1:-}" = deny ]; then
  PATH="$PATH:$PWD/target/tools/bin"
  command -v cargo-deny >/dev/null ||
    cargo install cargo-deny --version 0.20.2 --locked --debug --root target/tools
  exit
fi

# What writes the bill of materials, in the same way.
if [ "${1:-}" = release ]; then
  PATH="$PATH:$PWD/target/tools/bin"
  command -v cargo-cyclonedx >/dev/null ||
    cargo install cargo-cyclonedx --version 0.5.9 --locked --debug --root target/tools
fi

case "${1:-test}" in
  # The broker of the integration tests, and what its token plugin is built with; openssl writes keys in every form.
  test) packages=(mosquitto mosquitto-dev libmosquitto-dev gcc libc6-dev openssl) ;;
  # What builds the image.
  release) packages=(buildah) ;;
  # The broker, and the proxies to compare with.
  bench) packages=(mosquitto nginx libnginx-mod-stream haproxy stunnel4) ;;
  # What counts instructions.
  instructions) packages=(valgrind) ;;
  # The broker, its plugin and its own clients.
  clients) packages=(mosquitto mosquitto-clients mosquitto-dev libmosquitto-dev gcc libc6-dev) ;;
  # promtool.
  alerts) packages=(prometheus) ;;
  *)
    echo "usage: $0 test|bench|instructions|clients|alerts|deny|release" >&2
    exit 64
    ;;
esac

installed() {
  dpkg-query --show --showformat '${db:Status-Status}' "$1" 2>/dev/null | grep -qx installed
}

if ! command -v dpkg-query >/dev/null; then
  echo "This is no Debian or Ubuntu: install the equivalents of: ${packages[*]}." >&2
  echo "Going on; what is missing will be named by the test that needs it." >&2
  exit 0
fi

missing=()
for package in "${packages[@]}"; do
  installed "$package" || missing+=("$package")
done
[ ${#missing[@]} -gt 0 ] || exit 0

if [ "$(id -u)" = 0 ]; then
  as_root=()
elif command -v sudo >/dev/null && sudo -n true 2>/dev/null; then
  as_root=(sudo -n)
else
  echo "These packages are missing, and installing them needs root: run" >&2
  echo "  sudo apt-get update && sudo apt-get install -y --no-install-recommends ${missing[*]}" >&2
  exit 1
fi

echo "installing ${missing[*]}"
"${as_root[@]}" apt-get update -q
"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
  apt-get install -y -q -o Dpkg::Use-Pty=0 --no-install-recommends "${missing[@]}"

# The packages start a service each; the tests start their own on free ports. Only what was installed here is stopped.
if [ -d /run/systemd/system ]; then
  for package in "${missing[@]}"; do
    case "$package" in
      mosquitto | nginx | haproxy | stunnel4 | prometheus) "${as_root[@]}" systemctl disable --now "$package" ;;
    esac
  done
fi
