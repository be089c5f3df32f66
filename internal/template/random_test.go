package template

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/bcrypt"
)

var (
	testSeed = Seed{Key: []byte("0123456789abcdef0123456789abcdef"), Since: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)}
	testNow  = testSeed.Since.Add(time.Hour)
)

func (s Seed) fetch() (Seed, error) { return s, nil }

// renderSeeded renders the only template, in a set that was compiled for it.
func renderSeeded(t *testing.T, env Env, text string) string {
	t.Helper()
	set, err := Compile([]Source{{Name: "c/templates/a.yaml", Text: text}}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	out, err := set.NewRun(context.Background(), env).Execute("c/templates/a.yaml", map[string]any{})
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return out
}

// randomCalls has a call of each random function.
var randomCalls = map[string]string{
	"randAlphaNum": `randAlphaNum 40`, "randAlpha": `randAlpha 40`, "randNumeric": `randNumeric 40`, "randAscii": `randAscii 40`,
	"randBytes": `randBytes 16`, "randInt": `randInt -1000000000000 1000000000000`, "uuidv4": `uuidv4`,
	"shuffle": `shuffle "abcdefghijklmnopqrstuvwxyz0123456789"`, "bcrypt": `bcrypt "pw"`, "htpasswd": `htpasswd "me" "pw"`,
	"encryptAES": `encryptAES "key" "text"`, "genPrivateKey": `genPrivateKey "ed25519"`,
	"genCA": `(genCA "ca" 10).Cert`, "genCAWithKey": `(genCAWithKey "ca" 10 (genPrivateKey "ecdsa")).Cert`,
	"genSelfSignedCert":        `(genSelfSignedCert "a" (list "10.0.0.1") (list "a.b") 10).Key`,
	"genSelfSignedCertWithKey": `(genSelfSignedCertWithKey "a" nil nil 10 (genPrivateKey "ecdsa")).Cert`,
	"genSignedCert":            `(genSignedCert "a" nil nil 10 (genCAWithKey "ca" 10 (genPrivateKey "ed25519"))).Cert`,
	"genSignedCertWithKey":     `(genSignedCertWithKey "a" nil nil 10 (genCAWithKey "ca" 10 (genPrivateKey "ecdsa")) (genPrivateKey "ed25519")).Cert`,
}

func TestEachRandomFunctionObeysTheSeed(t *testing.T) {
	if got, want := slices.Sorted(maps.Keys(randomCalls)), slices.Sorted(maps.Keys(seededFunctions(functions()))); !slices.Equal(got, want) {
		t.Fatalf("calls of %v, want of %v", got, want)
	}
	other := Seed{Key: []byte("another"), Since: testSeed.Since}
	for name, call := range randomCalls {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			text := "{{ " + call + " }}\n--\n{{ " + call + " }}"
			env := Env{Seed: testSeed.fetch, Now: testNow}
			first := renderSeeded(t, env, text)
			if again := renderSeeded(t, env, text); again != first {
				t.Errorf("with one seed\n%s\nand\n%s", first, again)
			}
			if one, two, _ := strings.Cut(first, "\n--\n"); one == two {
				t.Errorf("two calls return %s", one)
			}
			if also := renderSeeded(t, Env{Seed: other.fetch, Now: testNow}, text); also == first {
				t.Errorf("two seeds give %s", first)
			}
			if also := renderSeeded(t, Env{Now: testNow}, text); also == first {
				t.Errorf("no seed gives what one gives: %s", first)
			}
		})
	}
}

