package fetch

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/fairlead-dev/fairlead/internal/yamlread"
)

// index is what is read of a repository's index.yaml.
type index struct {
	Entries map[string][]struct {
		Version string   `json:"version"`
		URLs    []string `json:"urls"`
		Digest  string   `json:"digest"`
	} `json:"entries"`
}

// indexMemory bounds what reading an index takes: those of the largest repositories have about 20 MiB.
const indexMemory = 512 << 20

// Repository gets a chart by its name from a repository, whose index.yaml lies under address. The digest is verified where
// the index has one, and a chart of that digest in the cache is not downloaded.
func Repository(ctx context.Context, address, name string, opts Options) (*Archive, error) {
	base, err := parse(strings.TrimSuffix(address, "/") + "/")
	if err != nil {
		return nil, err
	}
	s, err := newSite(ctx, base, opts)
	if err != nil {
		return nil, err
	}
	data, err := s.getCached(ctx, base.JoinPath("index.yaml"), opts.limit())
	if err != nil {
		return nil, fmt.Errorf("read the index: %w", err)
	}
	var idx index
	if err := (yamlread.Decoder{Account: yamlread.NewBudget(indexMemory)}).Unmarshal(data, &idx); err != nil {
		return nil, fmt.Errorf("read the index: %w", err)
	}
	entries, ok := idx.Entries[name]
	if !ok {
		return nil, fmt.Errorf("%w as %q among the %d of the repository", ErrNoChart, name, len(idx.Entries))
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
	archive := &Archive{Name: name + "-" + entry.Version + ".tgz"}
	if entry.Digest != "" {
		archive.Data = opts.Cache.blob(normalDigest(entry.Digest), opts.limit())
	}
	failures := []error{fmt.Errorf("%s %s cannot be downloaded from any of %d addresses", name, entry.Version, len(entry.URLs))}
	for _, ref := range entry.URLs {
		u, err := base.Parse(ref)
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
			err = s.opts.Cache.keep(data)
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
