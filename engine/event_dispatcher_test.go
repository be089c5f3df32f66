package engine

import (
	"bytes"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"log/slog"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/fairlead-dev/fairlead/diff"
)

func TestASlowReceiverBlocksNothingAndGetsTheLastStep(t *testing.T) {
	web, db := diff.Object{Kind: "Deployment", Name: "web"}, diff.Object{Kind: "StatefulSet", Name: "db"}
	key := Key{"shop", "web"}
	release := make(chan struct{})
	var got []string
	d := newDispatcher(func(e Event) {
		<-release
		got = append(got, e.String())
	})
	begun := time.Now()
	d.emit(Started{about(key), OperationDeploy})
	const steps = 100_000
	for i := range steps {
		d.emit(Waiting{EventMeta: about(key), Object: web, Ready: i, Desired: steps})
	}
	d.emit(Waiting{EventMeta: about(key), Object: db, Message: "first"})
	d.emit(Ready{EventMeta: about(key), Object: db})
	d.emit(Waiting{EventMeta: about(key), Object: db, Message: "again"})
	for i := range 3 {
		d.emit(LogLine{EventMeta: about(key), Object: web, Line: fmt.Sprint(i)})
	}
	if took := time.Since(begun); took > 10*time.Second {
		t.Errorf("emitting to a blocked receiver took %v", took)
	}
	d.mu.Lock()
	if len(d.queue) > 8 {
		t.Errorf("%d events are queued", len(d.queue))
	}
	d.mu.Unlock()
	d.drainWithin(10 * time.Millisecond) // returns although nothing is delivered
	close(release)
	d.drainWithin(time.Minute)
	want := []string{
		Started{about(key), OperationDeploy}.String(),
		Waiting{EventMeta: about(key), Object: web, Ready: steps - 1, Desired: steps}.String(),
		Waiting{EventMeta: about(key), Object: db, Message: "first"}.String(),
		Ready{EventMeta: about(key), Object: db}.String(),
		Waiting{EventMeta: about(key), Object: db, Message: "again"}.String(),
		LogLine{EventMeta: about(key), Object: web, Line: "0"}.String(),
		LogLine{EventMeta: about(key), Object: web, Line: "1"}.String(),
		LogLine{EventMeta: about(key), Object: web, Line: "2"}.String(),
	}
	if !slices.Equal(got, want) {
		t.Errorf("delivered\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.waiting) != 0 || len(d.queue) != 0 || len(d.drainings) != 0 {
		t.Errorf("%d events are left", len(d.waiting)+len(d.queue)+len(d.drainings))
	}
}

// oneOfEach returns one event of every type that embeds EventMeta, with every
// field set.
func oneOfEach(t *testing.T) []Event {
	t.Helper()
	key := Key{"shop", "web"}
	web := diff.Object{Group: "apps", Version: "v1", Kind: "Deployment", Namespace: "shop", Name: "web"}
	events := []Event{
		Started{about(key), OperationDeploy}, Ended{about(key), OperationDeploy, 3, time.Second, errors.New("no\nluck")},
		Planned{about(key), "1 created", 1, true}, LockWaited{about(key), "fairlead-abc"}, Recorded{about(key), 3, StatusDeployed},
		Applied{about(key), web, diff.Created, time.Second}, Kept{about(key), web, "kept"}, Failed{about(key), web, errors.New("no\nluck")},
		Skipped{about(key), web, "why"}, Waiting{about(key), web, 1, 2, 3, "Updating", "a\nb", []string{"web-1"}},
		Trouble{about(key), web, "CrashLoop", "CrashLoopBackOff", "back\noff", &PodDiagnosis{Name: "web-1", Container: "app"}},
		LogLine{about(key), web, "web-1", "app", "a\nb"}, Ready{about(key), web, StateReady, 3, 3},
		Unready{about(key), web, Diagnosis{Cause: "CrashLoop", Message: "a\nb"}},
		HookStarted{about(key), web, "pre-install"}, HookEnded{about(key), web, "pre-install", time.Second, errors.New("no\nluck")},
		Warning{about(key), "a\nb"}, Reverting{about(key), 3, 2},
	}
	var have, want, listed []string
	for _, e := range events {
		have = append(have, reflect.TypeOf(e).Name())
		for i, v := 0, reflect.ValueOf(e); i < v.NumField(); i++ {
			if v.Field(i).IsZero() {
				t.Errorf("%T: %s is not set", e, v.Type().Field(i).Name)
			}
		}
	}
	for _, typ := range eventTypes() {
		listed = append(listed, typ.Name())
	}
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		f, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(f, func(n ast.Node) bool {
			spec, ok := n.(*ast.TypeSpec)
			if !ok {
				return true
			}
			if s, ok := spec.Type.(*ast.StructType); ok && len(s.Fields.List) > 0 && len(s.Fields.List[0].Names) == 0 {
				if id, ok := s.Fields.List[0].Type.(*ast.Ident); ok && id.Name == "EventMeta" {
					want = append(want, spec.Name.Name)
				}
			}
			return true
		})
	}
	for _, names := range [][]string{have, want, listed} {
		slices.Sort(names)
	}
	if !slices.Equal(have, want) || !slices.Equal(listed, want) {
		t.Fatalf("events are %v, tested are %v, eventTypes has %v", want, have, listed)
	}
	return events
}

func TestEveryEventIsOneLineAndIsLogged(t *testing.T) {
	var out bytes.Buffer
	log := LogEvents(slog.New(slog.NewJSONHandler(&out, &slog.HandlerOptions{Level: slog.LevelDebug})))
	for _, e := range oneOfEach(t) {
		if s := e.String(); s == "" || strings.ContainsAny(s, "\n\r") {
			t.Errorf("%T prints as %q", e, s)
		}
		if e.Release() != (Key{"shop", "web"}) || e.Time().IsZero() {
			t.Errorf("%T is of %s at %s", e, e.Release(), e.Time())
		}
		out.Reset()
		log(e)
		for _, part := range []string{`"event":"`, `"release":"shop/web"`, `"time":"2`} {
			if !strings.Contains(out.String(), part) {
				t.Errorf("%T is logged without %s: %s", e, part, out.String())
			}
		}
	}
}

func ExampleLogEvents() {
	logger := slog.New(slog.NewTextHandler(os.Stdout, &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey {
			return slog.Attr{} // which differs from run to run
		}
		return a
	}}))
	receive := Observers(LogEvents(logger), func(Event) {})

	var e Ready
	e.Key = Key{Namespace: "shop", Name: "web"}
	e.Object = diff.Object{Kind: "Deployment", Namespace: "shop", Name: "web"}
	e.State, e.Ready, e.Desired = StateReady, 3, 3
	receive(e)
	// Output: level=INFO msg="Ready Deployment shop/web: 3/3" release=shop/web event=ready object="Deployment shop/web" state=Ready
}