// What a seed gives must not change with a version of the library or of Go: a
// release that keeps its seed would get other passwords.
func TestSeededResultsStay(t *testing.T) {
	env := Env{Seed: testSeed.fetch, Now: testNow}
	for call, want := range map[string]string{
		`randAlphaNum 12`:                     `jvd7FDKLDwcI`,
		`randAlpha 12`:                        `LXgAEavREzIU`,
		`randNumeric 12`:                      `924863209985`,
		`randAscii 12`:                        `b[?C1S5 Jz0,`,
		`randBytes 6`:                         `Bg2njyP3`,
		`randInt 0 1000000`:                   `88217`,
		`uuidv4`:                              `f422391f-efea-406a-adae-b27885279c01`,
		`shuffle "0123456789"`:                `6950248713`,
		`bcrypt "pw"`:                         `$2a$10$Eqwr3GOIPK2TLt9kuj0H2uj4sM7gmu7a0cqJ/ZvrV2/aanCTxQtpm`,
		`encryptAES "k" "t"`:                  `BaPoNxb1BQkyZBJgw5ZPx7SI5Zif89CfQjNu/ExcCEw=`,
		`genPrivateKey "ecdsa" | sha256sum`:   `b7e22dd4bab8001d2ac2fdf7c29adc8dfe0d7edbabe2848782d6367aab74fb1c`,
		`genPrivateKey "ed25519" | sha256sum`: `ec0af889473e63b555df5da0c690f1b0b271b5a931cf8d980d67a001bcbb52aa`,
		`(genCA "ca" 365).Key | sha256sum`:    `c7d856bd2f75c4c968dcf18306d22bfb50943e672dae6c22fa2d636103ba44a5`,
		`(genCA "ca" 365).Cert | sha256sum`:   `da604207f31e63a1235387ff167dc1cebaf69af96094e07b53fd4a75b8547cfc`,
		`(genSelfSignedCert "a" nil nil 1).Cert | sha256sum`: `0d25f7e72e8a1642329583838729ec91a9588a686a6a9b0a347a11b989a34d63`,
	} {
		if got := renderSeeded(t, env, "{{ "+call+" }}"); got != want {
			t.Errorf("%s: %q, want %q", call, got, want)
		}
	}
}

func TestLargeKeysObeyTheSeed(t *testing.T) {
	if testing.Short() {
		t.Skip("keys of 4096 bits take seconds")
	}
	for _, kind := range []string{"rsa", "dsa"} {
		text := fmt.Sprintf("{{ genPrivateKey %q }}", kind)
		env := Env{Seed: testSeed.fetch}
		if a, b := renderSeeded(t, env, text), renderSeeded(t, env, text); a != b || !strings.Contains(a, "PRIVATE KEY") {
			t.Errorf("%s: %s and %s", kind, a, b)
		}
	}
}

// A call that is added to one template, or of another function, leaves the others
// what they were.
func TestSeededCallsAreIndependent(t *testing.T) {
	render := func(a, b string) map[string]string {
		set, err := Compile([]Source{{"c/templates/a.yaml", a}, {"c/templates/b.yaml", b}, {"c/templates/_p.tpl", `{{ define "pw" }}{{ randAlpha 20 }}{{ end }}`}}, Options{})
		if err != nil {
			t.Fatal(err)
		}
		run, out := set.NewRun(context.Background(), Env{Seed: testSeed.fetch}), map[string]string{}
		for _, name := range set.Names() {
			if out[name], err = run.Execute(name, map[string]any{}); err != nil {
				t.Fatal(err)
			}
		}
		return out
	}
	before := render(`{{ randAlpha 20 }}`, `{{ include "pw" . }}`)
	after := render(`{{ uuidv4 }}{{ randAlpha 20 }}{{ tpl "{{ randAlpha 20 }}" . }}`, `{{ include "pw" . }}`)
	if before["c/templates/b.yaml"] != after["c/templates/b.yaml"] {
		t.Errorf("b.yaml was %s, is %s", before["c/templates/b.yaml"], after["c/templates/b.yaml"])
	}
	if !strings.Contains(after["c/templates/a.yaml"], before["c/templates/a.yaml"]) {
		t.Errorf("a.yaml was %s, is %s", before["c/templates/a.yaml"], after["c/templates/a.yaml"])
	}
	if before["c/templates/a.yaml"] == before["c/templates/b.yaml"] {
		t.Error("two templates draw the same")
	}
}

