{{/* The tag that runs: a digest alone needs none. */}}
{{- define "webapp.tag" -}}
{{- if .Values.image.tag -}}
{{- .Values.image.tag -}}
{{- else if not .Values.image.digest -}}
{{- .Chart.AppVersion -}}
{{- end -}}
{{- end -}}

{{- define "webapp.image" -}}
{{- include "fairlead.imageRef" (dict "repository" .Values.image.repository "tag" (include "webapp.tag" .) "digest" .Values.image.digest) -}}
{{- end -}}

{{- define "webapp.serviceAccountName" -}}
{{- if .Values.serviceAccount.create -}}
{{- .Values.serviceAccount.name | default (include "fairlead.name" (list . "" 63)) -}}
{{- else -}}
{{- .Values.serviceAccount.name | default "default" -}}
{{- end -}}
{{- end -}}

{{/* The probes; without a readiness probe of its own, the main port must accept a connection. */}}
{{- define "webapp.probes" -}}
{{- $probes := omit .Values.probes "enabled" -}}
{{- if not $probes.readiness -}}
{{- $_ := set $probes "readiness" (dict "tcpSocket" dict) -}}
{{- end -}}
{{- range $kind := list "startup" "liveness" "readiness" }}
{{- with get $probes $kind }}
{{ $kind }}Probe:
  {{- include "fairlead.probe" (list . "http" $.Values.containerPort) | nindent 2 }}
{{- end }}
{{- end }}
{{- end -}}

{{/* Configuration exists twice while there is a migration: a hook before the install finds nothing of the release yet,
so it brings what it needs, under the stage "migration". The release's own stage is "". */}}
{{- define "webapp.stages" -}}
{{- ternary (list "" "migration") (list "") .Values.migration.enabled | toJson -}}
{{- end -}}

{{- define "webapp.stageAnnotations" -}}
{{- if . -}}
helm.sh/hook: pre-install,pre-upgrade
helm.sh/hook-delete-policy: before-hook-creation,hook-succeeded
helm.sh/hook-weight: "-5"
{{- end -}}
{{- end -}}

{{/* The name of configuration. Takes a list: root, stage, env or files. */}}
{{- define "webapp.configName" -}}
{{- include "fairlead.name" (list (index . 0) (without (rest .) "" | join "-") 63) -}}
{{- end -}}

{{/* Variables, for every container that runs the application's image. Takes a list: root, stage. */}}
{{- define "webapp.environment" -}}
{{- $v := (index . 0).Values -}}
{{- $name := include "webapp.configName" (append . "env") -}}
{{- if or $v.env $v.envValueFrom }}
env:
  {{- range $name, $value := $v.env }}
  - name: {{ $name }}
    value: {{ $value | quote }}
  {{- end }}
  {{- range $name, $source := $v.envValueFrom }}
  - name: {{ $name }}
    valueFrom:
      {{- toYaml $source | nindent 6 }}
  {{- end }}
{{- end }}
{{- if or $v.config.env $v.config.existing $v.secret.env $v.secret.existing $v.envFrom }}
envFrom:
  {{- if $v.config.env }}
  - configMapRef:
      name: {{ $name }}
  {{- end }}
  {{- with $v.config.existing }}
  - configMapRef:
      name: {{ . }}
  {{- end }}
  {{- if $v.secret.env }}
  - secretRef:
      name: {{ $name }}
  {{- end }}
  {{- with $v.secret.existing }}
  - secretRef:
      name: {{ . }}
  {{- end }}
  {{- with $v.envFrom }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end }}
{{- end -}}

{{- define "webapp.volumeMounts" -}}
{{- $v := .Values -}}
{{- if or $v.writablePaths $v.config.files $v.secret.files $v.volumeMounts }}
volumeMounts:
  {{- range $path := $v.writablePaths }}
  - name: {{ include "webapp.writableName" $path }}
    mountPath: {{ $path }}
  {{- end }}
  {{- if $v.config.files }}
  - name: config-files
    mountPath: {{ $v.config.mountPath }}
    readOnly: true
  {{- end }}
  {{- if $v.secret.files }}
  - name: secret-files
    mountPath: {{ $v.secret.mountPath }}
    readOnly: true
  {{- end }}
  {{- with $v.volumeMounts }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end }}
{{- end -}}

{{- define "webapp.writableName" -}}
{{- include "fairlead.cut" (dict "name" (printf "writable-%s" (regexReplaceAll "[^a-z0-9]+" (lower .) "-" | trimAll "-")) "max" 63) -}}
{{- end -}}

{{/* Volumes of every pod that runs the application's image. Takes a list: root, stage. */}}
{{- define "webapp.volumes" -}}
{{- $v := (index . 0).Values -}}
{{- $name := include "webapp.configName" (append . "files") -}}
{{- if or $v.writablePaths $v.config.files $v.secret.files $v.volumes }}
volumes:
  {{- range $path := $v.writablePaths }}
  - name: {{ include "webapp.writableName" $path }}
    emptyDir: {}
  {{- end }}
  {{- if $v.config.files }}
  - name: config-files
    configMap:
      name: {{ $name }}
  {{- end }}
  {{- if $v.secret.files }}
  - name: secret-files
    secret:
      secretName: {{ $name }}
  {{- end }}
  {{- with $v.volumes }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end }}
{{- end -}}
