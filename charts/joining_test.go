package charts

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// podFiles are the files of the ConfigMaps, with the paths of the container turned into those below a folder.
func podFiles(t *testing.T, dir string, values map[string]any) {
	t.Helper()
	replace := strings.NewReplacer("/etc/database/", dir+"/", "/tmp/", dir+"/", "/var/lib/mysql/", dir+"/")
	for _, object := range renderObjects(t, "database", "shop-db", "prod", values) {
		if object.GetKind() != "ConfigMap" {
			continue
		}
		for name, content := range object.Object["data"].(map[string]any) {
			if err := os.WriteFile(filepath.Join(dir, name), []byte(replace.Replace(content.(string))), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// runPod runs a script as the given pod, where each of the programs only notes down what it was asked.
func runPod(t *testing.T, dir, pod, script string, programs map[string]string) string {
	t.Helper()
	calls, bin := filepath.Join(dir, "calls"), t.TempDir()
	os.Remove(calls)
	for name, more := range programs {
		text := "#!/bin/sh\necho " + name + " \"$@\" >> " + calls + "\n" + more + "\n"
		if err := os.WriteFile(filepath.Join(bin, name), []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.CommandContext(t.Context(), "sh", filepath.Join(dir, script))
	cmd.Env = []string{
		"PATH=" + bin + ":/usr/bin:/bin", "HOSTNAME=" + pod, "PRIMARY=shop-db-0", "PRIMARY_HOST=shop-db-0.shop-db-headless.prod.svc",
		"MYSQL_ROOT_PASSWORD=s3cret", "MONGO_INITDB_ROOT_PASSWORD=s3cret",
	}
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s of %s: %v\n%s", script, pod, err, out)
	}
	data, _ := os.ReadFile(calls)
	return strings.ReplaceAll(string(data), dir, "")
}

func TestMySQLJoins(t *testing.T) {
	programs := map[string]string{
		"mysqladmin": "", "mysqld": "", "mysql": `sed -n "s/.*DATA DIRECTORY = '\(.*\)';/\1/p" | xargs mkdir`,
	}
	dir := t.TempDir()
	podFiles(t, dir, map[string]any{"engine": "mysql", "replicas": 3, "auth": map[string]any{"password": "unused"}})

	if calls := runPod(t, dir, "shop-db-0", "join.sh", programs); calls != "" {
		t.Errorf("the primary prepares itself by\n%s", calls)
	}
	login := read(t, filepath.Join(dir, "start.sql"))
	if !strings.Contains(login, "SET sql_log_bin = OFF;\nCREATE USER IF NOT EXISTS replica") || strings.Contains(login, "s3cret") {
		t.Errorf("the primary begins with\n%s", login)
	}

	const seed = "mysqld --defaults-extra-file=/my.cnf --datadir=/data.seed --socket=/seed.sock --pid-file=/seed.pid "
	want := "mysqladmin --no-defaults ping --silent --host=shop-db-0.shop-db-headless.prod.svc --port=3306\n" +
		seed + "--initialize-insecure\n" + seed + "--skip-networking --mysqlx=OFF --daemonize\n" +
		"mysql --no-defaults --socket=/seed.sock --user=root\n" +
		"mysqladmin --no-defaults --socket=/seed.sock --user=root shutdown\n"
	for _, want := range []string{want, ""} { // at the first start it clones, at the second it has its data
		if diff := cmp.Diff(want, runPod(t, dir, "shop-db-12", "join.sh", programs)); diff != "" {
			t.Errorf("a replica prepares itself otherwise (-want +got):\n%s", diff)
		}
		own := strings.ReplaceAll(read(t, filepath.Join(dir, "pod.cnf")), dir, "")
		if diff := cmp.Diff("[mysqld]\nserver_id = 13\nsuper_read_only = ON\nskip_replica_start = ON\ninit_file = /start.sql\n", own); diff != "" {
			t.Errorf("settings of a replica (-want +got):\n%s", diff)
		}
		if follow := read(t, filepath.Join(dir, "start.sql")); !strings.Contains(follow, "SOURCE_HOST = 'shop-db-0.shop-db-headless.prod.svc', SOURCE_PORT = 3306, SOURCE_AUTO_POSITION = 1") {
			t.Errorf("a replica begins with\n%s", follow)
		}
	}
}

func TestMongoDBStarts(t *testing.T) {
	programs := map[string]string{"mongosh": "", "mongod": "sleep 0.3", "docker-entrypoint.sh": "sleep 0.3"} // calls in no order
	dir := t.TempDir()
	podFiles(t, dir, map[string]any{"engine": "mongodb", "replicas": 3, "auth": map[string]any{"password": "unused"}})
	const server = "mongod --config /mongod.conf --bind_ip_all --port 27017 --replSet rs0 --keyFile /keyfile\n"
	for pod, want := range map[string]string{"shop-db-0": "docker-entrypoint.sh " + server, "shop-db-1": server} {
		calls := runPod(t, dir, pod, "start.sh", programs)
		for _, line := range []string{want, "mongosh --nodb --norc --quiet /member.js\n"} {
			if !strings.Contains("\n"+calls, "\n"+line) {
				t.Errorf("%s is started by\n%swithout\n%s", pod, calls, line)
			}
		}
		if key := read(t, filepath.Join(dir, "keyfile")); len(strings.TrimSpace(key)) != 64 {
			t.Errorf("the key is %q", key)
		}
		if info, err := os.Stat(filepath.Join(dir, "keyfile")); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("the key is open to others: %v, %v", info, err)
		}
	}
}

// What the script of MongoDB's members finds in the shell, where the first request after the login fails. A pod of the
// environment runs it, and what becomes of the replica set is printed.
const mongoShell = `
const set = JSON.parse(process.env.SET), text = require('fs').readFileSync(process.argv[1], 'utf8');
let config = set, failures = 1;
const fail = (codeName) => { throw Object.assign(new Error(codeName), { codeName }); };
const commands = {
  replSetInitiate({ replSetInitiate: founded }) { if (config) fail('AlreadyInitialized'); config = { ...founded, version: 1 }; },
  replSetGetConfig() { return { config: structuredClone(config) }; },
  replSetReconfig({ replSetReconfig: next }) { if (next.version !== config.version + 1) fail('BadVersion'); config = next; },
};
class Mongo {
  constructor(address) { this.address = address; }
  getDB() { return {
    auth: (user, password) => { if (user !== 'app' || password !== 's3cret') fail('AuthenticationFailed'); },
    runCommand: (command) => failures-- > 0 ? fail('HostUnreachable') : commands[Object.keys(command)[0]](command),
  }; }
}
let waits = 0;
new Function('Mongo', 'sleep', 'print', text)(Mongo, () => { if (++waits > 3) process.exit(1); }, () => {});
console.log(JSON.stringify(config));
`

func TestMongoDBMembers(t *testing.T) {
	if _, err := exec.LookPath("node"); err != nil {
		t.Skip("needs a JavaScript engine: apt-get install nodejs")
	}
	dir := t.TempDir()
	podFiles(t, dir, map[string]any{"engine": "mongodb", "replicas": 3, "auth": map[string]any{"password": "unused"}})
	host := func(pod string) string { return pod + ".shop-db-headless.prod.svc:27017" }
	one := map[string]any{"_id": 0.0, "host": host("shop-db-0")}
	two := map[string]any{"_id": 1.0, "host": host("shop-db-1"), "priority": 0.0, "votes": 0.0}
	three := map[string]any{"_id": 2.0, "host": host("shop-db-2"), "priority": 0.0, "votes": 0.0}
	set := func(version float64, members ...any) map[string]any {
		return map[string]any{"_id": "rs0", "version": version, "members": members}
	}
	tests := map[string]struct {
		pod          string
		before, want map[string]any
	}{
		"the first founds":         {"shop-db-0", nil, set(1, one)},
		"the first again":          {"shop-db-0", set(3, one, two), set(3, one, two)},
		"the second adds itself":   {"shop-db-1", set(1, one), set(2, one, two)},
		"the second again":         {"shop-db-1", set(2, one, two), set(2, one, two)},
		"the third adds itself":    {"shop-db-2", set(2, one, two), set(3, one, two, three)},
		"the third comes back":     {"shop-db-2", set(3, one, two, three), set(3, one, two, three)},
		"the third of one no more": {"shop-db-2", set(7, one, three), set(7, one, three)},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			before, err := json.Marshal(test.before)
			if err != nil {
				t.Fatal(err)
			}
			cmd := exec.CommandContext(t.Context(), "node", "-e", mongoShell, filepath.Join(dir, "member.js"))
			cmd.Env = []string{
				"PATH=" + os.Getenv("PATH"), "SET=" + string(before), "HOSTNAME=" + test.pod, "PRIMARY=shop-db-0",
				"PRIMARY_HOST=shop-db-0.shop-db-headless.prod.svc", "MONGO_INITDB_ROOT_USERNAME=app", "MONGO_INITDB_ROOT_PASSWORD=s3cret",
			}
			out, err := cmd.CombinedOutput()
			if err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			var got map[string]any
			if err := json.Unmarshal(out, &got); err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("the replica set (-want +got):\n%s", diff)
			}
		})
	}
}
