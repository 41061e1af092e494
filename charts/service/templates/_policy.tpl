{{/* Pods with these labels, of one namespace. Helm lays values over defaults: "" takes a label of a default away. */}}
{{- define "crossroads.pods" -}}
{{- $labels := dict -}}
{{- range $label, $value := .pods }}{{ if $value }}{{ $_ := set $labels $label $value }}{{ end }}{{ end -}}
namespaceSelector: { matchLabels: { kubernetes.io/metadata.name: {{ .namespace }} } }
{{- with $labels }}
podSelector: { matchLabels: {{ toJson . }} }
{{- end }}
{{- end -}}

{{/* Who turns names into addresses: pods, and what answers on each node in their stead. */}}
{{- define "crossroads.dns" -}}
- to:
    - {{- include "crossroads.pods" . | nindent 6 }}
    {{- range .cidrs }}
    - ipBlock: { cidr: {{ . | quote }} }
    {{- end }}
  ports: [{ protocol: UDP, port: {{ .port }} }, { protocol: TCP, port: {{ .port }} }]
{{- end -}}

{{/* What every pod with a database and Vault needs, the job before an upgrade too. */}}
{{- define "crossroads.egressOfAll" -}}
{{- $placement := include "crossroads.placement" . | fromJson -}}
{{- $name := include "crossroads.name" . -}}
{{- $vault := .Values.global.vault -}}
{{ include "crossroads.dns" .Values.global.dns }}
- to:
    - {{- include "crossroads.pods" (dict "namespace" $vault.namespace "pods" $vault.pods) | nindent 6 }}
  ports: [{ port: {{ $vault.port }} }]
{{- if $placement.database }}
- to:
    - podSelector: { matchLabels: { cnpg.io/cluster: {{ $name }}-database } }
  ports: [{ port: {{ .Values.database.port }} }]
{{- end }}
{{- end -}}

{{/* Services of this release by their names. */}}
{{- define "crossroads.services" -}}
podSelector:
  matchLabels: { app.kubernetes.io/part-of: crossroads, app.kubernetes.io/component: server }
  matchExpressions: [{ key: app.kubernetes.io/name, operator: In, values: {{ toJson . }} }]
{{- end -}}

{{/* Who may connect: who may call by the protos, and does by the code. */}}
{{- define "crossroads.ingress" -}}
{{- $placement := include "crossroads.placement" . | fromJson -}}
{{- $global := .Values.global -}}
{{- $public := eq $global.cloud "public" -}}
{{- with $placement.callers }}
- from:
    - {{- include "crossroads.services" . | nindent 6 }}
  ports: [{ port: grpc }]
{{- end }}
{{- with $placement.gateway }}
# {{ join ", " . }}
- from:
    - {{- include "crossroads.pods" $global.gateway | nindent 6 }}
  ports: [{ port: grpc }]
{{- end }}
{{- with $placement.readers }}
- from:
    - {{- include "crossroads.services" . | nindent 6 }}
  ports: [{ port: http }]
{{- end }}
{{- if and $placement.http $public }}
# everybody
- from:
    - {{- include "crossroads.pods" $global.gateway | nindent 6 }}
  ports: [{ port: http }]
{{- end }}
{{- if and $global.monitoring.enabled $placement.runtime }}
- from:
    - {{- include "crossroads.pods" (dict "namespace" $global.monitoring.namespace) | nindent 6 }}
  ports: [{ port: metrics }]
{{- end }}
{{- end -}}

{{/* What it may connect to: what it calls and needs. */}}
{{- define "crossroads.egress" -}}
{{- $placement := include "crossroads.placement" . | fromJson -}}
{{- $global := .Values.global -}}
{{- if $placement.runtime }}
{{ include "crossroads.egressOfAll" . }}
{{- end }}
{{- with $placement.calls }}
- to:
    - {{- include "crossroads.services" . | nindent 6 }}
  ports: [{ port: grpc }]
{{- end }}
{{- with $placement.reads }}
- to:
    - {{- include "crossroads.services" . | nindent 6 }}
  ports: [{ port: http }]
{{- end }}
{{- range $other := $placement.outside }}
{{- $where := get $.Values.outside $other | default dict }}
{{- if $where.cidrs }}
# {{ $other }}
- to:
    {{- range $where.cidrs }}
    - ipBlock: { cidr: {{ . | quote }} }
    {{- end }}
  ports: [{{ range $index, $port := $where.ports | default (list 443) }}{{ if $index }}, {{ end }}{ port: {{ $port }} }{{ end }}]
{{- end }}
{{- end }}
{{- if and $global.telemetry.enabled $placement.runtime }}
- to:
    - {{- include "crossroads.pods" $global.telemetry | nindent 6 }}
  ports: [{ port: {{ $global.telemetry.port }} }]
{{- end }}
{{- end -}}
