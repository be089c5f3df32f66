{{/* What every built-in chart has in common. The file is the same in each of them. */}}

{{/* A name of at most max characters; a longer one ends in a hash of the whole. Takes a dict of name and max. */}}
{{- define "fairlead.cut" -}}
{{- if le (len .name) .max -}}
{{- .name -}}
{{- else -}}
{{- printf "%s-%s" (.name | trunc (int (sub .max 9)) | trimSuffix "-" | trimSuffix ".") (.name | sha256sum | trunc 8) -}}
{{- end -}}
{{- end -}}

{{/* The release's own name; inside another chart, with this chart's name behind it. */}}
{{- define "fairlead.base" -}}
{{- $name := .Values.nameOverride | default .Chart.Name -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride -}}
{{- else if or (contains $name .Release.Name) (and .Chart.IsRoot (not .Values.nameOverride)) -}}
{{- .Release.Name -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name -}}
{{- end -}}
{{- end -}}

{{/* The name of an object: the base and a suffix, cut. Takes a list: root, suffix ("" for none), longest length. */}}
{{- define "fairlead.name" -}}
{{- $parts := without (list (include "fairlead.base" (index . 0)) (index . 1)) "" -}}
{{- include "fairlead.cut" (dict "name" (join "-" $parts) "max" (index . 2)) -}}
{{- end -}}

{{/* Labels that select pods. They never change between versions of a chart. Takes a list: root, component. */}}
{{- define "fairlead.selector" -}}
{{- $root := index . 0 -}}
app.kubernetes.io/component: {{ index . 1 | quote }}
app.kubernetes.io/instance: {{ $root.Release.Name | quote }}
app.kubernetes.io/name: {{ $root.Values.nameOverride | default $root.Chart.Name | quote }}
{{- end -}}

{{/* The version that runs, as a label may spell it. */}}
{{- define "fairlead.version" -}}
{{- $tag := include (hasKey .Values "engine" | ternary "database.tag" "webapp.tag") . -}}
{{- regexReplaceAll "[^A-Za-z0-9_.-]" $tag "_" | trunc 63 | trimAll "-_." -}}
{{- end -}}

{{/* All labels of an object. Takes a list: root, component. */}}
{{- define "fairlead.labels" -}}
{{- $root := index . 0 -}}
{{- $labels := include "fairlead.selector" . | fromYaml -}}
{{- $_ := set $labels "app.kubernetes.io/managed-by" $root.Release.Service -}}
{{- $_ := set $labels "helm.sh/chart" (printf "%s-%s" $root.Chart.Name $root.Chart.Version | replace "+" "_" | trunc 63 | trimAll "-_.") -}}
{{- with include "fairlead.version" $root -}}
{{- $_ := set $labels "app.kubernetes.io/version" . -}}
{{- end -}}
{{- merge $labels ($root.Values.labels | default dict) | toYaml -}}
{{- end -}}

{{/* The metadata of an object. Takes a dict: root, name, component, and annotations or labels of its own. */}}
{{- define "fairlead.metadata" -}}
{{- $annotations := merge dict (.annotations | default dict) (.root.Values.annotations | default dict) -}}
{{- $labels := include "fairlead.labels" (list .root .component) | fromYaml -}}
name: {{ .name }}
{{- if not .clusterScoped }}
namespace: {{ .root.Release.Namespace }}
{{- end }}
labels:
  {{- merge $labels (.labels | default dict) | toYaml | nindent 2 }}
{{- with $annotations }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{/* An image by tag, digest or both. Takes a dict: repository, tag, digest. */}}
{{- define "fairlead.imageRef" -}}
{{- .repository -}}
{{- with .tag }}:{{ . }}{{ end -}}
{{- with .digest }}@{{ . }}{{ end -}}
{{- end -}}

{{/* A probe, its port filled in where it names none. Takes a list: probe, name of the port, its number. */}}
{{- define "fairlead.probe" -}}
{{- $probe := deepCopy (index . 0) -}}
{{- range $handler := list "httpGet" "tcpSocket" "grpc" -}}
{{- if hasKey $probe $handler -}}
{{- $check := get $probe $handler -}}
{{- if not $check.port -}}
{{- $_ := set $check "port" (ternary (int (index $ 2)) (index $ 1) (eq $handler "grpc")) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- toYaml $probe -}}
{{- end -}}

{{/* The Secret by which the registries of registries let their images be pulled. */}}
{{- define "fairlead.dockerconfigjson" -}}
{{- $auths := dict -}}
{{- range .Values.registries -}}
{{- $auth := dict "username" .username "password" .password "auth" (printf "%s:%s" .username .password | b64enc) -}}
{{- with .email -}}
{{- $_ := set $auth "email" . -}}
{{- end -}}
{{- $_ := set $auths .server $auth -}}
{{- end -}}
{{- dict "auths" $auths | toJson -}}
{{- end -}}

{{/* What every pod of the chart says besides its containers.
Takes a dict: root, component, serviceAccountName, securityContext (default: the values'), stage (default: none). */}}
{{- define "fairlead.podSettings" -}}
{{- $v := .root.Values -}}
{{- $pull := $v.imagePullSecrets | default list -}}
{{- if $v.registries -}}
{{- $pull = prepend $pull (include "fairlead.name" (list .root (without (list .stage "registry") "" nil | join "-") 63)) -}}
{{- end -}}
{{- with .serviceAccountName }}
serviceAccountName: {{ . }}
{{- end }}
automountServiceAccountToken: {{ $v.serviceAccount.automountToken }}
{{- with $pull }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . }}
  {{- end }}
{{- end }}
{{- with .securityContext | default $v.podSecurityContext }}
securityContext:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $v.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with $v.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $v.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $v.topologySpreadConstraints }}
topologySpreadConstraints:
  {{- range . }}
  - {{ merge dict . (dict "labelSelector" (dict "matchLabels" (include "fairlead.selector" (list $.root $.component) | fromYaml))) | toYaml | nindent 4 | trim }}
  {{- end }}
{{- end }}
{{- end -}}
