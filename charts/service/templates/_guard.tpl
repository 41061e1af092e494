{{/*
Fails where the public cloud would get what is not public: a service that the protos do not say is
public (sensitivity.json), or a secret, config map, database or address that belongs to one.
*/}}
{{- define "crossroads.guard" -}}
{{- if ne .Values.global.cloud "community" -}}
{{- $stated := (.Files.Get "sensitivity.json" | fromJson).services -}}
{{- $name := include "crossroads.name" . -}}
{{- $own := get $stated $name | default "not stated" -}}
{{- if ne $own "public" -}}
{{- fail (printf "%s is not for the public cloud: its sensitivity is %s (options of its proto)" $name $own) -}}
{{- end -}}
{{- $private := list -}}
{{- range $other, $_ := (.Files.Get "placement.json" | fromJson) -}}
{{- if ne (get $stated $other | default "not stated") "public" -}}
{{- $private = append $private $other -}}
{{- end -}}
{{- end -}}
{{- $named := dict "values" (omit .Values "global" "name") "vault" .Values.global.vault | toJson -}}
{{- range $private -}}
{{- if regexMatch (printf "(^|[^a-z0-9-])%s([^a-z0-9]|$)" .) $named -}}
{{- fail (printf "values of %s name something of %s, which is not for the public cloud: %s" $name . (regexFind (printf "(^|[^a-z0-9-])%s[A-Za-z0-9./-]*" .) $named)) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}
