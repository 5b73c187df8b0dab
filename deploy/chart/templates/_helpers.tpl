{{/* Every object has this name: the product is there once in a cluster, whatever the release is called. */}}
{{- define "name" -}}dataflow-webhook{{- end }}

{{- define "labels" -}}
app.kubernetes.io/name: {{ include "name" . }}
app.kubernetes.io/part-of: dataflow-sidecar
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
{{- end }}

{{- define "metadata" -}}
name: {{ include "name" . }}
namespace: {{ .Release.Namespace }}
labels: {{- include "labels" . | nindent 2 }}
{{- end }}

{{- define "image" -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end }}

{{- define "issuesItself" -}}{{ if eq .Values.certificates.mode "self" }}true{{ end }}{{- end }}

{{/* Namespaces whose pods are left alone: the webhook's own, or it could not start again after it was away. */}}
{{- define "excludedNamespaces" -}}
{{ prepend .Values.excludedNamespaces .Release.Namespace | uniq | toJson }}
{{- end }}

{{/* The enforcer of AKS writes these two into every webhook: with them there already, it and Helm do not fight. */}}
{{- define "enforcerSelectors" -}}
- {key: control-plane, operator: NotIn, values: ["true"]}
- {key: kubernetes.azure.com/managedby, operator: NotIn, values: [aks]}
{{- end }}

{{- define "podNamespaces" -}}
matchExpressions:
{{ include "enforcerSelectors" . }}
- {key: kubernetes.io/metadata.name, operator: NotIn, values: {{ include "excludedNamespaces" . }}}
{{- end }}

{{/* caBundle is left out on purpose: whoever issues the certificate writes it, and `helm upgrade` keeps what it does not know. */}}
{{- define "clientConfig" -}}
service:
  name: {{ include "name" .root }}
  namespace: {{ .root.Release.Namespace }}
  path: {{ .path }}
  port: 443
{{- end }}

{{- define "configurationMetadata" -}}
name: {{ include "name" . }}
labels: {{- include "labels" . | nindent 2 }}
{{- if not (include "issuesItself" .) }}
annotations:
  cert-manager.io/inject-ca-from: {{ .Release.Namespace }}/{{ include "name" . }}
{{- end }}
{{- end }}

{{/* Endpoints: an object that is going must be able to go; with a foreign definition other types are none of our business. */}}
{{- define "endpointConditions" -}}
- name: stays
  expression: "!has(object.metadata.deletionTimestamp)"
{{- if not .Values.crds.install }}
- name: mqtt
  expression: "object.?spec.?endpointType.orValue('Mqtt') == 'Mqtt'"
{{- end }}
{{- end }}
