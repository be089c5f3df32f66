package cluster

import (
	"bytes"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
)

// What is not whole, not of this format, or not safe from other users is not used, and
// is replaced where that is safe.
func TestCacheFiles(t *testing.T) {
	const key = "https://example.com /openapi/v3/api/v1 application/json"
	body := bytes.Repeat([]byte("{}\n"), 1000)
	for name, c := range map[string]struct {
		change   func(t *testing.T, dir, file string)
		replaced bool // by the next put
	}{
		"truncated": {func(t *testing.T, _, file string) { must(t, os.Truncate(file, 1000)) }, true},
		"empty":     {func(t *testing.T, _, file string) { must(t, os.Truncate(file, 0)) }, true},
		"changed": {func(t *testing.T, _, file string) {
			data := read(t, file)
			data[len(data)-2] = ']'
			must(t, os.WriteFile(file, data, 0o600))
		}, true},
		"another format": {func(t *testing.T, _, file string) {
			must(t, os.WriteFile(file, bytes.Replace(read(t, file), []byte(cacheFormat), []byte("fairlead-api-0"), 1), 0o600))
		}, true},
		"of another request": {func(t *testing.T, dir, file string) {
			other := &cache{dir: filepath.Join(dir, "other"), logger: slog.New(slog.DiscardHandler)}
			other.put("other", cached{ETag: `"x"`, body: body})
			must(t, os.WriteFile(file, read(t, filepath.Join(dir, "other", cacheFormat, fileOf("other"))), 0o600))
		}, true},
		"a link": {func(t *testing.T, _, file string) {
			must(t, os.Rename(file, file+"x"))
			must(t, os.Symlink(filepath.Base(file)+"x", file))
		}, true},
		"writable by others":    {func(t *testing.T, _, file string) { must(t, os.Chmod(file, 0o622)) }, true},
		"in a writable folder":  {func(t *testing.T, _, file string) { must(t, os.Chmod(filepath.Dir(file), 0o777)) }, false},
		"another user's":        {func(t *testing.T, _, file string) { giveAway(t, file) }, true},
		"another user's folder": {func(t *testing.T, _, file string) { giveAway(t, filepath.Dir(file)) }, false},
		"a folder":              {func(t *testing.T, _, file string) { must(t, os.Remove(file)); must(t, os.Mkdir(file, 0o700)) }, false},
		"a file in the folder's place": {func(t *testing.T, _, file string) {
			must(t, os.RemoveAll(filepath.Dir(file)))
			must(t, os.WriteFile(filepath.Dir(file), nil, 0o600))
		}, false},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			cache := &cache{dir: filepath.Join(dir, "cache"), logger: slog.New(slog.DiscardHandler)}
			cache.put(key, cached{ETag: `"1"`, ContentType: "application/json", body: body})
			if kept := cache.get(key); kept == nil || kept.ETag != `"1"` || !bytes.Equal(kept.body, body) {
				t.Fatalf("kept: %v", kept)
			}
			file := filepath.Join(dir, "cache", cacheFormat, fileOf(key))
			if info, err := os.Stat(filepath.Dir(file)); err != nil || info.Mode().Perm() != 0o700 {
				t.Errorf("the folder has mode %v, %v", info.Mode(), err)
			}
			c.change(t, dir, file)
			if cache.get(key) != nil {
				t.Error("it is used")
			}
			cache.put(key, cached{ETag: `"2"`, ContentType: "application/json", body: body})
			if kept := cache.get(key); (kept != nil) != c.replaced {
				t.Errorf("kept afterwards: %v", kept != nil)
			}
			if left, _ := filepath.Glob(filepath.Join(dir, "cache", cacheFormat, "new-*")); len(left) > 0 {
				t.Errorf("left: %v", left)
			}
		})
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, file string) []byte {
	t.Helper()
	data, err := os.ReadFile(file)
	must(t, err)
	return data
}

func giveAway(t *testing.T, file string) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("only root can give a file to another user")
	}
	must(t, os.Lchown(file, 12345, 12345))
}
