package fetch

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
)

// open is last for what need not be in memory. The file is verified, and read from its beginning.
func (c *Cache) open(u *url.URL, limit int64) (*cached, *os.File) {
	a := c.known(u)
	if a == nil {
		return nil, nil
	}
	file := c.file(a.Digest)
	if file == nil {
		return nil, nil
	}
	sum := sha256.New()
	n, err := io.Copy(sum, io.LimitReader(file, limit+1))
	if err == nil {
		_, err = file.Seek(0, io.SeekStart)
	}
	if err != nil || n > limit || "sha256:"+hex.EncodeToString(sum.Sum(nil)) != a.Digest {
		file.Close()
		return nil, nil
	}
	return a, file
}

// part is a file of the cache that is being written. A failure to write shows in keep.
type part struct {
	cache  *Cache
	cached *cached
	file   *os.File
	sum    hash.Hash
	err    error
}

// part begins to cache a response; nil if there is no cache, or if the response has no validators.
func (c *Cache) part(header http.Header) (*part, error) {
	a := validators(header)
	if c == nil || a == nil {
		return nil, nil
	}
	dir := filepath.Join(c.Dir, "sha256")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("write the cache: %w", err)
	}
	file, err := os.CreateTemp(dir, ".part-*")
	if err != nil {
		return nil, fmt.Errorf("write the cache: %w", err)
	}
	return &part{cache: c, cached: a, file: file, sum: sha256.New()}, nil
}

func (p *part) Write(data []byte) (int, error) {
	p.sum.Write(data)
	if p.err == nil {
		_, p.err = p.file.Write(data)
	}
	return len(data), nil
}

// keep puts the file into its place, and remembers the response of the address.
func (p *part) keep(u *url.URL) error {
	p.cached.Digest = "sha256:" + hex.EncodeToString(p.sum.Sum(nil))
	if err := errors.Join(p.err, p.file.Close(), p.cache.place(p.file.Name(), p.cache.blobFile(p.cached.Digest))); err != nil {
		return fmt.Errorf("write the cache: %w", err)
	}
	text, err := json.Marshal(p.cached)
	if err != nil {
		return err
	}
	return p.cache.write(p.cache.addressFile(u), text)
}

// discard removes the file unless it was kept.
func (p *part) discard() {
	p.file.Close()
	os.Remove(p.file.Name())
}
