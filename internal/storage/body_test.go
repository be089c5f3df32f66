package storage

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"encoding/json"
	"errors"
	"maps"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/fairlead-dev/fairlead/internal/yamlread"
)

// plain compares records by what they say.
var plain = cmp.Options{cmpopts.IgnoreUnexported(Record{}, Hook{}), cmpopts.EquateEmpty(), cmpopts.EquateApproxTime(0)}

func sample(name string, revision int) *Record {
	at := time.Date(2026, 3, 4, 5, 6, 7, 89, time.UTC)
	return &Record{
		Name: name, Namespace: "team", Revision: revision, Status: StatusPendingUpgrade,
		Description: "Upgrade in progress", Cause: "ticket 7: raise the limit",
		FirstDeployed: at, LastDeployed: at.Add(time.Hour),
		Chart: Chart{Name: "shop", Version: "1.2.3", AppVersion: "9", Description: "A shop", Files: []File{
			{"Chart.yaml", []byte("apiVersion: v2\nname: shop\nversion: 1.2.3\nappVersion: \"9\"\ndescription: A shop\n")},
			{"values.yaml", []byte("replicas: 1\nimage: shop\n")},
			{"values.schema.json", []byte(`{"type":"object"}`)},
			{"templates/deployment.yaml", []byte(`kind: ConfigMap # {{ .Files.Get "seed.sql" }}`)},
			{"templates/tests/ping.yaml", []byte("kind: Pod")},
			{"README.md", []byte("# shop")},
			{"seed.sql", []byte("select 1;")},
			{"unused.bin", []byte{0, 1, 2}},
		}},
		Values:   map[string]any{"replicas": 3.0, "nested": map[string]any{"a": []any{"b", true, nil}}},
		Manifest: TextOf("---\n# Source: shop/templates/deployment.yaml\napiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: shop\n"),
		Hooks: []Hook{{
			Name: "migrate", Kind: "Job", Path: "shop/templates/migrate.yaml", Manifest: "kind: Job\n",
			Events: []string{"pre-upgrade"}, Weight: -5, DeletePolicies: []string{"hook-succeeded"}, OutputLogPolicies: []string{"hook-failed"},
			LastRun: HookRun{StartedAt: at, CompletedAt: at.Add(time.Second), Phase: "Succeeded"},
		}},
		Notes: "Open the shop.\n", Labels: map[string]string{"team": "shop"},
	}
}

// roundTrip stores the record in a Secret and reads it back, without a cluster.
func roundTrip(t *testing.T, r *Record) *Record {
	t.Helper()
	e, err := encode(r, maxBody)
	if err != nil {
		t.Fatal(err)
	}
	if len(e.tail) > 0 {
		t.Fatal("continued")
	}
	return decodeSecret(t, newSecret(r, e, labelCreated, time.Now()))
}

