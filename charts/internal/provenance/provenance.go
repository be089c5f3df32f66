// Package provenance verifies the .prov file that helm package --sign writes beside a chart: a clear-signed text of two
// YAML documents, the chart's metadata and the sums of its archive by file name.
package provenance

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/ProtonMail/go-crypto/openpgp"
	"github.com/ProtonMail/go-crypto/openpgp/armor"
	"github.com/ProtonMail/go-crypto/openpgp/clearsign"
	"github.com/ProtonMail/go-crypto/openpgp/packet"

	"github.com/fairlead-dev/fairlead/internal/yamlread"
)

// Keyring is whose signatures count.
type Keyring struct{ keys openpgp.EntityList }

// ReadKeyring reads OpenPGP public keys, armored or binary, as gpg --export writes them.
func ReadKeyring(data []byte) (*Keyring, error) {
	binary := data
	if bytes.Contains(data, []byte("-----BEGIN PGP")) {
		var all bytes.Buffer
		for rest := bytes.NewReader(data); ; {
			block, err := armor.Decode(rest)
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				return nil, fmt.Errorf("read the keyring: %w", err)
			}
			if _, err := io.Copy(&all, block.Body); err != nil {
				return nil, fmt.Errorf("read the keyring: %w", err)
			}
		}
		binary = all.Bytes()
	}
	keys, err := openpgp.ReadKeyRing(bytes.NewReader(binary))
	if err == nil && len(keys) == 0 {
		err = errors.New("it holds no key")
	}
	if err != nil {
		return nil, fmt.Errorf("read the keyring: %w", err)
	}
	return &Keyring{keys}, nil
}

// Verify checks that an owner of the keyring signed this archive under this name, NAME-VERSION.tgz. Without a name any
// will do, if it is the only one that was signed.
func (k *Keyring) Verify(archive []byte, name string, text []byte) error {
	block, _ := clearsign.Decode(text)
	if block == nil {
		return errors.New("the provenance holds no signed text")
	}
	if _, err := openpgp.CheckDetachedSignature(k.keys, bytes.NewReader(block.Bytes), block.ArmoredSignature.Body, &packet.Config{}); err != nil {
		return fmt.Errorf("the signature of the provenance: %w", err)
	}
	_, sums, found := bytes.Cut(block.Plaintext, []byte("\n...\n"))
	if !found {
		return errors.New("the provenance names no files")
	}
	var signed struct {
		Files map[string]string `json:"files"`
	}
	if err := (yamlread.Decoder{}).Unmarshal(sums, &signed); err != nil {
		return fmt.Errorf("read the provenance: %w", err)
	}
	if name == "" && len(signed.Files) == 1 {
		for only := range signed.Files {
			name = only
		}
	}
	want, ok := signed.Files[name]
	if !ok {
		return fmt.Errorf("the provenance is of %s, not of %q", names(signed.Files), name)
	}
	sum := sha256.Sum256(archive)
	if got := "sha256:" + hex.EncodeToString(sum[:]); got != want {
		return fmt.Errorf("the archive is %s, the provenance was signed for %s", got, want)
	}
	return nil
}

func names(files map[string]string) string {
	if len(files) == 0 {
		return "no file"
	}
	var all []string
	for name := range files {
		all = append(all, fmt.Sprintf("%q", name))
	}
	return strings.Join(all, ", ")
}
