{{/* The exporter that is usual for each engine: image, tag, port, args, env, and secretEnv, whose names get the password.
Takes a dict: port, database and username of the server, metricsPort. */}}
{{- define "database.exporter.postgresql" -}}
image: quay.io/prometheuscommunity/postgres-exporter
tag: v0.17.1
port: 9187
args: ["--web.listen-address=:{{ .metricsPort }}"]
env:
  DATA_SOURCE_URI: 127.0.0.1:{{ .port }}/{{ .database }}?sslmode=disable
  DATA_SOURCE_USER: {{ .username | quote }}
secretEnv: [DATA_SOURCE_PASS]
{{- end -}}

{{- define "database.exporter.mysql" -}}
image: quay.io/prometheus/mysqld-exporter
tag: v0.17.2
port: 9104
args: ["--web.listen-address=:{{ .metricsPort }}", "--mysqld.address=127.0.0.1:{{ .port }}", {{ printf "--mysqld.username=%s" .username | quote }}]
secretEnv: [MYSQLD_EXPORTER_PASSWORD]
{{- end -}}

{{- define "database.exporter.mongodb" -}}
image: percona/mongodb_exporter
tag: "0.47.1"
port: 9216
args: ["--web.listen-address=:{{ .metricsPort }}", "--compatible-mode", "--collector.diagnosticdata"]
env:
  MONGODB_URI: mongodb://127.0.0.1:{{ .port }}/admin
  MONGODB_USER: {{ .username | quote }}
secretEnv: [MONGODB_PASSWORD]
{{- end -}}

{{- define "database.exporter.redis" -}}
image: oliver006/redis_exporter
tag: v1.74.0
port: 9121
args: ["--web.listen-address=:{{ .metricsPort }}"]
env:
  REDIS_ADDR: redis://127.0.0.1:{{ .port }}
secretEnv: [REDIS_PASSWORD]
{{- end -}}

{{/* The exporter of the chosen engine, filled in. */}}
{{- define "database.exporter" -}}
{{- $template := printf "database.exporter.%s" .Values.engine -}}
{{- $in := dict "port" (include "database.preset" . | fromYaml).port "username" .Values.auth.username "database" .Values.auth.database -}}
{{- $port := .Values.metrics.port | default (include $template (merge (dict "metricsPort" 0) $in) | fromYaml).port | int -}}
{{- merge (dict "port" $port) (include $template (merge (dict "metricsPort" $port) $in) | fromYaml) | toYaml -}}
{{- end -}}

{{- define "database.exporterContainer" -}}
{{- $metrics := .Values.metrics -}}
{{- $exporter := include "database.exporter" . | fromYaml -}}
{{- $image := $metrics.image -}}
{{- if and $image.repository (not $image.tag) (not $image.digest) -}}
{{- fail "metrics.image.repository needs metrics.image.tag or metrics.image.digest: an image without either changes under one's feet" -}}
{{- end -}}
{{- $tag := $image.tag -}}
{{- if not (or $tag $image.repository $image.digest) -}}
{{- $tag = $exporter.tag -}}
{{- end -}}
name: metrics
image: {{ include "fairlead.imageRef" (dict "repository" ($image.repository | default $exporter.image) "tag" $tag "digest" $image.digest) }}
imagePullPolicy: {{ $image.pullPolicy }}
args:
  {{- concat $exporter.args ($metrics.args | default list) | toYaml | nindent 2 }}
env:
  {{- range $name, $value := merge dict ($metrics.env | default dict) ($exporter.env | default dict) }}
  - name: {{ $name }}
    value: {{ $value | quote }}
  {{- end }}
  {{- range $exporter.secretEnv }}
  - name: {{ . }}
    valueFrom:
      secretKeyRef:
        name: {{ include "database.secretName" $ }}
        key: {{ $.Values.auth.passwordKey }}
  {{- end }}
ports:
  - name: metrics
    containerPort: {{ $exporter.port }}
    protocol: TCP
{{- with $metrics.resources }}
resources:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.securityContext }}
securityContext:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}
