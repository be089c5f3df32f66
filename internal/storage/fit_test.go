package storage

import (
	"encoding/json"
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// noise is text of n bytes that does not compress below three quarters.
func noise(n int, seed uint64) string {
	const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
	source := rand.New(rand.NewPCG(seed, 1))
	b := make([]byte, n)
	for i := range b {
		b[i] = letters[source.IntN(len(letters))]
	}
	return string(b)
}

func TestTrimmedChart(t *testing.T) {
	big := []byte(noise(testLimit, 1))
	for name, tc := range map[string]struct {
		add      File
		trimmed  string
		readme   bool // what is left
		unused   bool
		seed     bool
		template bool
		schema   bool
		values   bool
	}{
		"small":                {File{"docs/a.md", nil}, "", true, true, true, true, true, true},
		"documentation":        {File{"docs/a.md", big}, "docs", false, true, true, true, true, true},
		"tests":                {File{"templates/tests/a.yaml", big}, "docs", false, true, true, true, true, true},
		"continuous tests":     {File{"ci/a.yaml", big}, "docs", false, true, true, true, true, true},
		"file no one names":    {File{"other.bin", big}, "files", false, false, true, true, true, true},
		"file a template gets": {File{"seed.sql", big}, "templates", false, false, false, false, false, true},
		"template":             {File{"templates/a.yaml", big}, "templates", false, false, false, false, false, true},
		"values":               {File{"values.yaml", []byte("a: " + string(big))}, "values", false, false, false, false, false, false},
	} {
		t.Run(name, func(t *testing.T) {
			r := sample("shop", 1)
			r.Chart.Files = append(slices.DeleteFunc(r.Chart.Files, func(f File) bool { return f.Name == tc.add.Name }), tc.add)
			e, err := encode(r, testLimit)
			if err != nil {
				t.Fatal(err)
			}
			if len(e.tail) > 0 || len(e.body) > testLimit || e.trimmed != tc.trimmed {
				t.Fatalf("%d bytes, %d more, trimmed %q; want trimmed %q", len(e.body), len(e.tail), e.trimmed, tc.trimmed)
			}
			var stored struct {
				Chart struct {
					Metadata         struct{ Name string }
					Templates, Files []storedFile
					Schema           []byte
					Values           map[string]any
				}
			}
			if err := json.Unmarshal(text(t, e.body), &stored); err != nil {
				t.Fatal(err)
			}
			has := func(name string) bool {
				return slices.ContainsFunc(append(stored.Chart.Templates, stored.Chart.Files...), func(f storedFile) bool { return f.Name == name })
			}
			got := []bool{has("README.md"), has("unused.bin"), has("seed.sql"), has("templates/deployment.yaml"), len(stored.Chart.Schema) > 0, len(stored.Chart.Values) > 0}
			want := []bool{tc.readme, tc.unused, tc.seed, tc.template, tc.schema, tc.values}
			if d := cmp.Diff(want, got); d != "" || stored.Chart.Metadata.Name != "shop" {
				t.Errorf("left are README, unused, seed, template, schema, values (-want +got):\n%s", d)
			}

			secret := newSecret(r, e, labelCreated, time.Now())
			back := decodeSecret(t, secret)
			if !back.Manifest.Equal(r.Manifest) || !cmp.Equal(back.Values, r.Values) {
				t.Error("trimming touched what was applied")
			}
			back.Status = StatusSuperseded
			if e, err = encode(back, testLimit); err != nil {
				t.Fatal(err)
			}
			if got := newSecret(back, e, labelModified, time.Now()).Annotations[annotationTrimmed]; got != tc.trimmed {
				t.Errorf("after a status change the Secret says trimmed %q, want %q", got, tc.trimmed)
			}
		})
	}
}

// What another writer stored to the brim has no room for a longer description.
func TestTrimmedOnUpdate(t *testing.T) {
	r := sample("shop", 1)
	r.Chart.Files = append(r.Chart.Files, File{"docs/a.md", []byte(noise(testLimit, 1))})
	back := roundTrip(t, r) // to a larger limit
	back.Description = noise(testLimit/4, 2)
	e, err := encode(back, testLimit)
	if err != nil {
		t.Fatal(err)
	}
	if len(e.tail) > 0 || e.trimmed != "docs" {
		t.Errorf("%d more bytes, trimmed %q; want the documentation trimmed", len(e.tail), e.trimmed)
	}
}

func TestTooBig(t *testing.T) {
	r := sample("shop", 1)
	r.Notes = noise(2*testLimit, 1)
	if _, err := encode(r, testLimit); !errors.Is(err, ErrTooBig) {
		t.Errorf("%v, want ErrTooBig", err)
	}
	r = sample("shop", 1)
	r.Manifest = TextOf(strings.Repeat("a", maxDecoded+1)) // packs to little, and would not be unpacked
	if _, err := encode(r, testLimit); !errors.Is(err, ErrTooBig) {
		t.Errorf("%v, want ErrTooBig", err)
	}
	r = sample("shop", 1)
	r.Manifest = TextOf(continuedMark + "kind: X\n")
	if _, err := encode(r, testLimit); err == nil {
		t.Error("a manifest that passes for a continuation is stored")
	}
}

// bigManifest is one ConfigMap of n bytes.
func bigManifest(n int) string {
	return "---\n# Source: shop/templates/big.yaml\napiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: big\ndata:\n  a: " + noise(n, 7) + "\n"
}

func (s *shelf) big(revision int, status Status) *Record {
	r := s.record(revision, status)
	r.Manifest = TextOf(bigManifest(3 * testLimit))
	return r
}

func TestContinued(t *testing.T) {
	s := newShelf(t)
	r := s.big(1, StatusPendingInstall)
	if err := s.Create(s.ctx, r); err != nil {
		t.Fatal(err)
	}
	stored := s.names()
	if len(stored) != 4 {
		t.Fatalf("stored as %v, want one Secret and three more", stored)
	}
	for _, status := range []Status{StatusDeployed, StatusSuperseded} {
		r.Status = status
		if err := s.Update(s.ctx, r); err != nil {
			t.Fatal(err)
		}
		got := s.get(1)
		want := s.big(1, status)
		want.Chart.Files, want.ApplyMethod = nil, "csa"
		if d := cmp.Diff(want, got, plain); d != "" {
			t.Fatalf("read back (-want +got):\n%.2000s", d)
		}
		r = got
	}
	if d := cmp.Diff(stored, s.names()); d != "" {
		t.Errorf("a status change wrote parts again (-before +after):\n%s", d)
	}
	if got, want := s.history(), "1 superseded"; got != want {
		t.Errorf("history %s, want %s", got, want)
	}

	// Hooks go to the tail as well if it takes that; a new tail takes the
	// place of the old one.
	r.Hooks[0].Manifest = noise(2*testLimit, 9)
	if err := s.Update(s.ctx, r); err != nil {
		t.Fatal(err)
	}
	if got := s.get(1); got.Hooks[0].Manifest != r.Hooks[0].Manifest || !got.Manifest.Equal(r.Manifest) {
		t.Error("the second tail does not read back")
	}
	if got := len(s.names()); got != 5 {
		t.Errorf("%d Secrets, want one and four more: %v", got, s.names())
	}

	// And back into one Secret.
	r.Manifest, r.Hooks = TextOf("---\nkind: X\n"), nil
	if err := s.Update(s.ctx, r); err != nil {
		t.Fatal(err)
	}
	if got := s.get(1); !got.Manifest.Equal(r.Manifest) {
		t.Errorf("manifest %.100s", got.Manifest)
	}
	if d := cmp.Diff([]string{secretName("shop", 1)}, s.names()); d != "" {
		t.Errorf("left (-want +got):\n%s", d)
	}
}

func TestContinuedAgain(t *testing.T) {
	s := newShelf(t)
	if err := s.Create(s.ctx, s.big(1, StatusSuperseded)); err != nil {
		t.Fatal(err)
	}
	next := s.get(1).Again(2)
	next.Status = StatusDeployed
	if err := s.Create(s.ctx, next); err != nil {
		t.Fatal(err)
	}
	if err := s.Delete(s.ctx, s.ns, "shop", 1); err != nil {
		t.Fatal(err)
	}
	if got := s.get(2); got.Manifest.String() != bigManifest(3*testLimit) {
		t.Error("the second revision shared the first one's parts")
	}
}

func TestTorn(t *testing.T) {
	for name, tear := range map[string]func(t *testing.T, s *shelf, part string){
		"missing": func(t *testing.T, s *shelf, part string) {
			if err := s.delete(s.ctx, s.ns, part, ""); err != nil {
				t.Fatal(err)
			}
		},
		"other": func(t *testing.T, s *shelf, part string) {
			secrets := s.secrets.CoreV1().Secrets(s.ns)
			secret, err := secrets.Get(s.ctx, part, metav1.GetOptions{})
			if err != nil {
				t.Fatal(err)
			}
			if err := s.delete(s.ctx, s.ns, part, ""); err != nil {
				t.Fatal(err)
			}
			secret.Data[partKey][1000] ^= 1
			secret.ResourceVersion, secret.UID = "", ""
			if _, err := secrets.Create(s.ctx, secret, metav1.CreateOptions{}); err != nil {
				t.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := newShelf(t)
			r := s.big(1, StatusDeployed)
			if err := s.Create(s.ctx, r); err != nil {
				t.Fatal(err)
			}
			tear(t, s, partName("shop", 1, r.continued.SHA256, 2))
			got, err := s.Get(s.ctx, s.ns, "shop", 1)
			var broken *DecodeError
			if !errors.As(err, &broken) || !errors.Is(err, ErrTorn) {
				t.Fatalf("read as %v with error %v, want ErrTorn in a *DecodeError", got, err)
			}
		})
	}
}

// A deployer was killed before it wrote revision 2, and long after another one
// records the same: what the first one left is not collected from under it.
func TestPartsThatAreGoneOnFromStay(t *testing.T) {
	s := newShelf(t)
	s.create(StatusDeployed)
	r := s.big(2, StatusDeployed)
	e, err := encode(r, testLimit)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.writeParts(s.ctx, r, e); err != nil {
		t.Fatal(err)
	}
	inventory, err := s.Inventory(s.ctx, s.ns, "shop")
	if err != nil {
		t.Fatal(err)
	}
	revisions, parts, _, err := s.everything(s.ctx, s.ns, "shop")
	if err != nil {
		t.Fatal(err)
	}
	if inventory.orphans = orphans(revisions, parts, time.Now().Add(2*orphanAge)); len(inventory.orphans) == 0 {
		t.Fatal("what was left does not count as such, however old")
	}
	if err := s.Create(s.ctx, r); err != nil {
		t.Fatal(err)
	}
	inventory.Revisions = append(inventory.Revisions, r.Meta())
	if err := s.Trim(s.ctx, s.ns, inventory, 10); err != nil {
		t.Fatal(err)
	}
	if got, err := s.Get(s.ctx, s.ns, "shop", 2); err != nil || got.Manifest.String() != r.Manifest.String() {
		t.Errorf("read again: %v", err)
	}
}

func TestOrphansAreCollected(t *testing.T) {
	s := newShelf(t)
	// A deployer was killed before it wrote revision 1, and lost the race for
	// revision 2.
	for _, lost := range []*Record{s.big(1, StatusPendingInstall), s.big(2, StatusPendingInstall)} {
		lost.Manifest = TextOf(lost.Manifest.String(), "# lost\n")
		e, err := encode(lost, testLimit)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.writeParts(s.ctx, lost, e); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Create(s.ctx, s.big(2, StatusDeployed)); err != nil {
		t.Fatal(err)
	}
	inventory, err := s.Inventory(s.ctx, s.ns, "shop")
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Trim(s.ctx, s.ns, inventory, 10); err != nil {
		t.Fatal(err)
	}
	count := func(revision int) (n int) {
		for _, name := range s.names() {
			if strings.HasPrefix(name, secretName("shop", revision)+".") {
				n++
			}
		}
		return n
	}
	if got := count(1); got != 0 {
		t.Errorf("%d parts of a revision that was never written are left", got)
	}
	if got := count(2); got != 6 {
		t.Errorf("%d parts of revision 2 are left, want 6: the lost ones are too young to tell", got)
	}
	revisions, parts, _, err := s.everything(s.ctx, s.ns, "shop")
	if err != nil {
		t.Fatal(err)
	}
	if got := len(orphans(revisions, parts, time.Now().Add(2*orphanAge))); got != 3 {
		t.Errorf("%d orphans when they are old, want the 3 lost ones", got)
	}
	if s.get(2).Manifest.String() != bigManifest(3*testLimit) {
		t.Error("collecting tore the revision")
	}
	s.forget()
	if got := s.names(); len(got) != 0 {
		t.Errorf("left is %v", got)
	}
}

func TestDigestIsChecked(t *testing.T) {
	s := newShelf(t)
	r := sample("shop", 1)
	r.Namespace = s.ns
	if err := s.Create(s.ctx, r); err != nil {
		t.Fatal(err)
	}
	secrets := s.secrets.CoreV1().Secrets(s.ns)
	secret, err := secrets.Get(s.ctx, secretName("shop", 1), metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	secret.Annotations[annotationDigest] = "sha256:00"
	if secret, err = secrets.Update(s.ctx, secret, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	var broken *DecodeError
	if _, err := s.Get(s.ctx, s.ns, "shop", 1); !errors.Is(err, ErrDigest) || !errors.As(err, &broken) {
		t.Errorf("another digest: %v", err)
	}
	delete(secret.Annotations, annotationDigest) // as Helm does
	if _, err = secrets.Update(s.ctx, secret, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Get(s.ctx, s.ns, "shop", 1); err != nil {
		t.Errorf("no digest: %v", err)
	}
}
