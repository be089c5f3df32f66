{{/* 52 is what a StatefulSet's name may have: its pods carry it in a label, with a hash of 11 behind it. */}}
{{- define "database.name" -}}
{{- include "fairlead.name" (list . "" 52) -}}
{{- end -}}

{{- define "database.object" -}}
{{- include "fairlead.cut" (dict "name" (printf "%s-%s" (include "database.name" (index . 0)) (index . 1)) "max" 63) -}}
{{- end -}}

{{- define "database.tag" -}}
{{- if .Values.image.tag -}}
{{- .Values.image.tag -}}
{{- else if not (or .Values.image.digest .Values.image.repository) -}}
{{- (include "database.preset" . | fromYaml).tag -}}
{{- end -}}
{{- end -}}

{{- define "database.image" -}}
{{- if and .Values.image.repository (not .Values.image.tag) (not .Values.image.digest) -}}
{{- fail "image.repository needs image.tag or image.digest: an image without either changes under one's feet" -}}
{{- end -}}
{{- $preset := include "database.preset" . | fromYaml -}}
{{- include "fairlead.imageRef" (dict "repository" (.Values.image.repository | default $preset.image) "tag" (include "database.tag" .) "digest" .Values.image.digest) -}}
{{- end -}}

{{- define "database.secretName" -}}
{{- .Values.auth.existingSecret | default (include "database.name" .) -}}
{{- end -}}

{{- define "database.serviceAccountName" -}}
{{- if .Values.serviceAccount.create -}}
{{- .Values.serviceAccount.name | default (include "database.name" .) -}}
{{- else -}}
{{- .Values.serviceAccount.name | default "default" -}}
{{- end -}}
{{- end -}}

{{/* Cluster-scoped: a namespace has no dot in its name, so this belongs to one release of one namespace. */}}
{{- define "database.className" -}}
{{- .Values.storageClass.name | default (printf "%s.%s" .Release.Namespace (include "database.name" .)) -}}
{{- end -}}

{{- define "database.primary" -}}
{{- printf "%s-%d" (include "database.name" .) (dig "start" 0 (.Values.ordinals | default dict) | int) -}}
{{- end -}}

{{/* The spec of a claim. Takes a list: root, values of the volume. */}}
{{- define "database.claim" -}}
{{- $root := index . 0 -}}
{{- $volume := index . 1 -}}
{{- $storage := $root.Values.storage -}}
{{- $class := $volume.className | default $storage.className -}}
{{- if and (not $class) $root.Values.storageClass.create -}}
{{- $class = include "database.className" $root -}}
{{- end -}}
accessModes:
  {{- $volume.accessModes | default $storage.accessModes | toYaml | nindent 2 }}
{{- with $volume.dataSource }}
dataSource:
  {{- toYaml . | nindent 2 }}
{{- end }}
resources:
  requests:
    storage: {{ $volume.size }}
{{- with $class }}
storageClassName: {{ . }}
{{- end }}
{{- end -}}

{{/* The files of the engine, with the lines of the values behind the chart's own. */}}
{{- define "database.files" -}}
{{- $preset := include "database.preset" . | fromYaml -}}
{{- $files := $preset.files -}}
{{- with .Values.configuration -}}
{{- $_ := set $files $preset.configFile (printf "%s%s\n" (get $files $preset.configFile) (trimSuffix "\n" .)) -}}
{{- end -}}
{{- toYaml $files -}}
{{- end -}}

{{/* Refusals that a schema cannot word. */}}
{{- define "database.check" -}}
{{- $auth := .Values.auth -}}
{{- if not (or $auth.password $auth.existingSecret) -}}
{{- fail "a database needs a password: set auth.password, or name an existing Secret in auth.existingSecret (its key password is read)" -}}
{{- end -}}
{{- if and $auth.password $auth.existingSecret -}}
{{- fail "auth.password and auth.existingSecret exclude each other: leave one out" -}}
{{- end -}}
{{- if and $auth.password (has $auth.passwordKey (list "database" "username")) -}}
{{- fail (printf "auth.passwordKey: the Secret has a key %s already; name another" $auth.passwordKey) -}}
{{- end -}}
{{- if and $auth.adminPassword (has $auth.adminPasswordKey (list "database" "username" $auth.passwordKey)) -}}
{{- fail (printf "auth.adminPasswordKey: the Secret has a key %s already; name another, as admin-password" $auth.adminPasswordKey) -}}
{{- end -}}
{{- $preset := include "database.preset" . | fromYaml -}}
{{- $taken := list "data" "config" "init" -}}
{{- range concat (.Values.storage.extraVolumes | default list) (.Values.volumes | default list) -}}
{{- if or (has .name $taken) (hasPrefix "writable-" .name) -}}
{{- fail (printf "storage.extraVolumes and volumes: the pods have a volume %s already; name another" .name) -}}
{{- end -}}
{{- $taken = append $taken .name -}}
{{- end -}}
{{- if and .Values.initScripts (not $preset.initScripts) -}}
{{- fail (printf "initScripts: the image of %s runs none" .Values.engine) -}}
{{- end -}}
{{- if and (eq .Values.engine "mysql") (has $auth.username (list "root" "replica")) -}}
{{- fail (printf "auth.username: mysql has a %s already; name another user" $auth.username) -}}
{{- end -}}
{{- if and .Values.storageClass.create (not .Values.storageClass.provisioner) -}}
{{- fail "storageClass.create needs storageClass.provisioner: the CSI driver that makes the volumes, as ebs.csi.aws.com" -}}
{{- end -}}
{{- end -}}
