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
{{- end -}}
