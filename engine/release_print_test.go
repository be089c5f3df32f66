package engine

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

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
