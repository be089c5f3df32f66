package charts

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/fairlead-dev/fairlead/internal/testcluster"
)

// The preset of PostgreSQL on the real server: it starts with the ConfigMap's files, a replica joins by the ConfigMap's
// script, rows reach it, and it comes back after a restart with another password. It needs Debian's package postgresql.
func TestPostgreSQLReplicates(t *testing.T) {
	if testing.Short() {
		t.Skip("starts servers; run without -short")
	}
	binaries, _ := filepath.Glob("/usr/lib/postgresql/*/bin")
	if len(binaries) == 0 {
		t.Skip("needs PostgreSQL's server: apt-get install postgresql")
	}
	const first, second = "0ne-s3cret", `sec:ond\`
	p := newPostgres(t, binaries[len(binaries)-1])

	primary := p.server("shop-db-0", "127.0.0.1")
	p.run(primary.env(first), "initdb", "--username=app", "--auth-host=scram-sha-256", "--pwfile="+p.file("pw", first))
	primary.start(first)
	primary.query(first, "CREATE TABLE orders (id int); INSERT INTO orders VALUES (1)")

	replica := p.server("shop-db-1", "127.0.0.2")
	replica.join(first)
	replica.start(first)
	replica.eventually(first, "SELECT count(*) FROM orders", "1")
	replica.eventually(first, "SELECT pg_is_in_recovery()", "t")
	if text := p.grep(replica.data, first); text != "" {
		t.Errorf("the password lies on the volume: %s", text)
	}

	replica.stop()
	primary.query(first, "ALTER USER app PASSWORD '"+second+"'; INSERT INTO orders VALUES (2)")
	replica.join(second)
	replica.start(second)
	replica.eventually(second, "SELECT count(*) FROM orders", "2")

	first1 := primary.backup(second)
	if list := p.run(nil, "pg_restore", "--list", first1); !strings.Contains(list, "TABLE DATA public orders") {
		t.Errorf("the backup holds no orders:\n%s", list)
	}
	time.Sleep(1100 * time.Millisecond) // backups are named by the second
	if again := primary.backup(second); again == first1 {
		t.Errorf("the second backup is the first: %s", again)
	}

	// The primary's own script does nothing, with data or without.
	primary.join(first)
}

type postgres struct {
	t          *testing.T
	bin, dir   string
	credential *syscall.Credential // PostgreSQL refuses to run as root
	port       int
	files      map[string]string // of the ConfigMap
}

func newPostgres(t *testing.T, bin string) *postgres {
	t.Helper()
	dir, credential := unprivileged(t)
	p := &postgres{t: t, bin: bin, dir: dir, credential: credential, port: freePort(t), files: map[string]string{}}
	objects := renderObjects(t, "database", "shop-db", "prod", map[string]any{
		"replicas": 2, "port": p.port, "configuration": "shared_buffers = 16MB\n", "backup": map[string]any{"enabled": true, "keep": 1}, "auth": map[string]any{"password": "unused"},
	})
	for _, object := range objects {
		if object.GetKind() == "ConfigMap" {
			for name, content := range object.Object["data"].(map[string]any) {
				p.files[name] = p.file(name, content.(string))
			}
		}
	}
	return p
}

// unprivileged makes a folder for servers that refuse to run as root, and says as whom they run instead.
func unprivileged(t *testing.T) (string, *syscall.Credential) {
	t.Helper()
	dir, err := os.MkdirTemp("/tmp", "fairlead-db-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if os.Getuid() != 0 {
		return dir, nil
	}
	nobody, err := user.Lookup("nobody")
	if err != nil {
		t.Fatal(err)
	}
	uid, _ := strconv.Atoi(nobody.Uid)
	gid, _ := strconv.Atoi(nobody.Gid)
	if err := os.Chown(dir, uid, gid); err != nil {
		t.Fatal(err)
	}
	return dir, &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
}

func freePort(t *testing.T) int {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().(*net.TCPAddr).Port
}

func (p *postgres) file(name, content string) string {
	p.t.Helper()
	path := filepath.Join(p.dir, name)
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		p.t.Fatal(err)
	}
	return path
}

func (p *postgres) command(env []string, name string, args ...string) *exec.Cmd {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	p.t.Cleanup(cancel)
	cmd := exec.CommandContext(ctx, name, args...)
	if !strings.Contains(name, "/") {
		cmd = exec.CommandContext(ctx, filepath.Join(p.bin, name), args...)
	}
	cmd.Dir = p.dir
	cmd.Env = append([]string{"PATH=" + p.bin + ":/usr/bin:/bin", "LC_ALL=C"}, env...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: p.credential, Pdeathsig: syscall.SIGKILL}
	return cmd
}

func (p *postgres) run(env []string, name string, args ...string) string {
	p.t.Helper()
	out, err := p.command(env, name, args...).CombinedOutput()
	if err != nil {
		p.t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return strings.TrimSpace(string(out))
}

// grep returns which file under a folder holds a text.
func (p *postgres) grep(dir, text string) string {
	out, _ := exec.Command("grep", "-rl", text, dir).Output()
	return string(out)
}

type pgServer struct {
	*postgres
	name, host, data string
	cmd              *exec.Cmd
	log              strings.Builder
}

func (p *postgres) server(name, host string) *pgServer {
	return &pgServer{postgres: p, name: name, host: host, data: filepath.Join(p.dir, name)}
}

// env is the environment of the chart's containers, with a pod's name and address.
func (s *pgServer) env(password string) []string {
	return []string{
		"HOSTNAME=" + s.name, "PRIMARY=shop-db-0", "PRIMARY_HOST=127.0.0.1", "PGDATA=" + s.data,
		"PGPORT=" + strconv.Itoa(s.port), "PGPASSFILE=" + s.data + ".pgpass", "POSTGRES_USER=app", "POSTGRES_PASSWORD=" + password,
	}
}

func (s *pgServer) join(password string) {
	s.t.Helper()
	s.run(s.env(password), "/bin/sh", s.files["join.sh"])
}

// backup runs the CronJob's script and returns the only backup.
func (s *pgServer) backup(password string) string {
	s.t.Helper()
	dir := filepath.Join(s.dir, "backups")
	s.run(append(s.env(password), "PRIMARY_HOST="+s.host, "POSTGRES_DB=postgres", "BACKUPS="+dir), "/bin/sh", s.files["backup.sh"])
	found, _ := filepath.Glob(filepath.Join(dir, "*"))
	if len(found) != 1 || filepath.Ext(found[0]) != ".dump" {
		s.t.Fatalf("backups %v, one was to be kept", found)
	}
	return found[0]
}

func (s *pgServer) start(password string) {
	s.t.Helper()
	s.cmd = s.command(s.env(password), "postgres", "-c", "config_file="+s.files["postgresql.conf"], "-c", "hba_file="+s.files["pg_hba.conf"],
		"-c", "listen_addresses="+s.host, "-c", "unix_socket_directories=")
	s.cmd.Stdout, s.cmd.Stderr = &s.log, &s.log
	if err := s.cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(s.stop)
	s.eventually(password, "SELECT 1", "1")
}

func (s *pgServer) stop() {
	if s.cmd == nil {
		return
	}
	s.cmd.Process.Signal(syscall.SIGINT)
	s.cmd.Wait()
	s.cmd = nil
	if s.t.Failed() {
		s.t.Logf("%s:\n%s", s.name, s.log.String())
	}
}

func (s *pgServer) psql(password, sql string) (string, error) {
	out, err := s.command([]string{"PGPASSWORD=" + password}, "psql", "--no-psqlrc", "--no-password", "--tuples-only", "--no-align",
		"--host="+s.host, "--port="+strconv.Itoa(s.port), "--username=app", "--dbname=postgres", "--command="+sql).CombinedOutput()
	return strings.TrimSpace(string(out)), err
}

func (s *pgServer) query(password, sql string) {
	s.t.Helper()
	if out, err := s.psql(password, sql); err != nil {
		s.t.Fatalf("%s: %v\n%s", sql, err, out)
	}
}

func (s *pgServer) eventually(password, sql, want string) {
	s.t.Helper()
	testcluster.Eventually(s.t, time.Minute, func(context.Context) error {
		if out, err := s.psql(password, sql); err != nil || out != want {
			return fmt.Errorf("%s: %q, %v; want %q", sql, out, err, want)
		}
		return nil
	})
}
