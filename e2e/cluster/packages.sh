#!/usr/bin/env bash
# Installs what the node needs from Debian or Ubuntu. Where it may not, it prints the one command that does.
# shellcheck source-path=SCRIPTDIR source=lib.sh
source "$(dirname "$0")/lib.sh"

PACKAGES=(
  containerd runc containernetworking-plugins # runs the pods and connects them
  iptables iproute2                           # kube-proxy's rules, the node's network
  buildah catatonit busybox-static            # builds images; the init of every pod; the pods of check.sh
  openssl util-linux                          # certificates; unshare and nsenter
)

installed() {
  dpkg-query --show --showformat '${db:Status-Status}' "$1" 2>/dev/null | grep -qx installed
}

# A service that a package has just started would run beside the node's own containerd, for nothing.
stop_containerd() {
  if [ -d /run/systemd/system ]; then
    as_root systemctl disable --now containerd
  fi
}

main() {
  local missing=() install
  command -v dpkg-query >/dev/null ||
    fail "The node's containerd and runc come from Debian's or Ubuntu's packages, and this is neither." \
      "On another system use kind or minikube, and give the tests its kubeconfig."
  for package in "${PACKAGES[@]}"; do
    installed "$package" || missing+=("$package")
  done
  [ ${#missing[@]} -gt 0 ] || return 0

  install="apt-get update && sudo apt-get install -y --no-install-recommends ${missing[*]}"
  if [ "$(id -u)" != 0 ] && ! sudo -n true 2>/dev/null; then
    fail "These packages are missing, and installing them needs root: run" "  sudo $install"
  fi
  say "installing ${missing[*]}"
  if ! as_root apt-get update -q ||
    ! as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "${missing[@]}"; then
    fail "Packages could not be installed; what apt-get says is above. By hand:" "  sudo $install"
  fi
  [[ " ${missing[*]} " != *" containerd "* ]] || stop_containerd
}

main
