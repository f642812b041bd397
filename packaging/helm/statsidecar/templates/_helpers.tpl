{{- define "statsidecar.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 54 | trimSuffix "-" }}
{{- end }}

{{- define "statsidecar.fullname" -}}
{{- if .Values.fullnameOverride }}
{{- .Values.fullnameOverride | trunc 54 | trimSuffix "-" }}
{{- else if contains (include "statsidecar.name" .) .Release.Name }}
{{- .Release.Name | trunc 54 | trimSuffix "-" }}
{{- else }}
{{- printf "%s-%s" .Release.Name (include "statsidecar.name" .) | trunc 54 | trimSuffix "-" }}
{{- end }}
{{- end }}

{{- define "statsidecar.selectorLabels" -}}
app.kubernetes.io/name: {{ include "statsidecar.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "statsidecar.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{ include "statsidecar.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end }}

{{- define "statsidecar.image" -}}
{{- if .Values.image.digest -}}
{{ .Values.image.repository }}@{{ .Values.image.digest }}
{{- else -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end }}
{{- end }}

{{- define "statsidecar.configMap" -}}
{{ .Values.existingConfigMap | default (include "statsidecar.fullname" .) }}
{{- end }}

{{- define "statsidecar.serviceAccount" -}}
{{- if .Values.serviceAccount.create }}
{{- .Values.serviceAccount.name | default (include "statsidecar.fullname" .) }}
{{- else }}
{{- .Values.serviceAccount.name | default "default" }}
{{- end }}
{{- end }}

{{- define "statsidecar.config" -}}
{{- if .Values.config -}}
{{ .Values.config }}
{{- else -}}
include: ["/etc/statsidecar.d/*.yaml", tasker]
{{ if eq .Values.mode "sidecar" -}}
inputs:
  - {url: "fifo:///run/statsidecar/events", name: pipe, mode: 0622}
  - {url: "unix:///run/statsidecar/socket", name: socket, mode: 0622}
  - {url: "udp://127.0.0.1:8127", name: udp}
{{ else -}}
inputs:
  - {url: "udp://0.0.0.0:8127", name: udp, allow_from: any}
  - {url: "tcp://0.0.0.0:8127", name: tcp, allow_from: any}
{{ end -}}
admin: 0.0.0.0:8128
{{- end }}
{{- end }}

{{- define "statsidecar.args" -}}
- run
{{- if eq .Values.mode "sidecar" }}
- --copy-program
- /run/statsidecar/bin/statsidecar
{{- end }}
{{- with .Values.receiver.dialect }}
- --dialect
- {{ . }}
{{- end }}
{{- range .Values.extraArgs }}
- {{ . | quote }}
{{- end }}
{{- end }}

{{- /* Of a shared agent DD_ENTITY_ID is not set: the metrics would look as if they were of its own pod. */ -}}
{{- define "statsidecar.env" -}}
{{- if hasPrefix "datadog-" .Values.receiver.kind }}
{{- if eq .Values.receiver.kind "datadog-udp" }}
- name: DD_AGENT_HOST
  valueFrom: {fieldRef: {fieldPath: status.hostIP}}
- name: DD_DOGSTATSD_PORT
  value: {{ .Values.receiver.port | quote }}
{{- else }}
- name: DD_DOGSTATSD_URL
  value: unix:///var/run/datadog/dsd.socket
{{- end }}
{{- if eq .Values.mode "sidecar" }}
- name: DD_ENTITY_ID
  valueFrom: {fieldRef: {fieldPath: metadata.uid}}
- name: DD_ENV
  valueFrom: {fieldRef: {fieldPath: "metadata.labels['tags.datadoghq.com/env']"}}
- name: DD_SERVICE
  valueFrom: {fieldRef: {fieldPath: "metadata.labels['tags.datadoghq.com/service']"}}
- name: DD_VERSION
  valueFrom: {fieldRef: {fieldPath: "metadata.labels['tags.datadoghq.com/version']"}}
{{- end }}
{{- else if eq .Values.receiver.kind "statsd" }}
- name: STATSD_HOST
  value: {{ required "receiver.host is needed where receiver.kind is statsd" .Values.receiver.host | quote }}
- name: STATSD_PORT
  value: {{ .Values.receiver.port | quote }}
{{- end }}
{{- with .Values.extraEnv }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "statsidecar.container" -}}
name: statsidecar
image: {{ include "statsidecar.image" . | quote }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
args: {{- include "statsidecar.args" . | nindent 2 }}
{{- with include "statsidecar.env" . | trim }}
env: {{- . | nindent 2 }}
{{- end }}
{{- with .Values.extraEnvFrom }}
envFrom: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.startupProbe }}
startupProbe: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.livenessProbe }}
livenessProbe: {{- toYaml . | nindent 2 }}
{{- end }}
resources: {{- toYaml .Values.resources | nindent 2 }}
securityContext: {{- toYaml .Values.securityContext | nindent 2 }}
volumeMounts:
  {{- if eq .Values.mode "sidecar" }}
  - {name: statsidecar-run, mountPath: /run/statsidecar}
  {{- end }}
  - {name: statsidecar-config, mountPath: /etc/statsidecar, readOnly: true}
  - {name: statsidecar-rules, mountPath: /etc/statsidecar.d, readOnly: true}
  {{- if or (eq .Values.receiver.kind "datadog-socket") (eq .Values.receiver.kind "datadog-csi") }}
  - {name: datadog-socket, mountPath: /var/run/datadog, readOnly: true}
  {{- end }}
  {{- with .Values.extraVolumeMounts }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end }}

{{- define "statsidecar.volumes" -}}
{{- if eq .Values.mode "sidecar" }}
- name: statsidecar-run
  emptyDir: {sizeLimit: 16Mi}
{{- end }}
- name: statsidecar-config
  configMap: {name: {{ include "statsidecar.configMap" . }}}
- name: statsidecar-rules
  configMap: {name: {{ include "statsidecar.fullname" . }}-rules, optional: true}
{{- if eq .Values.receiver.kind "datadog-socket" }}
- name: datadog-socket
  hostPath: {path: /var/run/datadog, type: DirectoryOrCreate}
{{- else if eq .Values.receiver.kind "datadog-csi" }}
- name: datadog-socket
  csi:
    driver: k8s.csi.datadoghq.com
    readOnly: true
    volumeAttributes: {type: DSDSocketDirectory}
{{- end }}
{{- with .Values.extraVolumes }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "statsidecar.checksum" -}}
{{ printf "%s%s" (include "statsidecar.config" .) (toYaml .Values.rules) | sha256sum }}
{{- end }}
