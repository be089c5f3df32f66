{{/* User and group are the engine's unless given. */}}
{{- define "database.podSecurityContext" -}}
{{- $user := (include "database.preset" . | fromYaml).user -}}
{{- merge dict (.Values.podSecurityContext | default dict) (dict "runAsUser" $user "runAsGroup" $user "fsGroup" $user) | toYaml -}}
{{- end -}}

{{/* The one container that is root: it hands the volumes to the user of the pod. Takes a list: root, preset. */}}
{{- define "database.permissions" -}}
{{- $root := index . 0 -}}
{{- $security := include "database.podSecurityContext" $root | fromYaml -}}
{{- $paths := list (index . 1).mountPath -}}
{{- range $root.Values.storage.extraVolumes -}}
{{- $paths = append $paths .mountPath -}}
{{- end -}}
name: permissions
image: {{ include "database.image" $root }}
imagePullPolicy: {{ $root.Values.image.pullPolicy }}
command:
  {{- concat (list "chown" "-R" (printf "%d:%d" (int $security.runAsUser) (int $security.fsGroup))) $paths | toYaml | nindent 2 }}
securityContext:
  allowPrivilegeEscalation: false
  capabilities:
    add: [CHOWN, DAC_OVERRIDE, FOWNER]
    drop: [ALL]
  readOnlyRootFilesystem: true
  runAsGroup: 0
  runAsNonRoot: false
  runAsUser: 0
volumeMounts:
  - name: data
    mountPath: {{ (index . 1).mountPath }}
  {{- range $root.Values.storage.extraVolumes }}
  - name: {{ .name }}
    mountPath: {{ .mountPath }}
  {{- end }}
{{- end -}}
