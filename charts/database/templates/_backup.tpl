{{/* How each engine is dumped: lines of a shell script that write the file "$part". Takes a dict: port. */}}
{{- define "database.dump.postgresql" -}}
export PGPASSWORD="$POSTGRES_PASSWORD"
pg_dump --no-password --host="$PRIMARY_HOST" --username="$POSTGRES_USER" --format=custom --file="$part" "$POSTGRES_DB"
{{- end -}}

{{- define "database.dump.mysql" -}}
MYSQL_PWD="$MYSQL_PASSWORD" mysqldump --host="$PRIMARY_HOST" --port={{ .port }} --user="$MYSQL_USER" \
  --single-transaction --set-gtid-purged=OFF --no-tablespaces --routines --triggers --result-file="$part" --databases "$MYSQL_DATABASE"
{{- end -}}

{{- define "database.dump.mongodb" -}}
# The password stays out of the command line, which more people read than it should be.
printf 'password: "%s"\n' "$(printf '%s' "$MONGO_INITDB_ROOT_PASSWORD" | sed 's/[\\"]/\\&/g')" > /tmp/login.yaml
mongodump --config=/tmp/login.yaml --host="$PRIMARY_HOST" --port={{ .port }} --username="$MONGO_INITDB_ROOT_USERNAME" \
  --authenticationDatabase=admin --db="$MONGO_INITDB_DATABASE" --gzip --archive="$part"
{{- end -}}

{{- define "database.dump.redis" -}}
REDISCLI_AUTH="$REDIS_PASSWORD" redis-cli -h "$PRIMARY_HOST" -p {{ .port }} --rdb "$part"
{{- end -}}

{{- define "database.dumpSuffix" -}}
{{- get (dict "postgresql" "dump" "mysql" "sql" "mongodb" "archive.gz" "redis" "rdb") . -}}
{{- end -}}

{{/* A backup counts when it is complete: it is written under another name, and the old ones go last. */}}
{{- define "database.backupScript" -}}
set -eu
umask 077
mkdir -p "$BACKUPS"
part="$BACKUPS/.part"
name="$BACKUPS/$(date -u +%Y%m%dT%H%M%SZ).{{ include "database.dumpSuffix" .Values.engine }}"
{{ include (printf "database.dump.%s" .Values.engine) (dict "port" (include "database.preset" . | fromYaml).port) }}
test -s "$part"
mv "$part" "$name"
ls -1 "$BACKUPS" | grep '\.{{ include "database.dumpSuffix" .Values.engine }}$' | sort | head -n -{{ .Values.backup.keep }} | while read -r old; do rm -f "$BACKUPS/$old"; done
{{- end -}}

{{- define "database.backupClaim" -}}
{{- .Values.backup.existingClaim | default (include "database.object" (list . "backup")) -}}
{{- end -}}
