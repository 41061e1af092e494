{{/* Pods with these labels, of one namespace. */}}
{{- define "crossroads.pods" -}}
namespaceSelector: { matchLabels: { kubernetes.io/metadata.name: {{ .namespace }} } }
{{- with .pods }}
podSelector: { matchLabels: {{ toJson . }} }
{{- end }}
{{- end -}}

{{/* What every pod with a database and Vault needs, the job before an upgrade too. */}}
{{- define "crossroads.egressOfAll" -}}
{{- $placement := include "crossroads.placement" . | fromJson -}}
{{- $name := include "crossroads.name" . -}}
{{- $vault := .Values.global.vault -}}
- to:
    - {{- include "crossroads.pods" .Values.global.dns | nindent 6 }}
  ports: [{ protocol: UDP, port: 53 }, { protocol: TCP, port: 53 }]
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
