package engine_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/fairlead-dev/fairlead/engine"
	"github.com/fairlead-dev/fairlead/internal/testcluster"
)

func manyConfigMaps(n int) map[string]string {
	return map[string]string{"many.yaml": `
{{- range $i := until ` + fmt.Sprint(n) + ` }}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: many-{{ $i }}}
data:
  text: {{ repeat 100 "some lines of text, " | quote }}
  which: {{ if eq $i ` + fmt.Sprint(n/2) + ` }}{{ $.Values.which | default "first" | quote }}{{ else }}"all"{{ end }}
{{- end }}`}
}

// For a thousand objects a plan costs a handful of requests, a deploy one write
// per change, and none if nothing changes.
func TestRequestsForAThousandObjects(t *testing.T) {
	f := newFixture(t)
	f.engine = f.newEngineWith(engine.Options{LeaseDuration: 2 * time.Minute}) // no renewals to count
	c := f.chart(manyConfigMaps(1000))
	atMost := func(what string, limit int) {
		t.Helper()
		if n := f.requests.Count(func(testcluster.Request) bool { return true }); n > limit {
			t.Errorf("%s took %d requests, want at most %d", what, n, limit)
			for _, r := range f.requests.Requests() {
				if r.Method != http.MethodPatch {
					t.Log(r)
				}
			}
		}
		f.requests.Reset()
	}
	f.deploy(f.release(c))
	if w := f.requests.Count(func(r testcluster.Request) bool { return r.Write() && !r.DryRun() }); w != 1002 { // the revision twice
		t.Errorf("installing wrote %d times", w)
	}
	atMost("installing", 1015)

	f.engine = f.newEngineWith(engine.Options{LeaseDuration: 2 * time.Minute})
	if s := f.plan(f.release(c)).Report.Summary(); !strings.Contains(s, "no changes") {
		t.Errorf("plan: %s", s)
	}
	atMost("planning no change, cold,", 40)
	f.plan(f.release(c))
	atMost("planning no change", 20)
	if s := f.plan(f.release(c, "which=second")).Report.Summary(); !strings.Contains(s, "1 to update") {
		t.Errorf("plan: %s", s)
	}
	atMost("planning one change", 20)
	f.deploy(f.release(c))
	if w := f.writes(); len(w) > 0 {
		t.Errorf("deploying no change wrote %v", w)
	}
	atMost("deploying no change", 20)
	f.deploy(f.release(c, "which=second"))
	atMost("deploying one change", 12)
	f.wantHistory("1 superseded", "2 deployed")
	f.requests.Reset()
	if err := f.engine.Uninstall(f.ctx, f.key, engine.ApplyOptions{}); err != nil {
		t.Error(err)
	}
	if n := f.requests.Count(func(r testcluster.Request) bool { return !r.Write() }); n > 20 {
		t.Errorf("uninstalling read %d times", n)
	}
}
