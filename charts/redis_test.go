package charts

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/fairlead-dev/fairlead/internal/testcluster"
)

// The preset of Redis on the real server: it starts by the ConfigMap's script, wants the password, however that is
// spelt, and the second pod follows the first. It needs Debian's package redis-server.
func TestRedisReplicates(t *testing.T) {
	if testing.Short() {
		t.Skip("starts servers; run without -short")
	}
	if _, err := exec.LookPath("redis-server"); err != nil {
		t.Skip("needs Redis' server: apt-get install redis-server")
	}
	r := redis{t: t, port: strconv.Itoa(freePort(t)), password: `p"w\d 'x' #1`}
	r.start("shop-db-0", "127.0.0.1")
	r.start("shop-db-1", "127.0.0.2")
	r.eventually("127.0.0.1", "PONG", r.password, "ping")
	r.eventually("127.0.0.1", "NOAUTH", "", "get", "order")
	r.eventually("127.0.0.1", "OK", r.password, "set", "order", "42")
	r.eventually("127.0.0.2", "42", r.password, "get", "order")
	r.eventually("127.0.0.2", "READONLY", r.password, "set", "order", "43")
	r.backup()
	r.eventually("127.0.0.1", "noeviction", r.password, "config", "get", "maxmemory-policy")
}

type redis struct {
	t              *testing.T
	port, password string
	backupScript   string
}

// backup runs the CronJob's script on the primary.
func (r *redis) backup() {
	r.t.Helper()
	dir := r.t.TempDir()
	cmd := exec.CommandContext(r.t.Context(), "sh", r.backupScript)
	cmd.Env = append(os.Environ(), "PRIMARY_HOST=127.0.0.1", "REDIS_PASSWORD="+r.password, "BACKUPS="+filepath.Join(dir, "shop"))
	if out, err := cmd.CombinedOutput(); err != nil {
		r.t.Fatalf("%v\n%s", err, out)
	}
	found, _ := filepath.Glob(filepath.Join(dir, "shop", "*.rdb"))
	if len(found) != 1 || !strings.HasPrefix(read(r.t, found[0]), "REDIS") {
		r.t.Errorf("backups %v", found)
	}
}

// start runs a pod's server. The paths of the container become those of a folder.
func (r *redis) start(name, host string) {
	r.t.Helper()
	dir := r.t.TempDir()
	port, _ := strconv.Atoi(r.port)
	objects := renderObjects(r.t, "database", "shop-db", "prod", map[string]any{
		"engine": "redis", "replicas": 2, "port": port, "configuration": "bind " + host + "\nrepl-diskless-sync-delay 0\nmaxmemory-policy noeviction\n",
		"auth": map[string]any{"password": r.password}, "backup": map[string]any{"enabled": true},
	})
	replace := strings.NewReplacer("/etc/database/", dir+"/", "/tmp/redis.conf", dir+"/own.conf", "dir /data", "dir "+dir)
	for _, object := range objects {
		if object.GetKind() == "ConfigMap" {
			for file, content := range object.Object["data"].(map[string]any) {
				if err := os.WriteFile(filepath.Join(dir, file), []byte(replace.Replace(content.(string))), 0o644); err != nil {
					r.t.Fatal(err)
				}
				r.backupScript = filepath.Join(dir, "backup.sh")
			}
		}
	}
	var log strings.Builder
	cmd := exec.Command("sh", filepath.Join(dir, "start.sh"))
	cmd.Env = append(os.Environ(), "HOSTNAME="+name, "PRIMARY=shop-db-0", "PRIMARY_HOST=127.0.0.1", "REDIS_PASSWORD="+r.password)
	cmd.Stdout, cmd.Stderr = &log, &log
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() {
		cmd.Process.Kill() // not SIGTERM, which a replica refuses while it writes its first append-only file
		cmd.Wait()
		if r.t.Failed() {
			r.t.Logf("%s:\n%s", name, log.String())
		}
	})
}

func (r *redis) eventually(host, want, password string, args ...string) {
	r.t.Helper()
	testcluster.Eventually(r.t, time.Minute, func(ctx context.Context) error {
		cmd := exec.CommandContext(ctx, "redis-cli", append([]string{"-h", host, "-p", r.port}, args...)...)
		cmd.Env = append(os.Environ(), "REDISCLI_AUTH="+password)
		out, err := cmd.CombinedOutput()
		if err != nil || !strings.Contains(string(out), want) {
			return fmt.Errorf("%s: %s %v: %q, %v; want %q", host, args[0], args[1:], out, err, want)
		}
		return nil
	})
}
