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
    !include /tmp/pod.cnf
    [mysqld]
    port = {{ .port }}
    gtid_mode = ON
    enforce_gtid_consistency = ON
    plugin_load_add = mysql_clone.so
  join.sh: |
    # Writes what differs from pod to pod; a replica begins as a clone of the primary. Replicas log in as a user of their
    # own, whose password is made from root's, because replication takes none of more than 32 characters.
    set -eu
    umask 077
    data=/var/lib/mysql/data
    password=$(printf 'replica:%s' "$MYSQL_ROOT_PASSWORD" | sha256sum | cut -c 1-32)
    printf '[mysqld]\nserver_id = %d\n' "$((${HOSTNAME##*-} + 1))" > /tmp/pod.cnf
    if [ "$HOSTNAME" = "$PRIMARY" ]; then
      cat > /tmp/start.sql <<EOF
    SET sql_log_bin = OFF;
    CREATE USER IF NOT EXISTS replica IDENTIFIED BY '$password';
    ALTER USER replica IDENTIFIED BY '$password';
    GRANT REPLICATION SLAVE, BACKUP_ADMIN ON *.* TO replica;
    EOF
      echo 'init_file = /tmp/start.sql' >> /tmp/pod.cnf
      exit 0
    fi
    if [ ! -d "$data" ]; then
      seed() { mysqld --defaults-extra-file=/etc/database/my.cnf --datadir="$data.seed" --socket=/tmp/seed.sock --pid-file=/tmp/seed.pid "$@"; }
      rm -rf "$data.seed" "$data.part"
      until mysqladmin --no-defaults ping --silent --host="$PRIMARY_HOST" --port={{ .port }}; do sleep 2; done
      seed --initialize-insecure
      seed --skip-networking --mysqlx=OFF --daemonize
      mysql --no-defaults --socket=/tmp/seed.sock --user=root <<EOF
    SET GLOBAL clone_valid_donor_list = '$PRIMARY_HOST:{{ .port }}';
    CLONE INSTANCE FROM replica@'$PRIMARY_HOST':{{ .port }} IDENTIFIED BY '$password' DATA DIRECTORY = '$data.part';
    EOF
      mysqladmin --no-defaults --socket=/tmp/seed.sock --user=root shutdown
      rm -rf "$data.seed"
      mv "$data.part" "$data"
    fi
    cat > /tmp/start.sql <<EOF
    CHANGE REPLICATION SOURCE TO SOURCE_HOST = '$PRIMARY_HOST', SOURCE_PORT = {{ .port }}, SOURCE_AUTO_POSITION = 1, SOURCE_SSL = 1, SOURCE_CONNECT_RETRY = 5, SOURCE_RETRY_COUNT = 0;
    START REPLICA USER = 'replica' PASSWORD = '$password';
    EOF
    printf 'super_read_only = ON\nskip_replica_start = ON\ninit_file = /tmp/start.sql\n' >> /tmp/pod.cnf
join: join.sh
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