// A file that is included draws what it draws by itself, each time.
func TestIncludedFilesDrawTheSame(t *testing.T) {
	set, err := Compile([]Source{
		{"c/templates/secret.yaml", `{{ randAlpha 20 }} {{ randAlpha 20 }}`},
		{"c/templates/web.yaml", `{{ $x := randAlpha 20 }}{{ include "c/templates/secret.yaml" . }}|{{ include "c/templates/secret.yaml" . }}|{{ $x }}|{{ randAlpha 20 }}`},
	}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	run := set.NewRun(context.Background(), Env{Seed: testSeed.fetch})
	secret, err := run.Execute("c/templates/secret.yaml", map[string]any{})
	if err != nil {
		t.Fatal(err)
	}
	web, err := run.Execute("c/templates/web.yaml", map[string]any{})
	if err != nil {
		t.Fatal(err)
	}
	if parts := strings.Split(web, "|"); parts[0] != secret || parts[1] != secret || parts[2] == parts[3] {
		t.Errorf("the file has %s, what includes it %s", secret, web)
	}
}

func TestSeededResultsAreValid(t *testing.T) {
	env := Env{Seed: testSeed.fetch, Now: testNow}
	hash := renderSeeded(t, env, `{{ htpasswd "me" "pässword" }}`)
	if err := bcrypt.CompareHashAndPassword([]byte(strings.TrimPrefix(hash, "me:")), []byte("pässword")); err != nil {
		t.Errorf("%s: %v", hash, err)
	}
	for _, text := range []string{"x", "0123456789abcdef", strings.Repeat("y", 100)} {
		if got := renderSeeded(t, env, fmt.Sprintf(`{{ encryptAES "k" %q | decryptAES "k" }}`, text)); got != text {
			t.Errorf("decrypted %q, want %q", got, text)
		}
	}
	for _, kind := range []string{"rsa", "ecdsa", "ed25519"} {
		text := `{{ $ca := genCA "ca" 10 }}{{ $c := genSignedCertWithKey "a" (list "10.0.0.1") (list "a.b") 5 $ca (genPrivateKey "` + kind + `") }}{{ $ca.Cert }}{{ $c.Cert }}{{ $c.Key }}`
		if kind == "rsa" {
			text = strings.Replace(strings.Replace(text, `WithKey "a"`, ` "a"`, 1), ` (genPrivateKey "rsa")`, "", 1)
		}
		parts := splitPEM(renderSeeded(t, env, text))
		pair, err := tls.X509KeyPair([]byte(parts[1]), []byte(parts[2]))
		if err != nil {
			t.Fatalf("%s: %v", kind, err)
		}
		roots := x509.NewCertPool()
		roots.AppendCertsFromPEM([]byte(parts[0]))
		leaf, err := x509.ParseCertificate(pair.Certificate[0])
		if err != nil {
			t.Fatal(err)
		}
		if _, err := leaf.Verify(x509.VerifyOptions{DNSName: "a.b", Roots: roots, CurrentTime: testNow}); err != nil {
			t.Errorf("%s: %v", kind, err)
		}
		if !leaf.NotBefore.Equal(testSeed.Since) || leaf.NotAfter.Sub(leaf.NotBefore) != 5*24*time.Hour {
			t.Errorf("%s: valid from %v to %v", kind, leaf.NotBefore, leaf.NotAfter)
		}
	}
}

// splitPEM splits a text into its blocks of PEM.
func splitPEM(text string) []string {
	var parts []string
	for rest := []byte(text); ; {
		block, after := pem.Decode(rest)
		if block == nil {
			return parts
		}
		parts, rest = append(parts, string(pem.EncodeToMemory(block))), after
	}
}

// A certificate is renewed, for the same key, before it ends.
func TestSeededCertificatesAreRenewed(t *testing.T) {
	at := func(now time.Time) (*x509.Certificate, string) {
		parts := splitPEM(renderSeeded(t, Env{Seed: testSeed.fetch, Now: now}, `{{ $c := genSelfSignedCert "a" nil nil 90 }}{{ $c.Cert }}{{ $c.Key }}`))
		block, _ := pem.Decode([]byte(parts[0]))
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			t.Fatal(err)
		}
		return cert, parts[1]
	}
	day := 24 * time.Hour
	first, key := at(testSeed.Since)
	if again, _ := at(testSeed.Since.Add(60*day - time.Second)); !again.Equal(first) {
		t.Error("another certificate within two thirds of its lifetime")
	}
	if early, _ := at(testSeed.Since.Add(-day)); !early.Equal(first) {
		t.Error("another certificate for a clock that is late")
	}
	second, sameKey := at(testSeed.Since.Add(60 * day))
	if second.Equal(first) || sameKey != key || second.SerialNumber.Cmp(first.SerialNumber) == 0 || !second.NotBefore.Equal(testSeed.Since.Add(60*day)) {
		t.Errorf("after two thirds: valid from %v, serial %v, of the same key: %v", second.NotBefore, second.SerialNumber, sameKey == key)
	}
}