func decodeSecret(t *testing.T, secret *corev1.Secret) *Record {
	t.Helper()
	r, err := New(nil, nil).read(t.Context(), secret, yamlread.NewBudget(maxOne))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestRoundTrip(t *testing.T) {
	want := sample("shop", 4)
	got := roundTrip(t, want)
	want.Chart.Files, want.ApplyMethod = nil, "csa"
	if d := cmp.Diff(want, got, plain); d != "" {
		t.Errorf("stored and read (-want +got):\n%s", d)
	}

	again := got.Again(5)
	again.Status = StatusPendingRollback
	got = roundTrip(t, again)
	if d := cmp.Diff(again, got, plain); d != "" {
		t.Errorf("stored again (-want +got):\n%s", d)
	}
	if !got.LastDeployed.IsZero() || got.Cause != "" || got.Hooks[0].LastRun != (HookRun{}) {
		t.Errorf("the new revision has the course of the old one: %+v", got)
	}
}

func TestCause(t *testing.T) {
	long := strings.Repeat("x", 3*maxAnnotation)
	for name, tc := range map[string]struct {
		description, cause string
		shown              string // by helm history
		annotated          bool   // false: Helm has written the Secret since
		wantDescription    string
		wantCause          string
	}{
		"none":              {"Install complete", "", "Install complete", true, "Install complete", ""},
		"one":               {"Install complete", "why", "Install complete — why", true, "Install complete", "why"},
		"mark inside":       {"failed: a — b", "", "failed: a — b", true, "failed: a — b", ""},
		"mark inside both":  {"failed: a — b", "c — d", "failed: a — b — c — d", true, "failed: a — b", "c — d"},
		"lines":             {"Install complete", "first\nsecond", "Install complete — first second", true, "Install complete", "first\nsecond"},
		"after Helm":        {"Install complete", "why — oh", "Install complete — why — oh", false, "Install complete", "why — oh"},
		"lines after Helm":  {"Install complete", "first\nsecond", "Install complete — first second", false, "Install complete", "first second"},
		"no cause, by Helm": {"Install complete", "", "Install complete", false, "Install complete", ""},
		"cut":               {"Install complete", long, "Install complete — " + long, true, "Install complete", long},
	} {
		t.Run(name, func(t *testing.T) {
			r := sample("shop", 1)
			r.Description, r.Cause = tc.description, tc.cause
			e, err := encode(r, maxBody)
			if err != nil {
				t.Fatal(err)
			}
			secret := newSecret(r, e, labelCreated, time.Now())
			if n := len(secret.Annotations[annotationCause]); n > maxAnnotation+len("…") {
				t.Errorf("an annotation of %d bytes", n)
			}
			if !tc.annotated {
				secret.Annotations = nil
			}
			var shown struct {
				Info struct{ Description string }
			}
			if err := json.Unmarshal(text(t, secret.Data[bodyKey]), &shown); err != nil || shown.Info.Description != tc.shown {
				t.Errorf("Helm shows %q, want %q (%v)", shown.Info.Description, tc.shown, err)
			}
			got := decodeSecret(t, secret)
			if got.Description != tc.wantDescription || got.Cause != tc.wantCause {
				t.Errorf("description %q, cause %q; want %q, %q", got.Description, got.Cause, tc.wantDescription, tc.wantCause)
			}
		})
	}
}

// text is the JSON in a body.
func text(t *testing.T, body []byte) []byte {
	t.Helper()
	packed, err := base64.StdEncoding.DecodeString(string(body))
	if err != nil {
		t.Fatal(err)
	}
	text, err := decompress(packed, yamlread.NewBudget(0))
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// foreign is a revision with members and numbers that a Record has no place
// for.
const foreign = `{"name":"old","namespace":"team","version":3,"future":{"a":[1,2]},"apply_method":"csa",
"info":{"first_deployed":"2024-01-02T03:04:05.678901234+02:00","last_deployed":"2024-01-02T03:04:05Z","deleted":"","description":"Upgrade complete","status":"deployed","rollback_revision":2,"new":true},
"chart":{"metadata":{"name":"c","version":"1.0.0","keywords":["k"]},"lock":null,"templates":[],"values":{"big":12345678901234567890},"schema":null,"files":[],"modtime":"2024-01-01T00:00:00Z"},
"config":{"big":12345678901234567890,"small":1.50},
"manifest":"---\nkind: X # <&>\n",
"hooks":[{"name":"h","kind":"Job","events":["test"],"last_run":{"started_at":"","completed_at":"","phase":"","exit":3},"output_log_policies":["hook-failed"],"unknown":"kept"}]}`

func foreignSecret(body string) *corev1.Secret {
	return &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{
			Name: secretName("old", 3), Namespace: "team", ResourceVersion: "7", UID: "u",
			Labels:          map[string]string{"owner": "helm", "name": "old", "status": "deployed", "version": "3", "createdAt": "1700000000", "team": "x"},
			Annotations:     map[string]string{"example.com/by": "a person"},
			OwnerReferences: []metav1.OwnerReference{{Kind: "ConfigMap", Name: "o"}},
			Finalizers:      []string{"example.com/hold"},
		},
		Type: secretType,
		Data: map[string][]byte{bodyKey: []byte(body), "note": []byte("n")},
	}
}

func TestStatusChangeKeepsTheRest(t *testing.T) {
	body := base64.StdEncoding.EncodeToString([]byte(foreign)) // uncompressed, as before Helm compressed
	r := decodeSecret(t, foreignSecret(body))
	if r.Revision != 3 || r.Status != StatusDeployed || r.ApplyMethod != "csa" || r.Labels["team"] != "x" || len(r.Labels) != 1 {
		t.Fatalf("read as %+v", r)
	}
	r.Status = StatusSuperseded
	e, err := encode(r, maxBody)
	if err != nil {
		t.Fatal(err)
	}
	secret := newSecret(r, e, labelModified, time.Unix(1800000000, 0))

	want := strings.Replace(foreign, `"status":"deployed"`, `"status":"superseded"`, 1)
	if d := cmp.Diff(exact(t, []byte(want)), exact(t, text(t, secret.Data[bodyKey]))); d != "" {
		t.Errorf("the body after a status change (-want +got):\n%s", d)
	}
	labels := map[string]string{"owner": "helm", "name": "old", "status": "superseded", "version": "3", "createdAt": "1700000000", "modifiedAt": "1800000000", "team": "x"}
	if !maps.Equal(secret.Labels, labels) {
		t.Errorf("labels %v, want %v", secret.Labels, labels)
	}
	if secret.Annotations["example.com/by"] != "a person" || len(secret.OwnerReferences) != 1 || len(secret.Finalizers) != 1 || string(secret.Data["note"]) != "n" || secret.ResourceVersion != "7" {
		t.Errorf("what others set is gone: %+v", secret.ObjectMeta)
	}
}

// exact reads JSON without rounding numbers.
func exact(t *testing.T, text []byte) any {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		t.Fatal(err)
	}
	return v
}

