package diff

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"html"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/tools/txtar"
)

func htmlPageOf(t testing.TB, rep Report, o HTMLOptions) string {
	t.Helper()
	var b bytes.Buffer
	if err := rep.WriteHTML(&b, o); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// TestHTMLIsInert searches for markup from a report's content, and for anything
// that would use the network.
func TestHTMLIsInert(t *testing.T) {
	evil := `</script><script>alert(1)</script><img src=x onerror=alert(1)>"'` + "`{{.}}\u202e\x1b[31m"
	rep := Report{Title: evil, Warnings: []string{evil}, Changes: []Change{{
		Object: Object{Kind: evil, Namespace: evil, Name: evil}, Action: Updated, Reason: evil, Source: evil, Warnings: []string{evil},
		Fields: []Field{{Path: "data.a", Live: evil, Desired: evil + "\n" + evil + "\n", Cause: Conflict, Manager: evil},
			{Path: "data.b", Desired: map[string]any{evil: []any{map[string]any{evil: evil}}}, Cause: Default}},
	}}}
	out := htmlPageOf(t, rep, HTMLOptions{Verbose: true})
	if n := strings.Count(out, "<script>"); n != 1 {
		t.Errorf("%d scripts", n)
	}
	for _, bad := range []string{"<img", "\u202e", "\x1b", "http://", "https://", "src=x onerror=alert(1)>", "ZgotmplZ"} {
		if strings.Contains(strings.ReplaceAll(out, "&lt;img src=x onerror=alert(1)&gt;", ""), bad) {
			t.Errorf("%q is in the page", bad)
		}
	}
	// The policy must allow the script of the page.
	script := out[strings.Index(out, "<script>")+len("<script>") : strings.LastIndex(out, "</script>")]
	sum := sha256.Sum256([]byte(script))
	hash := base64.StdEncoding.EncodeToString(sum[:])
	if want := "script-src 'sha256-" + hash + "'"; !strings.Contains(html.UnescapeString(out), want) {
		t.Errorf("the page's policy lacks %s", want)
	}
}

func TestHTMLShowsWhatTextShows(t *testing.T) {
	ar, err := txtar.ParseFile("testdata/upgrade.txtar")
	if err != nil {
		t.Fatal(err)
	}
	rep := scenario(t, ar)
	out := htmlPageOf(t, rep, HTMLOptions{})
	for _, want := range []string{
		"Release shop in namespace shop, revision 1 → 2", "Deployment shop/web", "conflict with kubectl-edit",
		`spec.template.spec.containers[name=&#34;web&#34;].image`, "<del>registry.example.com/shop/web:1.0</del> → <ins>registry.example.com/shop/web:2.0</ins>",
		`<span class="old">- color=red</span>`, "NodePort, ports 30000 → 9000 → 8080",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("the page lacks %s", want)
		}
	}
	if dir := os.Getenv("FAIRLEAD_HTML_DIR"); dir != "" {
		if err := os.WriteFile(filepath.Join(dir, "report.html"), []byte(out), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func TestHTMLOfManyObjects(t *testing.T) {
	var rep Report
	for i := range 500 {
		rep.Changes = append(rep.Changes, Change{Object: Object{Kind: "ConfigMap", Namespace: fmt.Sprint("ns", i%7), Name: fmt.Sprint("c", i)}, Action: Updated,
			Fields: []Field{{Path: "data.a", Live: "x", Desired: strings.Repeat("y", 100), Cause: Chart}}})
	}
	out := htmlPageOf(t, rep, HTMLOptions{})
	if n := strings.Count(out, `class="object `); n != 500 {
		t.Errorf("%d objects", n)
	}
	if len(out) > 1<<20 {
		t.Errorf("the page has %d bytes", len(out))
	}
}
