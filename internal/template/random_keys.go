package template

import (
	"crypto"
	"crypto/dsa" //lint:ignore SA1019 charts may ask for such keys
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/x509"
	"encoding/asn1"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"sync"
)

// The generators of crypto/rsa, crypto/ecdsa and crypto/dsa ignore the reader that
// they are given, or read an unknown number of bytes of it. Keys are therefore made
// of drawn bytes here.

const (
	rsaBits  = 4096 // of genPrivateKey
	certBits = 2048 // of the keys of certificates
)

// genPrivateKey makes a private key of a kind that sprig knows, as PEM.
func genPrivateKey(random impl) seededFunction {
	return func(d *draw, a []value) (value, error) {
		var block *pem.Block
		var err error
		switch textOf(a[0]) {
		case "", "rsa":
			block, err = d.rsa(rsaBits)
		case "dsa":
			block, err = d.dsa()
		case "ecdsa":
			block, err = d.ecdsa()
		case "ed25519":
			block, err = d.ed25519()
		default:
			return random(nil, a) // which refuses it
		}
		if err != nil {
			return concrete(fmt.Sprintf("failed to generate private key: %s", err)), nil
		}
		return concrete(string(pem.EncodeToMemory(block))), nil
	}
}

// rsa makes an RSA key of two primes of half its bits each.
func (d *draw) rsa(bits int) (*pem.Block, error) {
	one, e := big.NewInt(1), big.NewInt(65537)
	for {
		p, q := d.prime(bits/2), d.prime(bits/2)
		if p.Cmp(q) == 0 {
			continue
		}
		p1, q1 := new(big.Int).Sub(p, one), new(big.Int).Sub(q, one)
		lambda := new(big.Int).Mul(p1, q1)
		lambda.Div(lambda, new(big.Int).GCD(nil, nil, p1, q1))
		exponent := new(big.Int).ModInverse(e, lambda)
		if exponent == nil { // e divides p-1 or q-1
			continue
		}
		key := &rsa.PrivateKey{
			PublicKey: rsa.PublicKey{N: new(big.Int).Mul(p, q), E: int(e.Int64())},
			D:         exponent, Primes: []*big.Int{p, q},
		}
		key.Precompute()
		if err := key.Validate(); err != nil {
			return nil, err
		}
		return &pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)}, nil
	}
}

// smallPrimes are divisors to rule most candidates out by.
var smallPrimes = sync.OnceValue(func() (primes []int64) {
	for i := int64(3); i < 2000; i += 2 {
		if big.NewInt(i).ProbablyPrime(0) {
			primes = append(primes, i)
		}
	}
	return primes
})

// primeRounds is how many tests a prime passes beside Baillie-PSW.
const primeRounds = 20

// prime is a prime of exactly that many bits, whose two upper ones are set, so that
// a product of two such has twice as many. From a drawn number it goes upwards.
func (d *draw) prime(bits int) *big.Int {
	primes := smallPrimes()
	for {
		start := d.number(bits / 8)
		start.SetBit(start, bits-1, 1).SetBit(start, bits-2, 1).SetBit(start, 0, 1)
		rests := make([]int64, len(primes))
		for i, p := range primes {
			rests[i] = new(big.Int).Mod(start, big.NewInt(p)).Int64()
		}
	candidates:
		for delta := int64(0); delta < 1<<20; delta += 2 {
			for i, p := range primes {
				if (rests[i]+delta)%p == 0 {
					continue candidates
				}
			}
			p := new(big.Int).Add(start, big.NewInt(delta))
			if p.BitLen() == bits && p.ProbablyPrime(primeRounds) {
				return p
			}
		}
	}
}

func (d *draw) ecdsa() (*pem.Block, error) {
	for {
		key, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), d.bytes(32))
		if err != nil { // the number is not below the order of the curve: one of 2^32
			continue
		}
		der, err := x509.MarshalECPrivateKey(key)
		return &pem.Block{Type: "EC PRIVATE KEY", Bytes: der}, err
	}
}

func (d *draw) ed25519() (*pem.Block, error) {
	der, err := x509.MarshalPKCS8PrivateKey(ed25519.NewKeyFromSeed(d.bytes(ed25519.SeedSize)))
	return &pem.Block{Type: "PRIVATE KEY", Bytes: der}, err
}

// dsa makes a DSA key in the form that OpenSSL reads.
func (d *draw) dsa() (*pem.Block, error) {
	var params dsa.Parameters
	if err := dsa.GenerateParameters(&params, d, dsa.L2048N256); err != nil {
		return nil, err
	}
	x := new(big.Int).Mod(d.number(40), new(big.Int).Sub(params.Q, big.NewInt(1)))
	x.Add(x, big.NewInt(1)) // 1 to q-1
	der, err := asn1.Marshal(struct {
		Version       int
		P, Q, G, Y, X *big.Int
	}{0, params.P, params.Q, params.G, new(big.Int).Exp(params.G, x, params.P), x})
	return &pem.Block{Type: "DSA PRIVATE KEY", Bytes: der}, err
}

// signerOf reads a private key that can sign, in any form that sprig accepts.
func signerOf(text string) (crypto.Signer, error) {
	block, _ := pem.Decode([]byte(text))
	if block == nil {
		return nil, errors.New("no PEM data in input")
	}
	var key any
	var err error
	switch block.Type {
	case "RSA PRIVATE KEY":
		key, err = x509.ParsePKCS1PrivateKey(block.Bytes)
	case "EC PRIVATE KEY":
		key, err = x509.ParseECPrivateKey(block.Bytes)
	default:
		key, err = x509.ParsePKCS8PrivateKey(block.Bytes)
	}
	if err != nil {
		return nil, err
	}
	signer, ok := key.(crypto.Signer)
	if !ok {
		return nil, fmt.Errorf("a key of type %T cannot sign", key)
	}
	return signer, nil
}
