package template

import (
	"crypto/x509"
	"encoding/pem"
	"errors"
	"math/big"
	"reflect"
	"time"
)

// keyFunctions adds the functions that make keys and certificates.
func keyFunctions(table map[string]*function, seeded map[string]seededFunction) {
	seeded["genPrivateKey"] = genPrivateKey(table["genPrivateKey"].call)
	for _, c := range []struct {
		name     string
		days, ca int // which arguments these are; ca is 0 for what signs itself
	}{{"genCA", 1, 0}, {"genSelfSignedCert", 3, 0}, {"genSignedCert", 3, 4}} {
		issue := table[c.name+"WithKey"].call
		withKey := func(d *draw, a []value) (value, error) {
			issued, err := issue(nil, a)
			if err != nil {
				return value{}, err
			}
			by := issued
			if c.ca != 0 {
				by = a[c.ca]
			}
			return d.reissue(issued, by, take[int](a[c.days]))
		}
		seeded[c.name+"WithKey"] = withKey
		seeded[c.name] = func(d *draw, a []value) (value, error) {
			key, err := d.rsa(certBits)
			if err != nil {
				return value{}, err
			}
			return withKey(d, append(a, concrete(string(pem.EncodeToMemory(key)))))
		}
	}
}

// reissue replaces what is random in a certificate that sprig has made, and its
// time, and signs it again. Without a random source signatures are deterministic:
// RSA's PKCS #1 v1.5, Ed25519, and ECDSA by RFC 6979.
func (d *draw) reissue(issued, by value, days int) (value, error) {
	cert, err := parseCertificate(issued)
	if err != nil {
		return value{}, err
	}
	parent, err := parseCertificate(by)
	if err != nil {
		return value{}, err
	}
	signer, err := signerOf(fieldOf(by, "Key").String())
	if err != nil {
		return value{}, err
	}
	lifetime := 24 * time.Hour * time.Duration(days)
	start, renewals := d.validFrom(lifetime)
	cert.SerialNumber = new(big.Int).Add(d.number(16), big.NewInt(renewals))
	cert.NotBefore, cert.NotAfter = start, start.Add(lifetime)
	der, err := x509.CreateCertificate(nil, cert, parent, cert.PublicKey, signer)
	if err != nil {
		return value{}, err
	}
	again := reflect.New(issued.content().reflect().Type()).Elem()
	again.Set(issued.content().reflect())
	again.FieldByName("Cert").SetString(string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})))
	return concrete(again.Interface()), nil
}

// validFrom is when a certificate of that lifetime becomes valid, and how often it
// was renewed before. The first is valid since the seed is; once two thirds of its
// lifetime have passed the next one takes its place, for the same key, so that a
// seed that is kept for years does not keep a certificate that has expired.
func (d *draw) validFrom(lifetime time.Duration) (start time.Time, renewals int64) {
	if period := lifetime / 3 * 2; period > 0 && d.now.After(d.since) {
		renewals = int64(d.now.Sub(d.since) / period)
		return d.since.Add(time.Duration(renewals) * period), renewals
	}
	return d.since, 0
}

// parseCertificate parses the certificate in a result of sprig's functions.
func parseCertificate(v value) (*x509.Certificate, error) {
	block, _ := pem.Decode([]byte(fieldOf(v, "Cert").String()))
	if block == nil {
		return nil, errors.New("unable to decode certificate")
	}
	return x509.ParseCertificate(block.Bytes)
}

// fieldOf is a field of a result of sprig's functions, whose type has no name here.
func fieldOf(v value, name string) reflect.Value { return v.content().reflect().FieldByName(name) }
