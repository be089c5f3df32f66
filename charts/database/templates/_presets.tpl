{{/* What the engines differ in. Every preset answers the same questions:
image, tag, port, user (of the image's server), mountPath (of the claim), writablePaths, configFile, args, command,
env (NAME: password or adminPassword, from the Secret; or a plain value), ready (a command that exits 0 when the server
answers), initScripts (where the image looks for them), join (a script that prepares a replica before its server starts). */}}
{{- define "database.preset.postgresql" -}}
image: postgres
tag: "17"
port: 5432
user: 999
mountPath: /var/lib/postgresql/data
writablePaths: [/tmp, /var/run/postgresql]
configFile: postgresql.conf
files:
  postgresql.conf: |
    listen_addresses = '*'
    port = {{ .port }}
  pg_hba.conf: |
    local all         all     trust
    host  all         all all scram-sha-256
    host  replication all all scram-sha-256
  join.sh: |
    # A replica begins as a copy of the primary and follows it from there. The password is read from a file that is
    # written at each start of the pod, so that it never lies on the volume and may change.
    set -eu
    if [ "$HOSTNAME" = "$PRIMARY" ]; then exit 0; fi
    umask 077
    printf '*:*:*:*:%s\n' "$(printf '%s' "$POSTGRES_PASSWORD" | sed 's/[\\:]/\\&/g')" > "$PGPASSFILE"
    if [ -s "$PGDATA/PG_VERSION" ]; then exit 0; fi
    until pg_isready --quiet --host="$PRIMARY_HOST" --username="$POSTGRES_USER"; do sleep 2; done
    rm -rf "$PGDATA.part"
    pg_basebackup --no-password --host="$PRIMARY_HOST" --username="$POSTGRES_USER" \
      --pgdata="$PGDATA.part" --write-recovery-conf --wal-method=stream --checkpoint=fast
    rm -rf "$PGDATA"
    mv "$PGDATA.part" "$PGDATA"
join: join.sh
args: ["-c", "config_file=/etc/database/postgresql.conf", "-c", "hba_file=/etc/database/pg_hba.conf"]
env:
  PGDATA: /var/lib/postgresql/data/pgdata
  PGPASSFILE: /tmp/pgpass
  PGPORT: {{ .port | quote }}
  POSTGRES_DB: {{ .database | quote }}
  POSTGRES_USER: {{ .username | quote }}
secretEnv:
  POSTGRES_PASSWORD: password
ready: ["sh", "-c", 'exec pg_isready --quiet --host=127.0.0.1 --username="$POSTGRES_USER"']
initScripts: /docker-entrypoint-initdb.d
replicates: true
{{- end -}}

{{- define "database.preset.redis" -}}
image: redis
tag: "8.2"
port: 6379
user: 999
mountPath: /data
writablePaths: [/tmp]
configFile: redis.conf
files:
  redis.conf: |
    port {{ .port }}
    dir /data
    appendonly yes
  start.sh: |
    # The password stays out of the ConfigMap and of the command line: both are read by more people than it should be.
    set -eu
    umask 077
    password=$(printf '%s' "$REDIS_PASSWORD" | sed 's/[\\"]/\\&/g')
    {
      cat /etc/database/redis.conf
      printf 'requirepass "%s"\nmasterauth "%s"\n' "$password" "$password"
      if [ "$HOSTNAME" != "$PRIMARY" ]; then printf 'replicaof %s {{ .port }}\n' "$PRIMARY_HOST"; fi
    } > /tmp/redis.conf
    exec redis-server /tmp/redis.conf
command: ["sh", "/etc/database/start.sh"]
secretEnv:
  REDIS_PASSWORD: password
ready: ["sh", "-c", 'REDISCLI_AUTH="$REDIS_PASSWORD" redis-cli -p {{ .port }} ping | grep -q PONG']
replicates: true
{{- end -}}

{{- define "database.preset.mysql" -}}
image: mysql
tag: "8.4"
port: 3306
user: 999
mountPath: /var/lib/mysql
writablePaths: [/tmp, /var/run/mysqld]
configFile: my.cnf
files:
  my.cnf: |
    [mysqld]
    port = {{ .port }}
args: ["--defaults-extra-file=/etc/database/my.cnf", "--datadir=/var/lib/mysql/data"]
env:
  MYSQL_DATABASE: {{ .database | quote }}
  MYSQL_USER: {{ .username | quote }}
secretEnv:
  MYSQL_PASSWORD: password
  MYSQL_ROOT_PASSWORD: adminPassword
ready: ["sh", "-c", 'MYSQL_PWD="$MYSQL_PASSWORD" exec mysqladmin ping --silent --host=127.0.0.1 --port={{ .port }} --user="$MYSQL_USER"']
initScripts: /docker-entrypoint-initdb.d
{{- end -}}

{{- define "database.preset.mongodb" -}}
image: mongo
tag: "8.0"
port: 27017
user: 999
mountPath: /data/db
writablePaths: [/tmp, /data/configdb]
configFile: mongod.conf
files:
  mongod.conf: |
    net:
      port: {{ .port }}
      bindIpAll: true
args: ["--config", "/etc/database/mongod.conf"]
env:
  MONGO_INITDB_DATABASE: {{ .database | quote }}
  MONGO_INITDB_ROOT_USERNAME: {{ .username | quote }}
secretEnv:
  MONGO_INITDB_ROOT_PASSWORD: password
ready: ["mongosh", "--quiet", "--port", "{{ .port }}", "--eval", 'quit(db.adminCommand("ping").ok ? 0 : 1)']
initScripts: /docker-entrypoint-initdb.d
{{- end -}}

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
