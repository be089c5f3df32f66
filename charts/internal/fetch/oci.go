package fetch

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"oras.land/oras-go/v2/content"
	"oras.land/oras-go/v2/registry"
	"oras.land/oras-go/v2/registry/remote"
	"oras.land/oras-go/v2/registry/remote/auth"
)

// The media type of the layer that is a chart's archive.
const chartLayer = "application/vnd.cncf.helm.chart.content.v1.tar+gzip"

// A manifest of a chart names three layers at most.
const maxManifest = 1 << 20

// OCI gets a chart from a registry. Ref is oci://host/path, with a tag or a digest behind it, or neither: then Version
// decides among the tags. What is downloaded is verified against the digests.
func OCI(ctx context.Context, ref string, opts Options) ([]byte, error) {
	parsed, err := registry.ParseReference(strings.TrimPrefix(ref, "oci://"))
	if err != nil {
		return nil, err
	}
	repository := &remote.Repository{
		Reference: parsed,
		PlainHTTP: opts.PlainHTTP,
		Client:    &auth.Client{Client: opts.client(), Cache: auth.NewCache()},
	}
	if opts.Username != "" {
		repository.Client.(*auth.Client).Credential = auth.StaticCredential(parsed.Registry, auth.Credential{Username: opts.Username, Password: opts.Password})
	}
	tag := parsed.Reference
	if tag == "" {
		if tag, err = newestTag(ctx, repository, opts.Version); err != nil {
			return nil, err
		}
	}
	descriptor, body, err := repository.Manifests().FetchReference(ctx, tag)
	if err != nil {
		return nil, err
	}
	defer body.Close()
	if descriptor.Size > maxManifest {
		return nil, fmt.Errorf("the manifest has %d bytes: %w", descriptor.Size, ErrTooBig)
	}
	data, err := content.ReadAll(body, descriptor)
	if err != nil {
		return nil, fmt.Errorf("read the manifest: %w", err)
	}
	var manifest ocispec.Manifest
	if err := json.Unmarshal(data, &manifest); err != nil {
		return nil, fmt.Errorf("read the manifest: %w", err)
	}
	for _, layer := range manifest.Layers {
		if layer.MediaType != chartLayer {
			continue
		}
		if layer.Size > opts.limit() {
			return nil, fmt.Errorf("the chart has %d bytes, more than %d: %w", layer.Size, opts.limit(), ErrTooBig)
		}
		return content.FetchAll(ctx, repository, layer)
	}
	return nil, fmt.Errorf("it is no chart: no layer is %s", chartLayer)
}

// newestTag picks among the tags. A tag cannot hold a +, which stands in it as _.
func newestTag(ctx context.Context, repository *remote.Repository, wanted string) (string, error) {
	var tags, versions []string
	err := repository.Tags(ctx, "", func(page []string) error {
		for _, tag := range page {
			tags = append(tags, tag)
			versions = append(versions, strings.ReplaceAll(tag, "_", "+"))
		}
		return nil
	})
	if err != nil {
		return "", fmt.Errorf("list the tags: %w", err)
	}
	i, err := newest(versions, wanted)
	if err != nil {
		return "", err
	}
	return tags[i], nil
}
