package engine_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/fairlead-dev/fairlead/engine"
)

// drawingCharts are charts that draw what charts draw, by what they are about.
var drawingCharts = map[string]map[string]string{
	"texts": {"a.yaml": secretOf(`
  alnum: {{ randAlphaNum 20 | quote }}
  alpha: {{ randAlpha 20 | quote }}
  ascii: {{ randAscii 20 | quote }}
  numeric: {{ randNumeric 20 | quote }}
  bytes: {{ randBytes 16 | quote }}
  int: {{ randInt 0 1000000 | quote }}
  uuid: {{ uuidv4 | quote }}
  shuffle: {{ shuffle "0123456789abcdef" | quote }}`)},
	"hashes": {"a.yaml": secretOf(`
  bcrypt: {{ bcrypt "pw" | quote }}
  htpasswd: {{ htpasswd "me" (randAlphaNum 10) | quote }}
  aes: {{ encryptAES "key" "text" | quote }}`)},
	"keys": {"a.yaml": secretOf(`
  ecdsa: {{ genPrivateKey "ecdsa" | quote }}
  ed25519: {{ genPrivateKey "ed25519" | quote }}`)},
	"certificates": {"a.yaml": secretOf(`
  {{- $ca := genCA "ca" 365 }}
  {{- $cert := genSignedCert "shop" nil (list "shop.svc") 90 $ca }}
  {{- $self := genSelfSignedCertWithKey "self" nil nil 30 (genPrivateKey "ecdsa") }}
  ca.crt: {{ $ca.Cert | quote }}
  tls.crt: {{ $cert.Cert | quote }}
  tls.key: {{ $cert.Key | quote }}
  self.crt: {{ $self.Cert | quote }}`)},
	// The password shows in a checksum, as charts do it to restart pods.
	"checksum": {
		"secret.yaml": secretOf("\n  password: {{ randAlphaNum 20 | quote }}"),
		"config.yaml": `
apiVersion: v1
kind: ConfigMap
metadata:
  name: {{ .Release.Name }}
  annotations: {checksum/secret: {{ include (print $.Template.BasePath "/secret.yaml") . | sha256sum }}}
data: {id: {{ uuidv4 }}}
`},
	// The password is kept by lookup once the Secret exists.
	"lookup": {"a.yaml": `
{{- $old := lookup "v1" "Secret" .Release.Namespace .Release.Name }}
apiVersion: v1
kind: Secret
metadata: {name: {{ .Release.Name }}}
data:
  {{- if $old }}
  password: {{ $old.data.password }}
  {{- else }}
  password: {{ randAlphaNum 20 | b64enc }}
  {{- end }}
`},
	// The checksum is that of the Secret, drawn at first and looked up afterwards.
	"checksum of lookup": {
		"secret.yaml": `
{{- $old := (lookup "v1" "Secret" .Release.Namespace .Release.Name).data | default dict }}
apiVersion: v1
kind: Secret
metadata: {name: {{ .Release.Name }}}
data: {password: {{ $old.password | default (randAlphaNum 20 | b64enc) }}}
`,
		"config.yaml": `
apiVersion: v1
kind: ConfigMap
metadata: {name: {{ .Release.Name }}}
data: {checksum: {{ include (print $.Template.BasePath "/secret.yaml") . | sha256sum }}}
`},
	"hook": {"a.yaml": secretOf("\n  password: {{ randAlphaNum 20 | quote }}"), "hook.yaml": `
apiVersion: v1
kind: ConfigMap
metadata:
  name: {{ .Release.Name }}-{{ randAlpha 5 | lower }}
  annotations: {helm.sh/hook: pre-upgrade}
data: {a: {{ randAlpha 10 }}}
`},
}

func secretOf(data string) string {
	return "\napiVersion: v1\nkind: Secret\nmetadata: {name: {{ .Release.Name }}}\nstringData:" + data + "\n"
}

var planKey = bytes.Repeat([]byte("k"), 32)

func (f *fixture) keyed() *engine.Engine {
	f.Helper()
	e, err := engine.New(f.config, engine.Options{OnEvent: f.events.add, PlanKey: planKey})
	if err != nil {
		f.Fatal(err)
	}
	return e
}

