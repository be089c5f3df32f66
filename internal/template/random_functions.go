package template

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/base64"
	"fmt"
	"strings"

	"golang.org/x/crypto/bcrypt"
	"golang.org/x/crypto/blowfish" //lint:ignore SA1019 bcrypt is made of it
)

const (
	digits  = "0123456789"
	letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	symbols = " !\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~"
)

// seededFunctions are the random functions as functions of a seed. What they
// return has the form and the likelihood that sprig's has; arguments that sprig's
// refuse they leave to them.
func seededFunctions(table map[string]*function) map[string]seededFunction {
	text := func(alphabet string) seededFunction {
		return func(d *draw, a []value) (value, error) { return concrete(d.text(alphabet, take[int](a[0]))), nil }
	}
	randBytes, randInt := table["randBytes"].call, table["randInt"].call
	bcrypt, htpasswd, encrypt := table["bcrypt"].call, table["htpasswd"].call, table["encryptAES"].call
	seeded := map[string]seededFunction{
		"randAlphaNum": text(digits + letters),
		"randAlpha":    text(letters),
		"randNumeric":  text(digits),
		"randAscii":    text(digits + letters + symbols),
		"randBytes": func(d *draw, a []value) (value, error) {
			n := take[int](a[0])
			if n < 0 {
				return randBytes(nil, a)
			}
			return concrete(base64.StdEncoding.EncodeToString(d.bytes(n))), nil
		},
		"randInt": func(d *draw, a []value) (value, error) {
			low, span := take[int](a[0]), take[int](a[1])-take[int](a[0])
			if span <= 0 {
				return randInt(nil, a)
			}
			return concrete(low + int(d.below(uint64(span)))), nil
		},
		"shuffle": func(d *draw, a []value) (value, error) {
			text := []rune(textOf(a[0]))
			for i := len(text) - 1; i > 0; i-- {
				j := d.below(uint64(i) + 1)
				text[i], text[j] = text[j], text[i]
			}
			return concrete(string(text)), nil
		},
		"uuidv4": func(d *draw, _ []value) (value, error) {
			id := d.bytes(16)
			id[6], id[8] = id[6]&0x0f|0x40, id[8]&0x3f|0x80
			return concrete(fmt.Sprintf("%x-%x-%x-%x-%x", id[:4], id[4:6], id[6:8], id[8:10], id[10:])), nil
		},
		"bcrypt": func(d *draw, a []value) (value, error) {
			if len(textOf(a[0])) > maxBcrypt {
				return bcrypt(nil, a)
			}
			return concrete(d.bcrypt(textOf(a[0]))), nil
		},
		"htpasswd": func(d *draw, a []value) (value, error) {
			user, password := textOf(a[0]), textOf(a[1])
			if strings.Contains(user, ":") || len(password) > maxBcrypt {
				return htpasswd(nil, a)
			}
			return concrete(user + ":" + d.bcrypt(password)), nil
		},
		"encryptAES": func(d *draw, a []value) (value, error) {
			if textOf(a[1]) == "" {
				return encrypt(nil, a)
			}
			sealed, err := d.encryptAES(textOf(a[0]), textOf(a[1]))
			return concrete(sealed), err
		},
	}
	keyFunctions(table, seeded)
	return seeded
}

// encryptAES encrypts as sprig's decryptAES reads it: AES-256-CBC with PKCS #7
// padding, behind the initialization vector.
func (d *draw) encryptAES(password, text string) (string, error) {
	var key [32]byte
	copy(key[:], password)
	block, err := aes.NewCipher(key[:])
	if err != nil {
		return "", err
	}
	pad := aes.BlockSize - len(text)%aes.BlockSize
	padded := []byte(text + strings.Repeat(string(rune(pad)), pad))
	sealed := append(d.bytes(aes.BlockSize), padded...)
	cipher.NewCBCEncrypter(block, sealed[:aes.BlockSize]).CryptBlocks(sealed[aes.BlockSize:], padded)
	return base64.StdEncoding.EncodeToString(sealed), nil
}

// maxBcrypt is how long a password of bcrypt may be.
const maxBcrypt = 72

// bcryptBase64 is the encoding of bcrypt's hashes.
var bcryptBase64 = base64.NewEncoding("./ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789").WithPadding(base64.NoPadding)

// bcrypt hashes a password with a salt that is drawn. golang.org/x/crypto/bcrypt
// takes no salt, so this is the algorithm over its blowfish.
func (d *draw) bcrypt(password string) string {
	salt := d.bytes(16)
	key := append([]byte(password), 0)
	c, err := blowfish.NewSaltedCipher(key, salt)
	if err != nil { // never: the key has a byte at least
		return fmt.Sprintf("failed to encrypt string with bcrypt: %s", err)
	}
	for range 1 << bcrypt.DefaultCost {
		blowfish.ExpandKey(key, c)
		blowfish.ExpandKey(salt, c)
	}
	hash := []byte("OrpheanBeholderScryDoubt")
	for i := 0; i < len(hash); i += blowfish.BlockSize {
		for range 64 {
			c.Encrypt(hash[i:], hash[i:])
		}
	}
	return fmt.Sprintf("$2a$%02d$%s%s", bcrypt.DefaultCost, bcryptBase64.EncodeToString(salt), bcryptBase64.EncodeToString(hash[:23]))
}
