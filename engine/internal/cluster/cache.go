package cluster

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
)

// cacheFormat is the folder of the cache, and the first line of its files: programs
// with another format neither read nor overwrite them.
const cacheFormat = "fairlead-api-1"

// maxCached is how long a response may be that is kept, in bytes.
const maxCached = 64 << 20

// cache keeps responses of API servers in a directory, for the processes that come
// after this one. The directory and its files must be this user's and writable by no
// one else, or they are neither read nor written. A file that is truncated or changed
// is not used. Nothing depends on the cache: its failures are logged at level debug.
type cache struct {
	dir    string
	logger *slog.Logger
}

// cached is a response as it is kept.
type cached struct {
	URL         string `json:"url"` // with the Accept header, what it was the response to
	ETag        string `json:"etag"`
	ContentType string `json:"contentType"`
	Sum         string `json:"sum"` // SHA-512 of the body, in upper-case hexadecimal

	body []byte
}

// cacheKey names a response by the request.
func cacheKey(server, path, accept string) string { return server + " " + path + " " + accept }

func fileOf(key string) string {
	sum := sha256.Sum256([]byte(key))
	return hex.EncodeToString(sum[:])
}

func sumOf(body []byte) string {
	sum := sha512.Sum512(body)
	return strings.ToUpper(hex.EncodeToString(sum[:]))
}

// get returns what is kept under a key; nil if there is nothing that can be relied on.
func (c *cache) get(key string) *cached {
	entry, err := c.read(key)
	if err != nil {
		if !errors.Is(err, fs.ErrNotExist) {
			c.logger.Debug("cached discovery is not used", "dir", c.dir, "err", err)
		}
		return nil
	}
	return entry
}

// put keeps a response. It replaces a file as a whole, so that readers find the former
// one or this one.
func (c *cache) put(key string, entry cached) {
	if err := c.write(key, entry); err != nil {
		c.logger.Debug("discovery is not cached", "dir", c.dir, "err", err)
	}
}

func (c *cache) open() (*os.Root, error) {
	folder := filepath.Join(c.dir, cacheFormat)
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return nil, err
	}
	root, err := os.OpenRoot(folder)
	if err != nil {
		return nil, err
	}
	info, err := root.Stat(".")
	if err == nil {
		err = ownOnly(folder, info)
	}
	if err != nil {
		root.Close()
		return nil, err
	}
	return root, nil
}

func (c *cache) read(key string) (*cached, error) {
	root, err := c.open()
	if err != nil {
		return nil, err
	}
	defer root.Close()
	name := fileOf(key)
	seen, err := root.Lstat(name)
	if err != nil {
		return nil, err
	}
	if !seen.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is not a regular file", name)
	}
	f, err := root.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err == nil && !os.SameFile(seen, info) {
		err = fmt.Errorf("%s was replaced while it was opened", name)
	}
	if err == nil {
		err = ownOnly(name, info)
	}
	if err != nil {
		return nil, err
	}
	data, err := io.ReadAll(io.LimitReader(f, maxCached+64<<10))
	if err != nil {
		return nil, err
	}
	return decodeCached(name, key, data)
}

func decodeCached(name, key string, data []byte) (*cached, error) {
	format, rest, _ := bytes.Cut(data, []byte("\n"))
	head, body, whole := bytes.Cut(rest, []byte("\n"))
	entry := &cached{body: body}
	if string(format) != cacheFormat || !whole || json.Unmarshal(head, entry) != nil {
		return nil, fmt.Errorf("%s is not a file of this cache", name)
	}
	if entry.URL != key || entry.Sum != sumOf(body) {
		return nil, fmt.Errorf("%s is truncated or was changed", name)
	}
	return entry, nil
}

func (c *cache) write(key string, entry cached) error {
	root, err := c.open()
	if err != nil {
		return err
	}
	defer root.Close()
	entry.URL, entry.Sum = key, sumOf(entry.body)
	head, err := json.Marshal(entry)
	if err != nil {
		return err
	}
	temporary := "new-" + rand.Text()
	f, err := root.OpenFile(temporary, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(bytes.Join([][]byte{[]byte(cacheFormat), head, entry.body}, []byte("\n")))
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	if err == nil {
		err = root.Rename(temporary, fileOf(key))
	}
	if err != nil {
		return errors.Join(err, root.Remove(temporary))
	}
	return nil
}
