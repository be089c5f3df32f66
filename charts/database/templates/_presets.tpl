{{/* What the engines differ in. Every preset, in a file of its own, answers the same questions:
image, tag, port, user (of the image's server), mountPath (of the claim), writablePaths, configFile, files, args, command,
env (plain values), secretEnv (NAME: password or adminPassword, from the Secret), ready (a command that exits 0 when the
server answers), initScripts (where the image looks for them), join (a script that prepares a pod before its server starts).
Scripts are told the first pod's name, PRIMARY, and where it is reached, PRIMARY_HOST. */}}

{{/* The preset of the chosen engine, filled in. */}}
{{- define "database.preset" -}}
{{- $template := printf "database.preset.%s" .Values.engine -}}
{{- $in := dict "port" .Values.port "username" .Values.auth.username "database" .Values.auth.database -}}
{{- if not .Values.port -}}
{{- $_ := set $in "port" (include $template $in | fromYaml).port -}}
{{- end -}}
{{- $_ := set $in "port" (int $in.port) -}}
{{- merge (dict "port" $in.port) (include $template $in | fromYaml) | toYaml -}}
{{- end -}}