// Arguments that sprig refuses are refused with its words.
func TestSeededFunctionsRefuseAsSprigDoes(t *testing.T) {
	for _, call := range []string{
		`randInt 3 3`, `randBytes -1`, `randAlpha -1`, `genPrivateKey "x"`, `htpasswd "a:b" "c"`, `bcrypt (repeat 73 "x")`, `encryptAES "k" ""`,
		`genCAWithKey "a" 1 "no key"`, `genSelfSignedCert "a" (list "no ip") nil 1`, `genSignedCert "a" nil nil 1 (dict)`, `shuffle ""`,
	} {
		run := func(env Env) string {
			set, err := Compile([]Source{{Name: "a", Text: "{{ " + call + " }}"}}, Options{})
			if err != nil {
				t.Fatal(err)
			}
			out, err := set.NewRun(context.Background(), env).Execute("a", map[string]any{})
			return fmt.Sprint(out, err)
		}
		if got, want := run(Env{Seed: testSeed.fetch}), run(Env{}); got != want {
			t.Errorf("%s: %s, want %s", call, got, want)
		}
	}
}

func TestFixedTime(t *testing.T) {
	utc := testNow.In(time.FixedZone("west", -5*3600))
	clock := testNow.Format("2006-01-02T15:04:05")
	for text, want := range map[string]string{
		`{{ now.UTC.Format "2006-01-02T15:04:05" }}`:         clock,
		`{{ dateInZone "2006-01-02T15:04:05" (now) "UTC" }}`: clock,
		`{{ dateInZone "2006-01-02T15:04:05" "" "UTC" }}`:    clock,
		`{{ date_in_zone "2006-01-02T15:04:05" nil "UTC" }}`: clock,
		`{{ htmlDateInZone "" "UTC" }}`:                      clock[:10],
		`{{ unixEpoch now }}`:                                fmt.Sprint(utc.Unix()),
		fmt.Sprintf(`{{ ago %d }}`, utc.Unix()-90):           "1m30s",
		`{{ ago "" }}`:                                              "0s",
		`{{ ago (now | dateModify "-1h") }}`:                        "1h0m0s",
		`{{ durationRound (now | dateModify "-49h") }}`:             "2d",
		`{{ durationRound "3h" }}`:                                  "3h",
		`{{ date "2006" nil }}`:                                     testNow.Format("2006"),
		`{{ htmlDate nil }}`:                                        testNow.Format("2006-01-02"),
		`{{ (toDate "2006-01-02 15:04" "2026-07-01 10:00").Unix }}`: "1782900000",
		`{{ dateInZone "15:04 MST" now "Local" }}`:                  "04:04 UTC",
		`{{ dateInZone "15:04" now "Nowhere" }}`:                    "04:04",
		`{{ dateInZone "2006" 0 "UTC" }}`:                           "1970",
		`{{ (dateModify "1h" now).Sub now }}`:                       "1h0m0s",
	} {
		if got := renderSeeded(t, Env{Now: utc}, text); got != want {
			t.Errorf("%s: %s, want %s", text, got, want)
		}
	}
}

// What goes through maps comes in one order.
func TestFunctionsOfMapsAreOrdered(t *testing.T) {
	const text = `{{ $m := dict }}{{ range until 50 }}{{ $_ := set $m (printf "k%d" .) (dict "x" . "y" (list .)) }}{{ end }}` +
		`{{ keys $m }}{{ values $m }}{{ omit $m "k1" }}{{ pick $m "k3" "k2" }}{{ merge (dict "a" 1) $m }}{{ mergeOverwrite (dict "k1" (dict "z" 1)) $m }}` +
		`{{ toToml $m }}{{ toYaml $m }}{{ toJson $m }}{{ toPrettyJson $m }}{{ toRawJson $m }}{{ toYamlPretty $m }}{{ $m }}{{ print $m }}{{ toString $m }}` +
		`{{ deepCopy $m }}{{ range $k, $v := $m }}{{ $k }}{{ $v }}{{ end }}{{ join "," (keys $m $m) }}{{ toStrings (values $m) }}{{ quote $m }}{{ cat $m }}`
	first := renderSeeded(t, Env{}, text)
	for range 20 {
		if again := renderSeeded(t, Env{}, text); again != first {
			t.Fatalf("%s\nand\n%s", first, again)
		}
	}
}
