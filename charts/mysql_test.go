package charts

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/fairlead-dev/fairlead/internal/testcluster"
)

// The preset of MySQL on the real server: a replica is cloned by the ConfigMap's script, follows the primary, takes no
// writes, and comes back after a restart with another password. It needs MySQL 8.4 or later in the PATH, which Debian's
// stable release does not have: its mysqld is MariaDB's, which speaks otherwise of replication.
func TestMySQLReplicates(t *testing.T) {
	if testing.Short() {
		t.Skip("starts servers; run without -short")
	}
	version, err := exec.Command("mysqld", "--version").CombinedOutput()
	if err != nil || strings.Contains(string(version), "MariaDB") {
		t.Skip("needs the server of MySQL, not of MariaDB, as mysqld in the PATH")
	}
	const first, second = `0ne-s3cret`, `sec'ond\-and-longer-than-32-characters`
	m := newMySQL(t)

	primary := m.pod("shop-db-0", "127.0.0.1")
	primary.join(first)
	primary.initialize(first)
	primary.start(first)
	primary.query(first, "CREATE TABLE app.orders (id int PRIMARY KEY); INSERT INTO app.orders VALUES (1)")

	replica := m.pod("shop-db-1", "127.0.0.2")
	replica.join(first)
	replica.start(first)
	replica.eventually(first, "SELECT COUNT(*) FROM app.orders", "1")
	primary.query(first, "INSERT INTO app.orders VALUES (2)")
	replica.eventually(first, "SELECT COUNT(*) FROM app.orders", "2")
	if out, err := replica.ask(first, "INSERT INTO app.orders VALUES (3)"); err == nil || !strings.Contains(out, "super-read-only") {
		t.Errorf("the replica takes writes: %s", out)
	}
	if left, _ := filepath.Glob(replica.data + ".*"); len(left) > 0 {
		t.Errorf("the script leaves %v", left)
	}

	// Both come back: the primary has another password and goes on as before, the replica catches up.
	replica.stop()
	primary.query(first, "ALTER USER root@localhost IDENTIFIED BY '"+mysqlQuote(second)+"'; ALTER USER root@'%' IDENTIFIED BY '"+mysqlQuote(second)+"'")
	primary.stop()
	primary.join(second)
	primary.start(second)
	primary.query(second, "INSERT INTO app.orders VALUES (3)")
	replica.join(second)
	replica.start(second)
	replica.eventually(second, "SELECT COUNT(*) FROM app.orders", "3")

	// The primary may be away for a while, and the replica asks on.
	primary.stop()
	primary.join(second)
	primary.start(second)
	primary.query(second, "INSERT INTO app.orders VALUES (4)")
	replica.eventually(second, "SELECT COUNT(*) FROM app.orders", "4")

	if dump := primary.backup(); !strings.Contains(dump, "INSERT INTO `orders`") || strings.Contains(dump, "GTID_PURGED=") {
		t.Errorf("the backup:\n%s", dump)
	}
}

