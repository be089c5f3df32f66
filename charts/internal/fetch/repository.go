package fetch

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
)

// Repository gets a chart by its name from a repository, whose index.yaml lies under address. The digest is verified where
// the index has one, and a chart of that digest in the cache is not downloaded.
func Repository(ctx context.Context, address, name string, opts Options) (*Archive, error) {
	base, err := parse(address)
	if err != nil {
		return nil, err
	}
	base.Path, base.RawPath = strings.TrimSuffix(base.Path, "/")+"/", ""
	s, err := newSite(ctx, base, opts)
	if err != nil {
		return nil, err
	}
	entries, err := s.index(ctx, base.JoinPath("index.yaml"), name)
	if err != nil {
		return nil, err
	}
	versions := make([]string, len(entries))
	for i, entry := range entries {
		versions[i] = entry.Version
	}
	i, err := newest(versions, opts.Version)
	if err != nil {
		return nil, err
	}
	entry := entries[i]
	archive := &Archive{Name: name + "-" + entry.Version + ".tgz", Chart: name, Version: entry.Version}
	if entry.Digest != "" {
		archive.Data = s.cache.blob(normalDigest(entry.Digest), opts.limit())
	}
	failures := []error{fmt.Errorf("%s %s cannot be downloaded from any of %d addresses", name, entry.Version, len(entry.URLs))}
	for _, ref := range entry.URLs {
		u, err := resolve(base, ref)
		if err == nil {
			err = s.download(ctx, u, archive, entry.Digest)
		}
		if err == nil {
			return archive, nil
		}
		failures = append(failures, err)
	}
	return nil, errors.Join(failures...)
}

// resolve returns the address that an index names. As with Helm, one that is relative gets the query of the repository's
// own address, which may be its signature; it is sent to no other host.
func resolve(base *url.URL, ref string) (*url.URL, error) {
	u, err := parse(ref)
	if err != nil || u.IsAbs() {
		return u, err
	}
	u = base.ResolveReference(u)
	if base.RawQuery != "" && origin(u) == origin(base) {
		u.RawQuery = base.RawQuery
	}
	return u, nil
}

// download gets what the archive still lacks.
func (s *site) download(ctx context.Context, u *url.URL, archive *Archive, digest string) error {
	data, err := archive.Data, error(nil)
	switch {
	case data != nil:
	case digest == "":
		data, err = s.getCached(ctx, u, s.opts.limit())
	default:
		data, _, err = s.get(ctx, u, s.opts.limit(), nil)
		if err == nil {
			err = verify(data, digest, "the index")
		}
		if err == nil {
			err = s.cache.keep(data)
		}
	}
	if err != nil {
		return err
	}
	provenance, err := s.provenance(ctx, u)
	if err != nil {
		return err
	}
	archive.Data, archive.Provenance = data, provenance
	return nil
}
