{{/* A container of the values, with the chart's security context unless it has its own. Takes a list: root, container. */}}
{{- define "webapp.extraContainer" -}}
{{- $root := index . 0 -}}
{{- $container := index . 1 -}}
{{- if and $root.Values.securityContext (not $container.securityContext) -}}
{{- $container = merge (dict "securityContext" $root.Values.securityContext) $container -}}
{{- end -}}
{{- toYaml $container -}}
{{- end -}}

{{/* The application's image with its surroundings, to serve or to do a job.
Takes a dict: root, name, stage, and command, args and resources of its own. */}}
{{- define "webapp.container" -}}
{{- $v := .root.Values -}}
name: {{ .name }}
image: {{ include "webapp.image" .root }}
imagePullPolicy: {{ $v.image.pullPolicy }}
{{- with .command }}
command:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .args }}
args:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- include "webapp.environment" (list .root .stage) }}
{{- with .resources }}
resources:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $v.securityContext }}
securityContext:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- include "webapp.volumeMounts" .root }}
{{- end -}}

{{/* What only the serving container has: ports, probes, lifecycle. */}}
{{- define "webapp.serving" -}}
{{- $v := .Values -}}
ports:
  - name: http
    containerPort: {{ $v.containerPort }}
    protocol: TCP
  {{- range $v.extraPorts }}
  - name: {{ .name }}
    containerPort: {{ .containerPort }}
    protocol: {{ .protocol | default "TCP" }}
  {{- end }}
{{- if $v.probes.enabled }}
{{- include "webapp.probes" . }}
{{- end }}
{{- $lifecycle := deepCopy ($v.lifecycle | default dict) }}
{{- if and $v.shutdownDelaySeconds (not $lifecycle.preStop) }}
{{- $_ := set $lifecycle "preStop" (dict "sleep" (dict "seconds" $v.shutdownDelaySeconds)) }}
{{- end }}
{{- with $lifecycle }}
lifecycle:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{/* Annotations that make the pods roll when what they read at their start has changed. */}}
{{- define "webapp.podAnnotations" -}}
{{- $annotations := deepCopy (.Values.podAnnotations | default dict) -}}
{{- range $kind := list "config" "secret" -}}
{{- $content := pick (get $.Values $kind) "env" "files" -}}
{{- if or $content.env $content.files -}}
{{- $_ := set $annotations (printf "checksum/%s" $kind) ($content | toJson | sha256sum) -}}
{{- end -}}
{{- end -}}
{{- with $annotations -}}
{{- toYaml . -}}
{{- end -}}
{{- end -}}

{{/* The pod of a Job. Takes a dict: root, name, component, stage, serviceAccountName, and job, its values. */}}
{{- define "webapp.jobPod" -}}
metadata:
  labels:
    {{- merge (include "fairlead.selector" (list .root .component) | fromYaml) (.root.Values.podLabels | default dict) | toYaml | nindent 4 }}
spec:
  restartPolicy: Never
  {{- include "fairlead.podSettings" (dict "root" .root "component" .component "stage" .stage "serviceAccountName" .serviceAccountName) | trim | nindent 2 }}
  {{- with .root.Values.affinity }}
  affinity:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  containers:
    - {{ include "webapp.container" (dict "root" .root "name" .name "stage" .stage "command" .job.command "args" .job.args "resources" (.job.resources | default .root.Values.resources)) | nindent 6 | trim }}
  {{- with include "webapp.volumes" (list .root .stage) }}
  {{- . | trim | nindent 2 }}
  {{- end }}
{{- end -}}