// A chart that draws is planned, stored, applied by another engine, and planned
// again: nothing changes, and deploying it writes nothing.
func TestRandomChartsAreAppliedFromStoredPlans(t *testing.T) {
	for name, templates := range drawingCharts {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			r := f.release(f.chart(templates))
			plan, err := f.keyed().Plan(f.ctx, r, engine.PlanOptions{})
			if err != nil {
				t.Fatal(err)
			}
			stored, text := f.store(plan)
			applier := f.keyed()
			if _, err := applier.Apply(f.ctx, stored, engine.ApplyOptions{Release: &r}); err != nil {
				t.Fatal(err)
			}
			f.wantNoSecretsIn(text)
			if rev, err := applier.Apply(f.ctx, stored, engine.ApplyOptions{Release: &r}); err != nil || rev.Revision != 1 {
				t.Errorf("applied again: %v, %v", rev, err)
			}
			again, err := applier.Plan(f.ctx, r, engine.PlanOptions{})
			if err != nil || again.Changed() {
				t.Errorf("planned again: %v, %v", again.Report, err)
			}
			f.requests.Reset()
			f.deploy(r)
			if writes := f.writes(); len(writes) > 0 {
				t.Errorf("deployed again: %v", writes)
			}
		})
	}
}

// wantNoSecretsIn fails if a text has a value of a Secret of the namespace, the seed
// of the release among them.
func (f *fixture) wantNoSecretsIn(text string) {
	f.Helper()
	list, err := f.client.CoreV1().Secrets(f.namespace).List(f.ctx, metav1.ListOptions{})
	if err != nil {
		f.Fatal(err)
	}
	seeds := 0
	for _, s := range list.Items {
		for key, value := range s.Data {
			if key == "fairlead.dev-seed" {
				seeds++
				value = value[:32]
			}
			for _, form := range []string{string(value), base64.StdEncoding.EncodeToString(value), fmt.Sprintf("%x", value)} {
				if len(form) >= 10 && strings.Contains(text, form) {
					f.Errorf("the plan shows %s of Secret %s", key, s.Name)
				}
			}
		}
	}
	if seeds == 0 {
		f.Error("no revision has a seed")
	}
}

func (f *fixture) password() string {
	f.Helper()
	s, err := f.client.CoreV1().Secrets(f.namespace).Get(f.ctx, "shop", metav1.GetOptions{})
	if err != nil {
		f.Fatal(err)
	}
	return string(s.Data["password"])
}

// The seed of a release is that of its first revision, until a deploy asks for
// another one. A rollback goes back to the seed of its revision.
func TestSeedStaysWithTheRelease(t *testing.T) {
	f := newFixture(t)
	chart := f.chart(map[string]string{"a.yaml": secretOf("\n  password: {{ randAlphaNum 20 | quote }}\n  color: {{ .Values.color | quote }}")})
	f.deploy(f.release(chart, "color=red"))
	first := f.password()
	f.deploy(f.release(chart, "color=blue"))
	if got := f.password(); got != first {
		t.Errorf("an upgrade changed the password from %s to %s", first, got)
	}
	fresh := f.release(chart, "color=blue")
	fresh.Seed = engine.SeedFresh
	f.deploy(fresh)
	second := f.password()
	if second == first {
		t.Error("SeedFresh kept the password")
	}
	f.deploy(f.release(chart, "color=green"))
	if got := f.password(); got != second {
		t.Errorf("after SeedFresh the password is %s, want %s", got, second)
	}
	if _, err := f.engine.Rollback(f.ctx, f.key, 1, engine.ApplyOptions{}); err != nil {
		t.Fatal(err)
	}
	f.deploy(f.release(chart, "color=white"))
	if got := f.password(); got != first {
		t.Errorf("after the rollback the password is %s, want %s", got, first)
	}
	invalid := f.release(chart)
	invalid.Seed = "Sometimes"
	if _, err := f.engine.Plan(f.ctx, invalid, engine.PlanOptions{}); !errors.Is(err, engine.ErrInvalidOptions) {
		t.Errorf("an unknown policy: %v", err)
	}
}

// A plan with a new seed is applied as planned also from the key of the newest
// revision.
func TestFreshSeedInAStoredPlan(t *testing.T) {
	f := newFixture(t)
	r := f.release(f.chart(drawingCharts["checksum"]))
	f.deploy(r)
	before := f.password()
	r.Seed = engine.SeedFresh
	plan, err := f.engine.Plan(f.ctx, r, engine.PlanOptions{})
	if err != nil {
		t.Fatal(err)
	}
	stored, _ := f.store(plan)
	if _, err := f.newEngine(f.config).Apply(f.ctx, stored, engine.ApplyOptions{Release: &r}); err != nil {
		t.Fatal(err)
	}
	if f.password() == before {
		t.Error("the password is what it was")
	}
}