func TestChangedValuesAreWritten(t *testing.T) {
	r := decodeSecret(t, foreignSecret(base64.StdEncoding.EncodeToString([]byte(foreign))))
	r.Values["small"] = 2.0
	r.Manifest = TextOf("---\nkind: Y\n")
	got := roundTrip(t, r)
	if got.Values["small"] != 2.0 || !got.Manifest.Equal(r.Manifest) {
		t.Errorf("read back as %v, %q", got.Values, got.Manifest)
	}
}

// packed is a body of any JSON text.
func packed(t testing.TB, text string) string {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if _, err := z.Write([]byte(text)); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return base64.StdEncoding.EncodeToString(b.Bytes())
}

func hostile(t testing.TB) map[string]string {
	good := packed(t, foreign)
	torn, err := base64.StdEncoding.DecodeString(good)
	if err != nil {
		t.Fatal(err)
	}
	flipped := bytes.Clone(torn)
	flipped[len(flipped)/2] ^= 0x55
	return map[string]string{
		"empty":             "",
		"no base64":         "{\"name\":",
		"cut base64":        good[:len(good)-3],
		"garbage":           base64.StdEncoding.EncodeToString([]byte{1, 2, 3, 4}),
		"cut gzip":          base64.StdEncoding.EncodeToString(torn[:len(torn)/2]),
		"gzip header alone": base64.StdEncoding.EncodeToString(gzipMagic),
		"flipped bit":       base64.StdEncoding.EncodeToString(flipped),
		"null":              packed(t, "null"),
		"array":             packed(t, "[]"),
		"no name":           packed(t, `{"version":3}`),
		"no revision":       packed(t, `{"name":"old"}`),
		"other release":     packed(t, `{"name":"other","version":3}`),
		"other revision":    packed(t, `{"name":"old","version":4}`),
		"wrong types":       packed(t, `{"name":"old","version":3,"info":[],"chart":7}`),
		"bad time":          packed(t, `{"name":"old","version":3,"info":{"deleted":"yesterday"}}`),
		"bad hook":          packed(t, `{"name":"old","version":3,"hooks":[{"weight":"heavy"}]}`),
		"deep":              packed(t, `{"name":"old","version":3,"config":`+strings.Repeat(`{"a":`, 20000)+`1`+strings.Repeat(`}`, 20001)),
		"bomb":              packed(t, `{"name":"old","version":3,"manifest":"`+strings.Repeat("a", maxDecoded)+`"}`),
		"continued nowhere": packed(t, `{"name":"old","version":3,"manifest":"---\n# Source: fairlead.dev/continued\nkind: X\n"}`),
		"continued too far": packed(t, `{"name":"old","version":3,"manifest":"---\n# Source: fairlead.dev/continued\nspec:\n  parts: 99999999\n  sha256: `+strings.Repeat("ab", 32)+`\n"}`),
		"continued by junk": packed(t, `{"name":"old","version":3,"manifest":"---\n# Source: fairlead.dev/continued\n\t{{"}`),
	}
}

