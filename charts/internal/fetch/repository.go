package fetch

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"

	"sigs.k8s.io/yaml"
)

// index is what is read of a repository's index.yaml.
type index struct {
	Entries map[string][]struct {
		Version string   `json:"version"`
		URLs    []string `json:"urls"`
		Digest  string   `json:"digest"`
	} `json:"entries"`
}

// Repository gets a chart by its name from a repository, whose index.yaml lies under address. The digest is verified
// where the index has one.
func Repository(ctx context.Context, address, name string, opts Options) ([]byte, error) {
	base, err := url.Parse(strings.TrimSuffix(address, "/") + "/")
	if err != nil {
		return nil, err
	}
	data, err := get(ctx, base.JoinPath("index.yaml"), base.Host, opts)
	if err != nil {
		return nil, fmt.Errorf("read the index: %w", err)
	}
	var idx index
	if err := yaml.Unmarshal(data, &idx); err != nil {
		return nil, fmt.Errorf("read the index: %w", err)
	}
	entries, ok := idx.Entries[name]
	if !ok {
		return nil, fmt.Errorf("the repository has no chart %q", name)
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
	failures := []error{fmt.Errorf("%s %s cannot be downloaded from any of %d addresses", name, entry.Version, len(entry.URLs))}
	for _, ref := range entry.URLs {
		u, err := base.Parse(ref)
		if err != nil {
			failures = append(failures, err)
			continue
		}
		archive, err := get(ctx, u, base.Host, opts)
		if err == nil && entry.Digest != "" {
			err = verify(archive, entry.Digest)
		}
		if err == nil {
			return archive, nil
		}
		failures = append(failures, err)
	}
	return nil, errors.Join(failures...)
}
