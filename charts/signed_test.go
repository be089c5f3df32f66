package charts

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ProtonMail/go-crypto/openpgp"
	"github.com/ProtonMail/go-crypto/openpgp/armor"
	"github.com/ProtonMail/go-crypto/openpgp/packet"
	"helm.sh/helm/v3/pkg/provenance"
)

// signer signs charts with Helm, as helm package --sign does, and returns its public key.
type signer struct{ entity *openpgp.Entity }

func newSigner(t *testing.T, name string) signer {
	t.Helper()
	entity, err := openpgp.NewEntity(name, "", name+"@example.com", &packet.Config{Algorithm: packet.PubKeyAlgoEdDSA})
	if err != nil {
		t.Fatal(err)
	}
	return signer{entity}
}

func (s signer) key(t *testing.T) []byte {
	t.Helper()
	var out bytes.Buffer
	if err := s.entity.Serialize(&out); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func (s signer) armoredKey(t *testing.T) []byte {
	t.Helper()
	var out bytes.Buffer
	w, err := armor.Encode(&out, openpgp.PublicKeyType, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.entity.Serialize(w); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return append(out.Bytes(), '\n')
}

func (s signer) sign(t *testing.T, c packed) []byte {
	t.Helper()
	path := filepath.Join(t.TempDir(), c.file())
	if err := os.WriteFile(path, c.data, 0o600); err != nil {
		t.Fatal(err)
	}
	text, err := (&provenance.Signatory{Entity: s.entity}).ClearSign(path)
	if err != nil {
		t.Fatal(err)
	}
	return []byte(text)
}

func TestSignedCharts(t *testing.T) {
	alice, bob := newSigner(t, "alice"), newSigner(t, "bob")
	shop, newer := newPacked(t, "shop", "1.0.0"), newPacked(t, "shop", "1.1.0")
	signed := alice.sign(t, shop)

	dir := t.TempDir()
	writeFiles(t, dir, map[string]string{shop.file(): string(shop.data), shop.file() + ".prov": string(signed)})
	local := filepath.Join(dir, shop.file())
	web := newWebServer(t)
	web.publish(t, "/stable", shop)
	web.put("/stable/"+shop.file()+".prov", signed)
	oci := newOCIServer(t)
	manifest, _ := oci.push(t, "team/shop", shop, "", signed)
	sources := map[string]struct{ ref, repository string }{
		"a file":       {local, ""},
		"an address":   {web.URL + "/stable/" + shop.file(), ""},
		"a repository": {"shop", web.URL + "/stable"},
		"a tag":        {"oci://" + oci.host() + "/team/shop:1.0.0", ""},
		"a digest":     {"oci://" + oci.host() + "/team/shop@" + manifest, ""},
	}
	for name, source := range sources {
		t.Run(name, func(t *testing.T) {
			opts := LoadOptions{Repository: source.repository, Transport: trusting(web), Keyring: alice.key(t)}
			wantLoaded(t, "shop 1.0.0", source.ref, opts)
			opts.Keyring = append(bob.armoredKey(t), alice.armoredKey(t)...)
			wantLoaded(t, "shop 1.0.0", source.ref, opts)
			opts.Keyring = bob.key(t)
			wantRefused(t, source.ref, opts, ErrProvenance, "the signature of the provenance", "the signer's key")
		})
	}

	forged := strings.Replace(string(signed), "name: shop", "name: shap", 1)
	refused := map[string]struct {
		archive    packed
		file       string
		provenance string
		says       string
	}{
		"unsigned":                     {shop, shop.file(), "", "there is no provenance"},
		"another archive":              {newer, shop.file(), string(signed), "the provenance was signed for"},
		"an old one under a new name":  {shop, newer.file(), string(signed), `the provenance is of "shop-1.0.0.tgz", not of "shop-1.1.0.tgz"`},
		"a provenance that was edited": {shop, shop.file(), forged, "the signature of the provenance"},
		"no provenance at all":         {shop, shop.file(), "hello", "no signed text"},
	}
	for name, test := range refused {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			files := map[string]string{test.file: string(test.archive.data)}
			if test.provenance != "" {
				files[test.file+".prov"] = test.provenance
			}
			writeFiles(t, dir, files)
			wantRefused(t, filepath.Join(dir, test.file), LoadOptions{Keyring: alice.key(t)}, ErrProvenance, test.says)
		})
	}
	wantRefused(t, "webapp", LoadOptions{Keyring: alice.key(t)}, ErrProvenance, "a directory has no signature")
	wantRefused(t, local, LoadOptions{Keyring: []byte("no key")}, nil, "read the keyring")
}
