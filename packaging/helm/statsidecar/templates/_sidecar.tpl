{{- /*
For charts that have this one as a dependency, with `mode: sidecar`. In the pod's template, `$agent` being
`.Subcharts.statsidecar`:

  metadata:
    labels: {{- include "statsidecar.sidecar.labels" $agent | nindent 4 }}
    annotations: {{- include "statsidecar.sidecar.annotations" $agent | nindent 4 }}
  spec:
    initContainers: {{- include "statsidecar.sidecar.containers" $agent | nindent 4 }}
    containers:
    - name: yours
      env: {{- include "statsidecar.sidecar.env" $agent | nindent 6 }}
      volumeMounts: {{- include "statsidecar.sidecar.volumeMounts" $agent | nindent 6 }}
    volumes: {{- include "statsidecar.sidecar.volumes" $agent | nindent 4 }}
*/ -}}
{{- define "statsidecar.sidecar.containers" -}}
- {{- include "statsidecar.container" . | nindent 2 }}
  restartPolicy: Always
{{- end }}

{{- define "statsidecar.sidecar.env" -}}
- {name: STATSIDECAR_TO, value: "fifo:///run/statsidecar/events"}
{{- end }}

{{- define "statsidecar.sidecar.volumeMounts" -}}
- {name: statsidecar-run, mountPath: /run/statsidecar}
{{- end }}

{{- define "statsidecar.sidecar.volumes" -}}
{{ include "statsidecar.volumes" . | trim }}
{{- end }}

{{- define "statsidecar.sidecar.labels" -}}
statsidecar: sidecar
{{- end }}

{{- define "statsidecar.sidecar.annotations" -}}
{{- if .Values.rolloutOnConfigChange -}}
statsidecar/checksum: {{ include "statsidecar.checksum" . }}
{{- else -}}
{}
{{- end }}
{{- end }}
