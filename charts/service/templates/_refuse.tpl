{{/*
Values that render, but into something unsafe or into what nobody can have meant: each is refused
with its name and what to give instead. What only production may not have, is looked at there alone.
*/}}
{{- define "crossroads.refuse" -}}
{{- $name := include "crossroads.name" . -}}
{{- $placement := get (.Files.Get "placement.json" | fromJson) $name -}}
{{- /* A second witness of one name would sign what the first one denies; a second publisher pushes the same again. */ -}}
{{- $most := get (dict "witness" 1 "publisher" 1 "logging" 3) $name | default 50 | int -}}
{{- if gt (int .Values.replicas) $most -}}
{{- fail (printf "replicas: %d of %s; %s: give at most %d" (int .Values.replicas) $name (ternary "one writes, and one in each other zone can take over" "there is only one of it" (eq $name "logging")) $most) -}}
{{- end -}}
{{- $grows := .Values.autoscaling -}}
{{- if and $grows.enabled (lt $most 50) -}}
{{- fail (printf "autoscaling.enabled: true; more pods of %s do no more work: give replicas, at most %d" $name $most) -}}
{{- end -}}
{{- if and $grows.enabled (gt (int $grows.min) (int $grows.max)) -}}
{{- fail (printf "autoscaling of %s: min %d is more than max %d: raise max, or lower min" $name (int $grows.min) (int $grows.max)) -}}
{{- end -}}
{{- if .Values.global.production -}}
{{- include "crossroads.refuseInProduction" . -}}
{{- end -}}
{{- end -}}

{{- define "crossroads.refuseInProduction" -}}
{{- if not .Values.global.image.digest -}}
{{- fail "global.image.digest: missing; in production a tag could be another image tomorrow: give the digest (sha256:...) of the image that you looked at" -}}
{{- end -}}
{{- range $other, $where := .Values.outside -}}
{{- range $cidr := $where.cidrs -}}
{{- if and (regexMatch "/[0-7]$" $cidr) (not $where.anywhere) -}}
{{- fail (printf "outside.%s.cidrs: %s is nearly everywhere; name the addresses, or say that it is meant: outside.%s.anywhere: true" $other $cidr $other) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}
