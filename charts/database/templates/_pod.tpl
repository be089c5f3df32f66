{{- define "database.writableName" -}}
{{- printf "writable-%s" (regexReplaceAll "[^a-z0-9]+" (lower .) "-" | trimAll "-") -}}
{{- end -}}

{{/* Variables of the server and of what prepares it. Takes a list: root, preset. */}}
{{- define "database.env" -}}
{{- $root := index . 0 -}}
{{- $preset := index . 1 -}}
{{- $primary := include "database.primary" $root -}}
- name: PRIMARY
  value: {{ $primary }}
- name: PRIMARY_HOST
  value: {{ printf "%s.%s.%s.svc" $primary (include "database.object" (list $root "headless")) $root.Release.Namespace }}
{{- range $name, $value := merge dict ($root.Values.env | default dict) ($preset.env | default dict) }}
- name: {{ $name }}
  value: {{ $value | quote }}
{{- end }}
{{- range $name, $what := $preset.secretEnv }}
- name: {{ $name }}
  valueFrom:
    secretKeyRef:
      name: {{ include "database.secretName" $root }}
      key: {{ eq $what "adminPassword" | ternary ($root.Values.auth.adminPasswordKey | default $root.Values.auth.passwordKey) $root.Values.auth.passwordKey }}
{{- end }}
{{- end -}}

{{/* Takes a list: root, preset. */}}
{{- define "database.volumeMounts" -}}
{{- $v := (index . 0).Values -}}
{{- $preset := index . 1 -}}
- name: data
  mountPath: {{ $preset.mountPath }}
- name: config
  mountPath: /etc/database
  readOnly: true
{{- range $preset.writablePaths }}
- name: {{ include "database.writableName" . }}
  mountPath: {{ . }}
{{- end }}
{{- if $v.initScripts }}
- name: init
  mountPath: {{ $preset.initScripts }}
  readOnly: true
{{- end }}
{{- range $v.storage.extraVolumes }}
- name: {{ .name }}
  mountPath: {{ .mountPath }}
{{- end }}
{{- with $v.volumeMounts }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* What every container of the database's image has. Takes a list: root, preset, resources. */}}
{{- define "database.program" -}}
{{- $v := (index . 0).Values -}}
image: {{ include "database.image" (index . 0) }}
imagePullPolicy: {{ $v.image.pullPolicy }}
env:
  {{- include "database.env" . | trim | nindent 2 }}
{{- with index . 2 }}
resources:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $v.securityContext }}
securityContext:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{/* What the server's container shares with the one that lets a replica join. Takes a list: root, preset. */}}
{{- define "database.container" -}}
{{- include "database.program" (append . (index . 0).Values.resources) }}
volumeMounts:
  {{- include "database.volumeMounts" . | nindent 2 }}
{{- end -}}

{{/* Startup and liveness ask whether the port is open: a server that recovers for long must not be killed for it. */}}
{{- define "database.probes" -}}
{{- $v := (index . 0).Values -}}
{{- $preset := index . 1 -}}
{{- $defaults := dict
  "startup" (dict "tcpSocket" dict "periodSeconds" 5 "failureThreshold" 120)
  "liveness" (dict "tcpSocket" dict "periodSeconds" 20)
  "readiness" (dict "exec" (dict "command" $preset.ready) "timeoutSeconds" 5) -}}
{{- range $kind := list "startup" "liveness" "readiness" }}
{{ $kind }}Probe:
  {{- include "fairlead.probe" (list (get $v.probes $kind | default (get $defaults $kind)) "db" $preset.port) | nindent 2 }}
{{- end }}
{{- end -}}

{{/* A container of the values, with the chart's security context unless it has its own. Takes a list: root, container. */}}
{{- define "database.extraContainer" -}}
{{- $root := index . 0 -}}
{{- $container := index . 1 -}}
{{- if and $root.Values.securityContext (not $container.securityContext) -}}
{{- $container = merge (dict "securityContext" $root.Values.securityContext) $container -}}
{{- end -}}
{{- toYaml $container -}}
{{- end -}}

{{- define "database.affinity" -}}
{{- $term := dict "topologyKey" "kubernetes.io/hostname" "labelSelector" (dict "matchLabels" (include "fairlead.selector" (list . "database") | fromYaml)) -}}
{{- if .Values.affinity -}}
{{- toYaml .Values.affinity -}}
{{- else if eq .Values.antiAffinity "hard" -}}
{{- dict "podAntiAffinity" (dict "requiredDuringSchedulingIgnoredDuringExecution" (list $term)) | toYaml -}}
{{- else if eq .Values.antiAffinity "soft" -}}
{{- dict "podAntiAffinity" (dict "preferredDuringSchedulingIgnoredDuringExecution" (list (dict "weight" 100 "podAffinityTerm" $term))) | toYaml -}}
{{- end -}}
{{- end -}}