func TestHostileBodies(t *testing.T) {
	for name, body := range hostile(t) {
		t.Run(name, func(t *testing.T) {
			r, err := New(nil, nil).read(t.Context(), foreignSecret(body), yamlread.NewBudget(maxOne))
			broken, ok := err.(*DecodeError)
			if !ok || broken.Object != "Secret team/sh.helm.release.v1.old.v3" || broken.Err == nil {
				t.Fatalf("read as %+v with error %v, want a *DecodeError that names the Secret", r, err)
			}
			if !strings.Contains(err.Error(), "sh.helm.release.v1.old.v3") {
				t.Errorf("the message does not name the Secret: %v", err)
			}
		})
	}
}

func FuzzRead(f *testing.F) {
	f.Add([]byte(foreign))
	f.Add([]byte(`{"name":"old","version":3,"info":null,"chart":null,"config":null,"hooks":[null,{}],"manifest":""}`))
	f.Add([]byte(`{"name":"old","version":3,"manifest":"---\n# Source: fairlead.dev/continued\nspec:\n  parts: 0\n"}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		if bytes.Contains(text, []byte("parts")) {
			return // what is continued is read from a cluster
		}
		secret := foreignSecret(base64.StdEncoding.EncodeToString(text))
		r, err := New(nil, nil).read(t.Context(), secret, yamlread.NewBudget(maxOne))
		if err != nil {
			if r != nil {
				t.Fatal("a record beside an error")
			}
			return
		}
		r.Status = StatusSuperseded
		e, err := encode(r, maxBody)
		if err != nil {
			t.Fatalf("read, but not written: %v", err)
		}
		if len(e.tail) > 0 {
			return
		}
		again, err := New(nil, nil).read(t.Context(), newSecret(r, e, labelModified, time.Now()), yamlread.NewBudget(maxOne))
		if err != nil {
			t.Fatalf("written, but not read: %v", err)
		}
		if d := cmp.Diff(r, again, plain); d != "" {
			t.Fatalf("written and read (-want +got):\n%s", d)
		}
	})
}

func TestLongTextsAreReadPieceByPiece(t *testing.T) {
	g := rand.New(rand.NewPCG(3, 4))
	for _, lines := range []int{1, 10, 3000, 6000} {
		for _, alphabet := range []string{"abc: \n", "\"\\/\b\f\n\r\t<>&", "ä…😀\u2028\n", "\\n", "n\\"} {
			var b strings.Builder
			runes := []rune(alphabet)
			for range lines {
				for range 20 {
					b.WriteRune(runes[g.IntN(len(runes))])
				}
			}
			want := document{memberName: json.RawMessage(`"shop"`), memberInfo: json.RawMessage("null"), memberConfig: json.RawMessage(`{"a":[1, 2]}`)}
			if err := errors.Join(want.set("other", b.String()), want.set(memberManifest, b.String())); err != nil {
				t.Fatal(err)
			}
			text, _, err := want.text()
			if err != nil {
				t.Fatal(err)
			}
			delete(want, memberManifest)
			got, manifest, err := readDocument(text, yamlread.NewBudget(0))
			if err != nil || manifest != b.String() || !cmp.Equal(got, want) {
				t.Errorf("%d lines of %q: %v, %v", lines, alphabet, cmp.Diff(got, want), err)
			}
		}
	}
}
