{{/* What every container of the house may do: nothing that it need not ("restricted"). */}}
{{- define "crossroads.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: { drop: [ALL] }
{{- end -}}

{{- define "crossroads.podSecurity" -}}
runAsNonRoot: true
runAsUser: 65532
runAsGroup: 65532
fsGroup: 65532
fsGroupChangePolicy: OnRootMismatch
seccompProfile: { type: RuntimeDefault }
{{- end -}}

{{/* Files that a process reads; those of the service, and those that only serving needs. */}}
{{- define "crossroads.mounts" -}}
{{- $placement := include "crossroads.placement" . | fromJson -}}
- { name: config, mountPath: /etc/crossroads/config, readOnly: true }
{{- if $placement.runtime }}
- { name: vault-ca, mountPath: /etc/crossroads/vault, readOnly: true }
- { name: vault-token, mountPath: /var/run/secrets/vault, readOnly: true }
{{- end }}
{{- if $placement.database }}
- { name: database-ca, mountPath: /etc/crossroads/database, readOnly: true }
{{- end }}
{{- end -}}

{{- define "crossroads.volumes" -}}
{{- $placement := include "crossroads.placement" .root | fromJson -}}
{{- $name := include "crossroads.name" .root -}}
- name: config
  configMap: { name: {{ .config }} }
{{- if $placement.runtime }}
- name: vault-ca
  configMap: { name: {{ .root.Values.global.vault.caConfigMap }} }
- name: vault-token
  projected:
    sources:
      - serviceAccountToken: { path: token, audience: {{ .root.Values.global.vault.audience }}, expirationSeconds: 3600 }
{{- end }}
{{- if $placement.database }}
- name: database-ca
  secret:
    secretName: {{ $name }}-database-ca
    items: [{ key: ca.crt, path: ca.crt }]
{{- end }}
{{- end -}}

{{/* The pod that serves. */}}
{{- define "crossroads.pod" -}}
{{- $placement := include "crossroads.placement" . | fromJson -}}
{{- $name := include "crossroads.name" . -}}
serviceAccountName: {{ $name }}
automountServiceAccountToken: false
enableServiceLinks: false
terminationGracePeriodSeconds: 45
{{- with .Values.global.image.pullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . }}
  {{- end }}
{{- end }}
securityContext:
  {{- include "crossroads.podSecurity" . | nindent 2 }}
topologySpreadConstraints:
  - topologyKey: topology.kubernetes.io/zone
    maxSkew: 1
    whenUnsatisfiable: {{ .Values.global.spread }}
    labelSelector: { matchLabels: { {{ include "crossroads.selector" . | replace "\n" ", " }} } }
    matchLabelKeys: [{{ if $placement.state }}controller-revision-hash{{ else }}pod-template-hash{{ end }}]
  - topologyKey: kubernetes.io/hostname
    maxSkew: 1
    whenUnsatisfiable: ScheduleAnyway
    labelSelector: { matchLabels: { {{ include "crossroads.selector" . | replace "\n" ", " }} } }
containers:
  - name: {{ $name }}
    image: {{ include "crossroads.image" . }}
    imagePullPolicy: {{ .Values.global.image.pullPolicy }}
    args: [{{ $name }}, --config, /etc/crossroads/config/config.toml]
    ports:
      {{- include "crossroads.containerPorts" . | nindent 6 }}
    {{- include "crossroads.probes" . | nindent 4 }}
    resources:
      {{- toYaml .Values.resources | nindent 6 }}
    securityContext:
      {{- include "crossroads.containerSecurity" . | nindent 6 }}
    volumeMounts:
      {{- include "crossroads.mounts" . | nindent 6 }}
      {{- if .Values.trust.configMap }}
      - { name: trust, mountPath: /etc/crossroads/trust, readOnly: true }
      {{- end }}
      {{- range $setting, $_ := $placement.given }}
      - { name: {{ $setting | replace "_" "-" }}, mountPath: /etc/crossroads/given/{{ $setting }}, readOnly: true }
      {{- end }}
      {{- if $placement.state }}
      - { name: state, mountPath: /var/lib/crossroads }
      {{- end }}
      - { name: tmp, mountPath: /tmp }
volumes:
  {{- include "crossroads.volumes" (dict "root" . "config" $name) | nindent 2 }}
  {{- with .Values.trust.configMap }}
  - name: trust
    configMap: { name: {{ . }} }
  {{- end }}
  {{- range $setting, $kind := $placement.given }}
  - name: {{ $setting | replace "_" "-" }}
    {{- if eq $kind "secret" }}
    secret: { secretName: {{ include "crossroads.given" (dict "name" $name "setting" $setting) }}, defaultMode: 0440 }
    {{- else }}
    configMap: { name: {{ include "crossroads.given" (dict "name" $name "setting" $setting) }}{{ if eq $kind "later" }}, optional: true{{ end }} }
    {{- end }}
  {{- end }}
  - name: tmp
    emptyDir: { sizeLimit: 64Mi }
{{- end -}}

{{- define "crossroads.containerPorts" -}}
{{- $placement := include "crossroads.placement" . | fromJson -}}
{{- if $placement.grpc -}}
- { name: grpc, containerPort: 8443 }
{{- end }}
{{- if $placement.http }}
- { name: http, containerPort: 8080 }
{{- end }}
{{- if $placement.runtime }}
- { name: health, containerPort: 8081 }
{{- if .Values.global.monitoring.enabled }}
- { name: metrics, containerPort: 8082 }
{{- end }}
{{- end }}
{{- end -}}

{{/* The kubelet has no certificate: it asks the plain health port. A witness has only HTTP. */}}
{{- define "crossroads.probes" -}}
{{- $placement := include "crossroads.placement" . | fromJson -}}
{{- if $placement.runtime -}}
livenessProbe:
  # A minute: who is only slow, on a node that is too full, must not be started again on top of it.
  grpc: { port: 8081, service: live }
  periodSeconds: 10
  timeoutSeconds: 5
  failureThreshold: 6
readinessProbe:
  grpc: { port: 8081, service: ready }
  periodSeconds: 2
  timeoutSeconds: 2
  failureThreshold: 3
{{- else -}}
livenessProbe:
  httpGet: { path: /, port: http }
  periodSeconds: 10
  timeoutSeconds: 5
  failureThreshold: 6
readinessProbe:
  httpGet: { path: /, port: http }
  periodSeconds: 2
  timeoutSeconds: 2
{{- end -}}
{{- end -}}
