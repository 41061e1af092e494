{{/* The service: its own name, or that of the alias. */}}
{{- define "crossroads.name" -}}
{{- .Values.name | default .Chart.Name -}}
{{- end -}}

{{/* What the code says of this service (placement.json), as JSON. Nothing renders without passing here. */}}
{{- define "crossroads.placement" -}}
{{- $name := include "crossroads.name" . -}}
{{- $all := .Files.Get "placement.json" | fromJson -}}
{{- if not (hasKey $all $name) -}}
{{- fail (printf "no service is called %q; give name, one of: %s" $name (keys $all | sortAlpha | join ", ")) -}}
{{- end -}}
{{- include "crossroads.guard" . -}}
{{- include "crossroads.refuse" . -}}
{{- get $all $name | toJson -}}
{{- end -}}

{{- define "crossroads.owner" -}}
app.kubernetes.io/name: {{ include "crossroads.name" . }}
app.kubernetes.io/part-of: crossroads
{{- end -}}

{{/* The pods that serve; jobs of the same service are another component. */}}
{{- define "crossroads.selector" -}}
{{ include "crossroads.owner" . }}
app.kubernetes.io/component: server
{{- end -}}

{{- define "crossroads.labels" -}}
{{ include "crossroads.owner" . }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "crossroads.image" -}}
{{- $image := .Values.global.image -}}
{{- if $image.digest -}}
{{ $image.repository }}@{{ $image.digest }}
{{- else -}}
{{ $image.repository }}:{{ $image.tag | default .Chart.AppVersion }}
{{- end -}}
{{- end -}}

{{/* The name of what holds a file that somebody provides: <service>-<setting>. */}}
{{- define "crossroads.given" -}}
{{ .name }}-{{ .setting | replace "_" "-" }}
{{- end -}}

{{/* Annotations of a hook that is there while migrations run. */}}
{{- define "crossroads.migration" -}}
helm.sh/hook: pre-install,pre-upgrade
helm.sh/hook-weight: {{ . | quote }}
helm.sh/hook-delete-policy: before-hook-creation,hook-succeeded
{{- end -}}