// Without a key a first install cannot carry its seed: where what is drawn shows,
// applying fails and says what to do.
func TestRandomFirstInstallWithoutAPlanKey(t *testing.T) {
	f := newFixture(t)
	r := f.release(f.chart(drawingCharts["checksum"]))
	plan, err := f.engine.Plan(f.ctx, r, engine.PlanOptions{})
	if err != nil {
		t.Fatal(err)
	}
	stored, _ := f.store(plan)
	_, err = f.newEngine(f.config).Apply(f.ctx, stored, engine.ApplyOptions{Release: &r})
	var stale *engine.StalePlanError
	var hinted *engine.Error
	if !errors.As(err, &stale) || !errors.As(err, &hinted) || !strings.Contains(hinted.Hint, "Options.PlanKey") {
		t.Errorf("applied: %v", err)
	}
	if _, err := f.engine.Apply(f.ctx, plan, engine.ApplyOptions{}); err != nil {
		t.Errorf("the plan itself, not stored: %v", err)
	}
}

// A plan is rendered with its own time when it is applied, and what still differs
// is named by its template.
func TestStalePlanNamesTheTemplate(t *testing.T) {
	f := newFixture(t)
	chart := f.chart(map[string]string{
		"time.yaml": "\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: time}\ndata: {at: {{ now | unixEpoch | quote }}, ago: {{ ago 0 }}, year: {{ date \"2006-01-02T15:04:05.000\" nil }}}\n",
		"live.yaml": "\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: live}\ndata: {seen: {{ len (lookup \"v1\" \"ConfigMap\" .Release.Namespace \"other\") | quote }}}\n",
		"same.yaml": "\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: same}\ndata: {a: b}\n",
	})
	r := f.release(chart)
	applier := f.keyed()
	plan := func() *engine.Plan {
		p, err := f.keyed().Plan(f.ctx, r, engine.PlanOptions{})
		if err != nil {
			t.Fatal(err)
		}
		stored, _ := f.store(p)
		if got := len(stored.TemplateDigests); got != 3 {
			t.Errorf("the plan has %d digests of templates, want 3", got)
		}
		return stored
	}
	early := plan()
	time.Sleep(1100 * time.Millisecond) // the clock that templates see has moved on
	other := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "other"}}
	if _, err := f.client.CoreV1().ConfigMaps(f.namespace).Create(f.ctx, other, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	_, err := applier.Apply(f.ctx, early, engine.ApplyOptions{Release: &r})
	var stale *engine.StalePlanError
	if !errors.As(err, &stale) || stale.Field != "template shop/templates/live.yaml" {
		t.Errorf("with another object to look up: %v", err)
	}
	later := plan()
	time.Sleep(1100 * time.Millisecond)
	if _, err := applier.Apply(f.ctx, later, engine.ApplyOptions{Release: &r}); err != nil {
		t.Errorf("a second later: %v", err)
	}
}

// What a plan says of its time and its templates is compared as all the rest.
func TestTamperedTimeOfAPlan(t *testing.T) {
	f := newFixture(t)
	r := f.release(f.chart(map[string]string{"a.yaml": secretOf("\n  at: {{ now | unixEpoch | quote }}")}))
	p, err := f.keyed().Plan(f.ctx, r, engine.PlanOptions{})
	if err != nil {
		t.Fatal(err)
	}
	stored, _ := f.store(p)
	stored.RenderedAt = stored.RenderedAt.Add(-time.Hour)
	text, err := json.Marshal(stored)
	if err != nil {
		t.Fatal(err)
	}
	tampered := &engine.Plan{}
	if err := json.Unmarshal(text, tampered); err != nil {
		t.Fatal(err)
	}
	var stale *engine.StalePlanError
	if _, err := f.keyed().Apply(f.ctx, tampered, engine.ApplyOptions{Release: &r}); !errors.As(err, &stale) {
		t.Errorf("applied: %v", err)
	}
}

// A chart without random functions records no seed.
func TestNoSeedWithoutRandomFunctions(t *testing.T) {
	f := newFixture(t)
	f.deploy(f.release(f.chart(map[string]string{"a.yaml": "\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n"})))
	list, err := f.client.CoreV1().Secrets(f.namespace).List(f.ctx, metav1.ListOptions{LabelSelector: "owner=helm"})
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range list.Items {
		if s.Data["fairlead.dev-seed"] != nil {
			t.Errorf("Secret %s has a seed", s.Name)
		}
	}
}
