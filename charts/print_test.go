package charts

import (
	"bytes"
	"fmt"
	"log/slog"
	"strings"
	"testing"
)

// TestAttackPrintedValues prints and logs what holds passwords, in every way that
// a program may by mistake.
func TestAttackPrintedValues(t *testing.T) {
	const canary = "canary-Printed-73"
	registry := Registry{Server: "r.example.com", Username: "robot", Password: canary}
	auth := DatabaseAuth{Password: canary, AdminPassword: canary}
	config := WebAppConfig{Env: map[string]string{"A": canary}, Files: map[string]string{"a": canary}}
	web := WebAppValues{Secret: config, Registries: []Registry{registry}}
	database := DatabaseValues{Engine: "mysql", Auth: auth, InitScripts: map[string]string{"a.sql": canary}}
	load := LoadOptions{Username: "robot", Password: canary, Repository: "https://robot:" + canary + "@h/x?sig=" + canary}
	for _, v := range []any{registry, &registry, []Registry{registry}, auth, &auth, config, web, &web, database, &database, load, &load} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x"} {
			if out := fmt.Sprintf(verb, v); strings.Contains(out, canary) || strings.Contains(out, fmt.Sprintf("%x", canary)) {
				t.Errorf("%s of %T shows it: %s", verb, v, out)
			}
		}
		if out := fmt.Sprintf("%+v", struct{ V any }{v}); strings.Contains(out, canary) {
			t.Errorf("in a struct, %T shows it: %s", v, out)
		}
		var out bytes.Buffer
		slog.New(slog.NewTextHandler(&out, nil)).Info("x", "v", v)
		if _, list := v.([]Registry); !list { // what is inside of others, encoding/json writes
			slog.New(slog.NewJSONHandler(&out, nil)).Info("x", "v", v)
		}
		if strings.Contains(out.String(), canary) {
			t.Errorf("a log of %T shows it: %s", v, &out)
		}
	}
	if out := fmt.Sprintf("%+v", LoadOptions{Version: "^1.2"}); !strings.Contains(out, "Version:^1.2") {
		t.Errorf("the options print as %s", out)
	}
}
