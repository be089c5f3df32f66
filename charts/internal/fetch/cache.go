package fetch

import (
	"bytes"
	"crypto/pbkdf2"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
)

// Cache keeps what was downloaded in a folder. A file in sha256 is named by the sum of its content, its host and the login
// it was downloaded with, so that a caller who knows a digest alone gets nothing; the content is verified when it is read.
// A file in url has the validators of the last response from an address. Any number of processes may share a folder. Nil
// keeps nothing. Nothing is ever removed: the folder may be, at any time.
type Cache struct {
	Dir   string
	scope string // the host and the login
}

// loginRounds makes it slow to try passwords by the names of files.
const loginRounds = 20_000

// of returns the cache of a host and a login.
func (c *Cache) of(host string, login Login) (*Cache, error) {
	if c == nil {
		return nil, nil
	}
	identity := ""
	if login.Username != "" || login.Password != "" || login.RefreshToken != "" || login.AccessToken != "" || login.TLS != nil {
		secret := strings.Join([]string{login.Username, login.Password, login.RefreshToken, login.AccessToken}, "\x00")
		if login.TLS != nil {
			for _, pair := range login.TLS.Certificates {
				secret += "\x00" + string(bytes.Join(pair.Certificate, nil))
			}
		}
		key, err := pbkdf2.Key(sha256.New, secret, []byte(host), loginRounds, sha256.Size)
		if err != nil {
			return nil, err
		}
		identity = hex.EncodeToString(key)
	}
	return &Cache{Dir: c.Dir, scope: host + "\x00" + identity + "\x00"}, nil
}

func (c *Cache) blobFile(digest string) string {
	return filepath.Join("sha256", strings.TrimPrefix(DigestOf([]byte(c.scope+digest)), "sha256:"))
}

// cached is what a server said of a response, for a conditional request next time.
type cached struct {
	Digest       string `json:"digest"`
	ETag         string `json:"etag,omitempty"`
	LastModified string `json:"lastModified,omitempty"`
}

func cachedOf(header http.Header, data []byte) *cached {
	a := validators(header)
	if a != nil {
		a.Digest = DigestOf(data)
	}
	return a
}

// validators are the headers for a conditional request; nil if there are none.
func validators(header http.Header) *cached {
	a := &cached{ETag: header.Get("ETag"), LastModified: header.Get("Last-Modified")}
	if a.ETag == "" && a.LastModified == "" {
		return nil
	}
	return a
}

func (a *cached) ask(header http.Header) {
	if a.ETag != "" {
		header.Set("If-None-Match", a.ETag)
	}
	if a.LastModified != "" {
		header.Set("If-Modified-Since", a.LastModified)
	}
}

// blob returns the bytes of a digest, or nil. Bytes with another digest count as missing.
func (c *Cache) blob(digest string, limit int64) []byte {
	file := c.file(digest)
	if file == nil {
		return nil
	}
	defer file.Close()
	data, err := io.ReadAll(io.LimitReader(file, limit+1))
	if err != nil || int64(len(data)) > limit || DigestOf(data) != digest {
		return nil
	}
	return data
}

// file opens what is kept of a digest, whatever is in it; nil if there is nothing.
func (c *Cache) file(digest string) *os.File {
	hexSum, ok := strings.CutPrefix(digest, "sha256:")
	if c == nil || !ok {
		return nil
	}
	if sum, err := hex.DecodeString(hexSum); err != nil || len(sum) != 32 {
		return nil
	}
	file, err := os.Open(filepath.Join(c.Dir, c.blobFile(digest)))
	if err != nil {
		return nil
	}
	return file
}

func (c *Cache) keep(data []byte) error {
	if c == nil {
		return nil
	}
	return c.write(c.blobFile(DigestOf(data)), data)
}

// last returns the last response of an address, if it is still in the cache.
func (c *Cache) last(u *url.URL, limit int64) (*cached, []byte) {
	a := c.known(u)
	if a == nil {
		return nil, nil
	}
	data := c.blob(a.Digest, limit)
	if data == nil {
		return nil, nil
	}
	return a, data
}

// known is what is cached of an address; nil if nothing is.
func (c *Cache) known(u *url.URL) *cached {
	if c == nil {
		return nil
	}
	text, err := os.ReadFile(filepath.Join(c.Dir, c.addressFile(u)))
	if err != nil {
		return nil
	}
	var a cached
	if json.Unmarshal(text, &a) != nil {
		return nil
	}
	return &a
}

func (c *Cache) remember(u *url.URL, a *cached, data []byte) error {
	if c == nil || a == nil {
		return nil
	}
	if err := c.keep(data); err != nil {
		return err
	}
	text, err := json.Marshal(a)
	if err != nil {
		return err
	}
	return c.write(c.addressFile(u), text)
}

func (c *Cache) addressFile(u *url.URL) string {
	return filepath.Join("url", strings.TrimPrefix(DigestOf([]byte(c.scope+u.String())), "sha256:"))
}

// write puts a file into its place whole, readable by its owner alone: charts may be private.
func (c *Cache) write(name string, data []byte) error {
	path := filepath.Join(c.Dir, name)
	fail := func(err error) error { return fmt.Errorf("write the cache: %w", err) }
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return fail(err)
	}
	file, err := os.CreateTemp(filepath.Dir(path), ".part-*")
	if err != nil {
		return fail(err)
	}
	_, err = file.Write(data)
	if err := errors.Join(err, file.Close()); err != nil {
		os.Remove(file.Name())
		return fail(err)
	}
	if err := c.place(file.Name(), name); err != nil {
		os.Remove(file.Name())
		return fail(err)
	}
	return nil
}

// place moves a file to its name in the cache.
func (c *Cache) place(file, name string) error {
	err := os.Rename(file, filepath.Join(c.Dir, name))
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	return err
}
