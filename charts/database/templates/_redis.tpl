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
{{- end -}}
