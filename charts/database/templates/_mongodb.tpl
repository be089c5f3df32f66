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
    processManagement:
      fork: false
  start.sh: |
    # The pods are a replica set. They know each other by a key made from the password; only the first pod initializes
    # its volume, the others copy everything from it.
    set -eu
    umask 077
    printf '%s' "$MONGO_INITDB_ROOT_PASSWORD" | sha256sum | cut -c 1-64 > /tmp/keyfile
    mongosh --nodb --norc --quiet /etc/database/member.js &
    set -- mongod --config /etc/database/mongod.conf --bind_ip_all --port {{ .port }} --replSet rs0 --keyFile /tmp/keyfile
    if [ "$HOSTNAME" = "$PRIMARY" ]; then exec docker-entrypoint.sh "$@"; fi
    exec "$@"
  member.js: |
    // The first pod founds the replica set, any other adds itself: without a vote, so that the first stays the primary
    // whoever comes or goes. Tried until it is done, and harmless when done before.
    const { HOSTNAME, PRIMARY, PRIMARY_HOST, MONGO_INITDB_ROOT_USERNAME, MONGO_INITDB_ROOT_PASSWORD } = process.env;
    const primary = `${PRIMARY_HOST}:{{ .port }}`;
    const self = PRIMARY_HOST.replace(PRIMARY, HOSTNAME) + ':{{ .port }}';
    function join() {
      const seat = HOSTNAME === PRIMARY ? '127.0.0.1:{{ .port }}' : primary;
      const admin = new Mongo(`mongodb://${seat}/?directConnection=true`).getDB('admin');
      admin.auth(MONGO_INITDB_ROOT_USERNAME, MONGO_INITDB_ROOT_PASSWORD);
      if (HOSTNAME === PRIMARY) {
        admin.runCommand({ replSetInitiate: { _id: 'rs0', members: [{ _id: 0, host: primary }] } });
        return;
      }
      const { config } = admin.runCommand({ replSetGetConfig: 1 });
      if (config.members.some((member) => member.host === self)) return;
      config.version += 1;
      config.members.push({ _id: Math.max(...config.members.map((member) => member._id)) + 1, host: self, priority: 0, votes: 0 });
      admin.runCommand({ replSetReconfig: config });
    }
    for (;;) {
      try {
        join();
        break;
      } catch (error) {
        if (error.codeName === 'AlreadyInitialized') break;
        print(`replica set: ${error.message}`);
        sleep(5000);
      }
    }
command: ["sh", "/etc/database/start.sh"]
env:
  HOME: /tmp
  MONGO_INITDB_DATABASE: {{ .database | quote }}
  MONGO_INITDB_ROOT_USERNAME: {{ .username | quote }}
secretEnv:
  MONGO_INITDB_ROOT_PASSWORD: password
ready: ["mongosh", "--quiet", "--port", "{{ .port }}", "--eval", 'const state = db.hello(); quit(state.isWritablePrimary || state.secondary ? 0 : 1)']
initScripts: /docker-entrypoint-initdb.d
{{- end -}}
