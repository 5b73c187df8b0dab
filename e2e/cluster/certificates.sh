#!/usr/bin/env bash
# Writes the node's certificates and kubeconfigs, one identity for each component: certificates.sh FOLDER. The names
# are those that Kubernetes' own roles and its Node authorizer know.
# shellcheck source-path=SCRIPTDIR source=lib.sh
source "$(dirname "$0")/lib.sh"

DAYS=30
REQUEST=(openssl req -x509 -days "$DAYS" -newkey ec -pkeyopt ec_paramgen_curve:P-256 -noenc)
# openssl's own settings would make every certificate an authority.
SETTINGS=$'[req]\ndistinguished_name = name\n[name]\n'

authority() {
  "${REQUEST[@]}" -config <(echo "$SETTINGS") -subj /CN=node-authority -keyout ca.key -out ca.crt \
    -addext "basicConstraints=critical,CA:TRUE" -addext "keyUsage=critical,keyCertSign,cRLSign"
}

# certificate NAME SUBJECT serverAuth|clientAuth [ALTERNATIVE NAMES]
certificate() {
  local extensions=(-addext "basicConstraints=critical,CA:FALSE" -addext "extendedKeyUsage=$3")
  [ $# -lt 4 ] || extensions+=(-addext "subjectAltName=$4")
  "${REQUEST[@]}" -config <(echo "$SETTINGS") -CA ca.crt -CAkey ca.key -subj "$2" -keyout "$1.key" -out "$1.crt" \
    "${extensions[@]}"
}

# identity NAME SUBJECT: a kubeconfig that holds all it needs.
identity() {
  certificate "$1" "$2" clientAuth
  cat >"$1.kubeconfig" <<END
apiVersion: v1
kind: Config
clusters:
- name: e2e
  cluster: {server: "https://127.0.0.1:6443", certificate-authority-data: $(base64 -w0 ca.crt)}
users:
- name: $1
  user: {client-certificate-data: $(base64 -w0 "$1.crt"), client-key-data: $(base64 -w0 "$1.key")}
contexts:
- name: e2e
  context: {cluster: e2e, user: $1}
current-context: e2e
END
}

# What pods' tokens are signed with.
token_key() {
  openssl genrsa -out tokens.key 2048
  openssl rsa -in tokens.key -pubout -out tokens.pub
}

main() {
  umask 077
  mkdir -p "$1"
  cd "$1"
  authority
  token_key
  certificate kube-apiserver /CN=kube-apiserver serverAuth \
    "DNS:localhost,DNS:kubernetes,DNS:kubernetes.default,DNS:kubernetes.default.svc,DNS:kubernetes.default.svc.cluster.local,IP:127.0.0.1,IP:$NODE_IP,IP:$API_SERVICE_IP"
  certificate kubelet /CN=node serverAuth "DNS:node,IP:$NODE_IP"
  certificate kube-apiserver-to-kubelet /CN=kube-apiserver clientAuth
  certificate kube-apiserver-to-extensions /CN=kube-apiserver-to-extensions clientAuth
  identity admin /O=system:masters/CN=admin
  identity node /O=system:nodes/CN=system:node:node
  identity kube-controller-manager /CN=system:kube-controller-manager
  identity kube-scheduler /CN=system:kube-scheduler
  identity kube-proxy /CN=system:kube-proxy
}

main "$1"
