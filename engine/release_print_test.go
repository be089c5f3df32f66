package engine

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/rest"

	"github.com/fairlead-dev/fairlead/diff"
	"github.com/fairlead-dev/fairlead/render"
)

// TestAttackPrintedRelease prints and logs a release in every way that a program
// may by mistake.
func TestAttackPrintedRelease(t *testing.T) {
	const canary = "canary-Printed-72"
	values, err := render.MergeValues(render.FromSet("password=" + canary))
	if err != nil {
		t.Fatal(err)
	}
	r := Release{Key: Key{"shop", "web"}, Values: values, Cause: "because"}
	type inside struct {
		Release Release
		release *Release
		inner   Release
	}
	for name, v := range map[string]any{
		"Release": r, "*Release": &r, "slice": []Release{r}, "struct": inside{r, &r, r}, "ApplyOptions": ApplyOptions{Release: &r}, "map": map[string]any{"r": r},
	} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x"} {
			if out := fmt.Sprintf(verb, v); strings.Contains(out, canary) || strings.Contains(out, fmt.Sprintf("%x", canary)) {
				t.Errorf("%s of %s shows it: %s", verb, name, out)
			}
		}
		var out bytes.Buffer
		for _, h := range []slog.Handler{slog.NewTextHandler(&out, nil), slog.NewJSONHandler(&out, nil)} {
			slog.New(h).Info("x", "v", v, slog.Group("g", "v", v))
		}
		if data, err := json.Marshal(v); err == nil {
			out.Write(data)
		}
		if strings.Contains(out.String(), canary) {
			t.Errorf("a log of %s shows it: %s", name, &out)
		}
	}
	if out := fmt.Sprint(r); out != "release shop/web, values with 1 key: because" {
		t.Errorf("prints as %q", out)
	}
}

// TestAttackPrintedKey prints and logs what holds the key of plans, and what a
// rule of an allow-list is asked about.
func TestAttackPrintedKey(t *testing.T) {
	key := []byte("canary-PlanKey-74-canary-PlanKey-74")
	opts := Options{PlanKey: key, FieldManager: "platform"}
	e, err := New(&rest.Config{Host: "https://localhost", BearerToken: string(key)}, opts)
	if err != nil {
		t.Fatal(err)
	}
	secret := &unstructured.Unstructured{Object: map[string]any{"apiVersion": "v1", "kind": "Secret", "stringData": map[string]any{"a": string(key)}}}
	access := Access{Key: Key{"shop", "web"}, Object: diff.Object{Version: "v1", Kind: "Secret", Namespace: "shop", Name: "s"}, Desired: secret}
	for name, v := range map[string]any{"Options": opts, "*Options": &opts, "Engine": e, "struct": struct{ E *Engine }{e}, "Access": access, "*Access": &access} {
		var out bytes.Buffer
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x", "%d"} {
			fmt.Fprintf(&out, verb+"\n", v)
		}
		for _, h := range []slog.Handler{slog.NewTextHandler(&out, nil), slog.NewJSONHandler(&out, nil)} {
			slog.New(h).Info("x", "v", v, slog.Group("g", "v", v))
		}
		for _, form := range []string{string(key), fmt.Sprintf("%x", key), strings.Trim(fmt.Sprintf("%d", key), "[]"), strings.Trim(fmt.Sprintf("%#v", key), "[]byte{}")} {
			if strings.Contains(out.String(), form) {
				t.Errorf("%s shows the key: %s", name, &out)
			}
		}
	}
	if out := fmt.Sprintf("%+v", opts); !strings.Contains(out, "FieldManager:platform") {
		t.Errorf("the options print as %s", out)
	}
}
