package fetch

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"path"
	"strings"

	"github.com/Masterminds/semver/v3"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"oras.land/oras-go/v2/content"
	"oras.land/oras-go/v2/registry"
	"oras.land/oras-go/v2/registry/remote"
	"oras.land/oras-go/v2/registry/remote/auth"
)

// The media types of the layers that are a chart's archive and its provenance.
const (
	chartLayer      = "application/vnd.cncf.helm.chart.content.v1.tar+gzip"
	provenanceLayer = "application/vnd.cncf.helm.chart.provenance.v1.prov"
)

const (
	maxManifest = 1 << 20 // a chart's manifest names three layers at most
	maxTags     = 50_000  // far more than any chart has; a server that does not end its list must not fill memory
)

// OCI gets a chart from a registry. Ref is oci://host/path, with a tag or a digest behind it, or neither: then Version
// decides among the tags. What is downloaded is verified against the digests; what the cache has of them is not.
func OCI(ctx context.Context, ref string, opts Options) (*Archive, error) {
	parsed, err := registry.ParseReference(tagged(strings.TrimPrefix(ref, "oci://")))
	if err != nil {
		return nil, err
	}
	login, err := opts.login(ctx, &url.URL{Scheme: "oci", Host: parsed.Registry, Path: "/" + parsed.Repository})
	if err != nil {
		return nil, fmt.Errorf("log in at %s: %w", parsed.Registry, err)
	}
	if opts.Cache, err = opts.Cache.of("oci://"+parsed.Registry+"/"+parsed.Repository, login); err != nil {
		return nil, err
	}
	client := &auth.Client{Client: newClient(opts, login, &url.URL{Scheme: "https", Host: parsed.Host()}, parsed.Host()), Cache: auth.NewCache()}
	if login.Username != "" || login.RefreshToken != "" || login.AccessToken != "" {
		client.Credential = auth.StaticCredential(parsed.Registry, auth.Credential{
			Username: login.Username, Password: login.Password, RefreshToken: login.RefreshToken, AccessToken: login.AccessToken,
		})
	}
	repository := &remote.Repository{Reference: parsed, PlainHTTP: opts.PlainHTTP, Client: client}
	archive := &Archive{}
	if parsed.Reference == "" {
		if parsed.Reference, err = newestTag(ctx, repository, opts.Version); err != nil {
			return nil, registryError(err)
		}
	}
	if parsed.ValidateReferenceAsDigest() != nil {
		archive.Chart = path.Base(parsed.Repository)
		archive.Name = archive.Chart + "-" + versionOf(parsed.Reference) + ".tgz"
		if _, err := semver.StrictNewVersion(versionOf(parsed.Reference)); err == nil {
			archive.Version = versionOf(parsed.Reference)
		}
	}
	manifest, err := readManifest(ctx, repository, parsed.Reference, opts)
	if err != nil {
		return nil, registryError(err)
	}
	for _, layer := range manifest.Layers {
		switch {
		case layer.MediaType == chartLayer && archive.Data == nil:
			archive.Data, err = readBlob(ctx, repository, layer, opts.limit(), opts.Cache)
		case layer.MediaType == provenanceLayer && opts.Signed:
			archive.Provenance, err = readBlob(ctx, repository, layer, MaxProvenance, opts.Cache)
		}
		if err != nil {
			return nil, registryError(err)
		}
	}
	if archive.Data == nil {
		return nil, fmt.Errorf("%w: no layer of the artifact is %s", ErrNoChart, chartLayer)
	}
	return archive, nil
}

func readManifest(ctx context.Context, repository *remote.Repository, reference string, opts Options) (*ocispec.Manifest, error) {
	data := opts.Cache.blob(reference, maxManifest)
	if data == nil {
		var err error
		if data, err = getManifest(ctx, repository, reference); err != nil {
			return nil, err
		}
		if strings.HasPrefix(reference, "sha256:") {
			if err := verify(data, reference, "the reference"); err != nil {
				return nil, fmt.Errorf("the manifest: %w", err)
			}
			if err := opts.Cache.keep(data); err != nil {
				return nil, err
			}
		}
	}
	var manifest ocispec.Manifest
	if err := json.Unmarshal(data, &manifest); err != nil {
		return nil, fmt.Errorf("read the manifest: %w", err)
	}
	return &manifest, nil
}

// getManifest asks for a manifest without the registry client's own reading of the response, which does not distinguish a wrong digest from
// other faults by words alone.
func getManifest(ctx context.Context, repository *remote.Repository, reference string) ([]byte, error) {
	u := url.URL{Scheme: "https", Host: repository.Reference.Host(), Path: "/v2/" + repository.Reference.Repository + "/manifests/" + reference}
	if repository.PlainHTTP {
		u.Scheme = "http"
	}
	ctx = auth.AppendRepositoryScope(ctx, repository.Reference, auth.ActionPull)
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Accept", ocispec.MediaTypeImageManifest)
	resp, err := repository.Client.Do(req)
	if err != nil {
		return nil, err
	}
	return readBody(&u, resp, maxManifest)
}

func readBlob(ctx context.Context, repository *remote.Repository, layer ocispec.Descriptor, limit int64, cache *Cache) ([]byte, error) {
	if layer.Size > limit {
		return nil, fmt.Errorf("%s is %w: %d bytes, at most %d are read", layer.Digest, ErrTooBig, layer.Size, limit)
	}
	if data := cache.blob(layer.Digest.String(), limit); data != nil {
		return data, nil
	}
	data, err := content.FetchAll(ctx, repository, layer)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", layer.Digest, err)
	}
	return data, cache.keep(data)
}

// tagged gives a reference the tag that a registry has for a version: one cannot hold a +.
func tagged(ref string) string {
	slash := strings.LastIndex(ref, "/")
	if strings.Contains(ref, "@") || !strings.Contains(ref[slash+1:], ":") {
		return ref
	}
	return ref[:slash+1] + strings.ReplaceAll(ref[slash+1:], "+", "_")
}

// versionOf reads a tag, which cannot hold a + and has an _ in its place.
func versionOf(tag string) string { return strings.ReplaceAll(tag, "_", "+") }

func newestTag(ctx context.Context, repository *remote.Repository, wanted string) (string, error) {
	var tags, versions []string
	err := repository.Tags(ctx, "", func(page []string) error {
		for _, tag := range page {
			tags = append(tags, tag)
			versions = append(versions, versionOf(tag))
		}
		if len(tags) > maxTags {
			return fmt.Errorf("%w: more than %d tags", ErrTooBig, maxTags)
		}
		return nil
	})
	if err != nil {
		return "", fmt.Errorf("list the tags: %w", err)
	}
	i, err := newest(versions, versionOf(wanted))
	if err != nil {
		return "", err
	}
	return tags[i], nil
}
