{{/* A TOML document of {table, path}: what JSON and TOML write alike first, then the tables. */}}
{{- define "crossroads.toml" -}}
{{- $path := .path -}}
{{- range $key, $value := .table }}
{{- if not (kindIs "map" $value) }}
{{ include "crossroads.tomlKey" $key }} = {{ toJson $value }}
{{- end }}
{{- end }}
{{- range $key, $value := .table }}
{{- if kindIs "map" $value }}
{{- $below := append $path (include "crossroads.tomlKey" $key) }}

[{{ join "." $below }}]
{{- include "crossroads.toml" (dict "table" $value "path" $below) }}
{{- end }}
{{- end }}
{{- end -}}

{{- define "crossroads.tomlKey" -}}
{{- if regexMatch "^[A-Za-z0-9_-]+$" . }}{{ . }}{{ else }}{{ toJson . }}{{ end -}}
{{- end -}}

{{/* The table [runtime], as JSON: what services/runtime/config.py reads. `login`: Vault's role, if not the service's. */}}
{{- define "crossroads.runtime" -}}
{{- $name := include "crossroads.name" . -}}
{{- $placement := include "crossroads.placement" . | fromJson -}}
{{- $global := .Values.global -}}
{{- $runtime := dict "name" $name "listen" "0.0.0.0:8443" "health_listen" "0.0.0.0:8081" "production" $global.production "log_level" $global.logLevel "drain_seconds" 5 "grace_seconds" 30 -}}
{{- if $global.monitoring.enabled }}{{ $_ := set $runtime "metrics_listen" "0.0.0.0:8082" }}{{ end -}}
{{- $vault := $global.vault -}}
{{- $_ := set $runtime "vault" (dict "address" $vault.address "ca_file" "/etc/crossroads/vault/ca.crt" "kubernetes_role" (.login | default $name) "kubernetes_mount" $vault.mount "kubernetes_token_file" "/var/run/secrets/vault/token") -}}
{{- if $placement.database -}}
{{- $database := .Values.database -}}
{{- $_ := set $runtime "database" (dict "name" $name "role" $name "owner" (printf "%s_owner" $name) "host" ($database.host | default (printf "%s-database-rw.%s.svc" $name .Release.Namespace)) "port" $database.port "max_size" $database.connections "ca_file" "/etc/crossroads/database/ca.crt") -}}
{{- end -}}
{{- if .Values.trust.configMap -}}
{{- $trust := dict -}}
{{- range .Values.trust.kinds }}{{ $_ := set $trust . (printf "/etc/crossroads/trust/%s.pem" .) }}{{ end -}}
{{- $_ := set $runtime "trust" $trust -}}
{{- end -}}
{{- if $global.telemetry.enabled -}}
{{- $_ := set $runtime "telemetry" (dict "otlp_endpoint" $global.telemetry.endpoint "sample_ratio" $global.telemetry.sampleRatio) -}}
{{- end -}}
{{- $peers := dict -}}
{{- range $placement.calls }}{{ $_ := set $peers . (printf "%s:8443" .) }}{{ end -}}
{{- range $other, $where := .Values.outside -}}
{{- if not (has $other $placement.outside) -}}
{{- fail (printf "outside.%s: %s connects to no such thing; it does to: %s" $other $name (join ", " $placement.outside | default "nothing outside")) -}}
{{- end -}}
{{- end -}}
{{- $all := .Files.Get "placement.json" | fromJson -}}
{{- range $other := $placement.outside -}}
{{- if hasKey $all $other -}}
{{- $where := get $.Values.outside $other | default dict -}}
{{- if not $where.address -}}
{{- fail (printf "outside.%s.address: missing; %s calls %s, which runs elsewhere: give its host:port" $other $name $other) -}}
{{- end -}}
{{- $_ := set $peers $other $where.address -}}
{{- end -}}
{{- end -}}
{{- if $peers }}{{ $_ := set $runtime "peers" $peers }}{{ end -}}
{{- toJson $runtime -}}
{{- end -}}

{{/* The whole configuration: the service's own settings, and what the chart knows by itself. */}}
{{- define "crossroads.config" -}}
{{- $name := include "crossroads.name" . -}}
{{- $placement := include "crossroads.placement" . | fromJson -}}
{{- $table := dict -}}
{{- range $setting, $value := .Values.config -}}
{{- if not (has $setting $placement.settings) -}}
{{- fail (printf "config.%s: %s has no such setting; it has: %s" $setting $name (join ", " $placement.settings | default "none")) -}}
{{- end -}}
{{- $_ := set $table $setting $value -}}
{{- end -}}
{{- with $placement.http }}{{ $_ := set $table . "0.0.0.0:8080" }}{{ end -}}
{{- with $placement.state }}{{ $_ := set $table . (printf "/var/lib/crossroads/%s" .) }}{{ end -}}
{{- range $setting, $_ := $placement.given -}}
{{- $_ := set $table $setting (printf "/etc/crossroads/given/%s/%s" $setting $setting) -}}
{{- end -}}
{{- if $placement.runtime }}{{ $_ := set $table "runtime" (include "crossroads.runtime" . | fromJson) }}{{ end -}}
{{- include "crossroads.toml" (dict "table" $table "path" list) | trim -}}
{{- end -}}
