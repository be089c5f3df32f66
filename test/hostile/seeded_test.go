//go:build linux

package hostile

import (
	"context"
	"testing"
	"time"

	"github.com/fairlead-dev/fairlead/render"
)

// TestSeeded calls the random functions of a render with a seed, which make keys
// and texts themselves.
func TestSeeded(t *testing.T) { Run(t, seeded()) }

func seeded() []Case {
	var cases []Case
	add := func(name, limit, text string) {
		cases = append(cases, Case{Name: name, Limit: limit, template: true, Run: func(ctx context.Context) error {
			chart, err := render.LoadFS(mapFS(map[string]string{
				"Chart.yaml": "apiVersion: v2\nname: web\nversion: 1.0.0\n", "templates/x.yaml": text,
			}))
			if err != nil {
				return err
			}
			since := time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)
			_, err = chart.Render(ctx, render.Input{Name: "demo", Seed: render.NewSeed([]byte("0123456789abcdef0123456789abcdef"), since)})
			return err
		}})
	}
	const largest, smallest = "9223372036854775807", "-9223372036854775808"
	for _, name := range []string{"randAlphaNum", "randAlpha", "randNumeric", "randAscii", "randBytes"} {
		add(name+" of the largest number", "ResultBytes", `{{ `+name+` `+largest+` }}`)
		add(name+" of the smallest number", "", `{{ `+name+` `+smallest+` }}`)
		add(name+" of as much as a result may have", "", `{{ $x := `+name+` 12000000 }}`)
		add(name+" kept", "", `{{ $d := dict }}{{ range $i := until 100 }}{{ $_ := set $d (print $i) (`+name+` 4000000) }}{{ end }}`)
		add(name+" in a loop", "", `{{ range 100000000 }}{{ $x := `+name+` 1000 }}{{ end }}`)
	}
	add("randInt over all numbers", "", `{{ randInt `+smallest+` `+largest+` }}`)
	add("randInt of nothing", "", `{{ randInt 1 1 }}`)
	add("randInt in a loop", "", `{{ range 1000000000 }}{{ $x := randInt 0 `+largest+` }}{{ end }}`)
	add("uuidv4 in a loop", "", `{{ range 1000000000 }}{{ $x := uuidv4 }}{{ end }}`)
	add("shuffle of a long text", "", `{{ $x := shuffle (repeat 15000000 "\xff") }}`)
	add("shuffle of long texts", "", `{{ range 1000000 }}{{ $x := shuffle (repeat 2000000 "ab") }}{{ end }}`)
	add("encryptAES of a long text", "", `{{ $x := encryptAES (repeat 15000000 "k") (repeat 15000000 "x") }}`)
	for _, kind := range []string{"rsa", "dsa", "ecdsa", "ed25519"} {
		add("keys of the kind "+kind, "", `{{ range 1000 }}{{ $x := genPrivateKey "`+kind+`" }}{{ end }}`)
	}
	add("keys of unknown kinds", "", `{{ range 1000000 }}{{ $x := genPrivateKey (repeat 100000 "x") }}{{ end }}`)
	add("certificate authorities", "", `{{ range 1000 }}{{ $x := genCA "a" 10 }}{{ end }}`)
	add("certificates of the same authority", "", `{{ $ca := genCA "a" 10 }}{{ range 1000 }}{{ $x := genSignedCert "a" nil nil 10 $ca }}{{ end }}`)
	add("certificates of many names", "", `{{ $l := list }}{{ range $i := until 20000 }}{{ $l = append $l (printf "a%d.test" $i) }}{{ end }}{{ $k := genPrivateKey "ecdsa" }}{{ range 1000 }}{{ $x := genSelfSignedCertWithKey "a" nil $l 10 $k }}{{ end }}`)
	add("certificates for ever", "", `{{ $x := genCAWithKey "a" `+largest+` (genPrivateKey "ecdsa") }}`)
	add("certificates of the past", "", `{{ $x := genCAWithKey "a" `+smallest+` (genPrivateKey "ecdsa") }}`)
	add("certificates of many lifetimes", "", `{{ range $i := until 1000 }}{{ $x := genCAWithKey "a" (mul $i 106752 | int) (genPrivateKey "ed25519") }}{{ end }}`)
	add("an authority that is none", "", `{{ genSignedCert "a" nil nil 10 (dict "Key" "x" "Cert" "y") }}`)
	add("an authority without a key", "", `{{ $ca := genCAWithKey "a" 10 (genPrivateKey "ecdsa") }}{{ genSignedCert "a" nil nil 10 (buildCustomCert (b64enc $ca.Cert) (b64enc "x")) }}`)
	add("a long key", "", `{{ genCAWithKey "a" 10 (printf "-----BEGIN RSA PRIVATE KEY-----\n%s\n-----END RSA PRIVATE KEY-----\n" (repeat 2000000 "AAAA")) }}`)
	add("hashes", "", `{{ range 100000 }}{{ $x := bcrypt "pw" }}{{ $y := htpasswd "a" "pw" }}{{ end }}`)
	add("draws in many files", "", `{{ define "a" }}{{ randAlphaNum 1 }}{{ end }}{{ range 10000000 }}{{ $x := include "a" . }}{{ $y := tpl "{{ uuidv4 }}" . }}{{ end }}`)
	return cases
}
