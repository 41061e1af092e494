{{/*
Fails where the public cloud would get what is not public: a service that the protos do not say is
public (sensitivity.json), a secret, config map, database or address that belongs to one, or a way
into the namespace of the community's cloud. Of `global` all is looked at that names something to
reach or to open; the image's repository is not: "registry" is a usual name for a host of images.
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
{{- $global := pick .Values.global "vault" "gateway" "dns" "telemetry" "monitoring" -}}
{{- $named := dict "values" (omit .Values "global" "name") "global" $global "pullSecrets" .Values.global.image.pullSecrets | toJson -}}
{{- range $private -}}
{{- if regexMatch (printf "(^|[^a-z0-9-])%s([^a-z0-9]|$)" .) $named -}}
{{- fail (printf "values of %s name something of %s, which is not for the public cloud: %s" $name . (regexFind (printf "(^|[^a-z0-9-])%s[A-Za-z0-9./-]*" .) $named)) -}}
{{- end -}}
{{- end -}}
{{- range $part, $where := $global -}}
{{- if eq ($where.namespace | default "") "crossroads" -}}
{{- fail (printf "global.%s.namespace: crossroads is the community's, and nothing leads there from the public cloud; name one of this cloud" $part) -}}
{{- end -}}
{{- end -}}
{{- with regexFind "[A-Za-z0-9.-]*\\.crossroads(\\.svc[A-Za-z0-9.-]*)?[:\"/]" $named -}}
{{- fail (printf "values of %s name an address in the namespace crossroads, which is the community's: %s" $name (trimAll ":\"/" .)) -}}
{{- end -}}
{{- if eq .Release.Namespace "crossroads" -}}
{{- fail (printf "%s is of the public cloud, and the namespace crossroads is the community's; install it in one of its own, as crossroads-public" $name) -}}
{{- end -}}
{{- end -}}
{{- end -}}