func mysqlQuote(text string) string {
	return strings.NewReplacer(`\`, `\\`, `'`, `''`).Replace(text)
}

type mysql struct {
	t          *testing.T
	dir        string
	credential *syscall.Credential // MySQL refuses to run as root
	port       int
}

func newMySQL(t *testing.T) *mysql {
	dir, credential := unprivileged(t)
	return &mysql{t: t, dir: dir, credential: credential, port: freePort(t)}
}

// mysqlPod is a pod whose paths are those below a folder.
type mysqlPod struct {
	*mysql
	name, host, dir, data string
	cmd                   *exec.Cmd
	log                   strings.Builder
}

func (m *mysql) pod(name, host string) *mysqlPod {
	m.t.Helper()
	dir := filepath.Join(m.dir, name)
	p := &mysqlPod{mysql: m, name: name, host: host, dir: dir, data: filepath.Join(dir, "data")}
	m.owned(dir)
	podFiles(m.t, dir, map[string]any{
		"engine": "mysql", "replicas": 2, "port": m.port, "backup": map[string]any{"enabled": true}, "auth": map[string]any{"password": "unused"},
		"configuration": "bind_address = " + host + "\nmysqlx = OFF\nsocket = /tmp/mysqld.sock\npid_file = /tmp/mysqld.pid\n",
	})
	return p
}

// owned makes a folder of the servers' user.
func (m *mysql) owned(dir string) {
	m.t.Helper()
	if err := os.Mkdir(dir, 0o755); err != nil {
		m.t.Fatal(err)
	}
	if m.credential != nil {
		if err := os.Chown(dir, int(m.credential.Uid), int(m.credential.Gid)); err != nil {
			m.t.Fatal(err)
		}
	}
}

func (p *mysqlPod) command(password, name string, args ...string) *exec.Cmd {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	p.t.Cleanup(cancel)
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = p.dir
	cmd.Env = []string{
		"PATH=" + os.Getenv("PATH"), "HOSTNAME=" + p.name, "PRIMARY=shop-db-0", "PRIMARY_HOST=127.0.0.1",
		"MYSQL_ROOT_PASSWORD=" + password, "MYSQL_USER=app", "MYSQL_PASSWORD=app", "MYSQL_DATABASE=app", "BACKUPS=" + filepath.Join(p.dir, "backups"),
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: p.credential, Pdeathsig: syscall.SIGKILL}
	return cmd
}

func (p *mysqlPod) run(password, name string, args ...string) {
	p.t.Helper()
	if out, err := p.command(password, name, args...).CombinedOutput(); err != nil {
		p.t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
}

func (p *mysqlPod) join(password string) {
	p.t.Helper()
	p.run(password, "sh", filepath.Join(p.dir, "join.sh"))
}

func (p *mysqlPod) args(more ...string) []string {
	return append([]string{"--defaults-extra-file=" + filepath.Join(p.dir, "my.cnf"), "--datadir=" + p.data}, more...)
}

// initialize does what the image does with an empty volume: with the pod's own arguments it initializes, and with a
// server that has no network it makes users and database.
func (p *mysqlPod) initialize(password string) {
	p.t.Helper()
	p.run(password, "mysqld", p.args("--initialize-insecure")...)
	p.start("", "--skip-networking")
	p.query("", "SET SESSION sql_log_bin = 0; ALTER USER root@localhost IDENTIFIED BY '"+password+"'; CREATE USER root@'%' IDENTIFIED BY '"+password+
		"'; GRANT ALL ON *.* TO root@'%' WITH GRANT OPTION; SET SESSION sql_log_bin = 1; CREATE DATABASE app; CREATE USER app IDENTIFIED BY 'app'; GRANT ALL ON app.* TO app")
	p.stop()
}

func (p *mysqlPod) start(password string, more ...string) {
	p.t.Helper()
	p.cmd = p.command(password, "mysqld", p.args(more...)...)
	p.cmd.Stdout, p.cmd.Stderr = &p.log, &p.log
	if err := p.cmd.Start(); err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(p.stop)
	p.eventually(password, "SELECT 1", "1")
}

func (p *mysqlPod) stop() {
	if p.cmd == nil {
		return
	}
	p.cmd.Process.Signal(syscall.SIGTERM)
	p.cmd.Wait()
	p.cmd = nil
	if p.t.Failed() {
		p.t.Logf("%s:\n%s", p.name, p.log.String())
	}
}

func (p *mysqlPod) ask(password, sql string) (string, error) {
	cmd := p.command(password, "mysql", "--no-defaults", "--batch", "--skip-column-names", "--socket="+filepath.Join(p.dir, "mysqld.sock"), "--user=root", "--execute="+sql)
	cmd.Env = append(cmd.Env, "MYSQL_PWD="+password)
	out, err := cmd.CombinedOutput()
	return strings.TrimSpace(string(out)), err
}

func (p *mysqlPod) query(password, sql string) {
	p.t.Helper()
	if out, err := p.ask(password, sql); err != nil {
		p.t.Fatalf("%s: %v\n%s", sql, err, out)
	}
}

func (p *mysqlPod) eventually(password, sql, want string) {
	p.t.Helper()
	testcluster.Eventually(p.t, time.Minute, func(context.Context) error {
		if out, err := p.ask(password, sql); err != nil || out != want {
			return fmt.Errorf("%s: %q, %v; want %q", sql, out, err, want)
		}
		return nil
	})
}

// backup runs the CronJob's script and returns what it wrote.
func (p *mysqlPod) backup() string {
	p.t.Helper()
	p.run("", "sh", filepath.Join(p.dir, "backup.sh"))
	found, _ := filepath.Glob(filepath.Join(p.dir, "backups", "*.sql"))
	if len(found) != 1 {
		p.t.Fatalf("backups %v", found)
	}
	return read(p.t, found[0])
}
