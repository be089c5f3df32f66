package progress

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/mattn/go-runewidth"

	"github.com/fairlead-dev/fairlead/diff"
	"github.com/fairlead-dev/fairlead/engine"
	"github.com/fairlead-dev/fairlead/engine/stack"
)

var (
	start = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	shop  = engine.Key{Namespace: "shop", Name: "web"}
	web   = diff.Object{Group: "apps", Version: "v1", Kind: "Deployment", Namespace: "shop", Name: "web"}
	db    = diff.Object{Group: "apps", Version: "v1", Kind: "StatefulSet", Namespace: "shop", Name: "db"}
)

// of sets a release in events, and times a second apart.
func of(k engine.Key, events ...engine.Event) []engine.Event {
	for i, e := range events {
		when := start.Add(time.Duration(i) * time.Second)
		switch e := e.(type) {
		case engine.Started:
			e.Key, e.At = k, when
			events[i] = e
		case engine.Ended:
			e.Key, e.At = k, when
			events[i] = e
		case engine.Planned:
			e.Key, e.At = k, when
			events[i] = e
		case engine.Applied:
			e.Key, e.At = k, when
			events[i] = e
		case engine.Failed:
			e.Key, e.At = k, when
			events[i] = e
		case engine.Waiting:
			e.Key, e.At = k, when
			events[i] = e
		case engine.Trouble:
			e.Key, e.At = k, when
			events[i] = e
		case engine.LogLine:
			e.Key, e.At = k, when
			events[i] = e
		case engine.Ready:
			e.Key, e.At = k, when
			events[i] = e
		case engine.Unready:
			e.Key, e.At = k, when
			events[i] = e
		case engine.HookStarted:
			e.Key, e.At = k, when
			events[i] = e
		case engine.HookEnded:
			e.Key, e.At = k, when
			events[i] = e
		case engine.Warning:
			e.Key, e.At = k, when
			events[i] = e
		}
	}
	return events
}

func pod(name, container string) *engine.PodDiagnosis {
	return &engine.PodDiagnosis{Name: name, Container: container}
}

func rollout() []engine.Event {
	return of(shop,
		engine.Started{Operation: engine.OperationDeploy},
		engine.Planned{Changes: 2, Summary: "2 to create"},
		engine.Applied{Object: web, Action: diff.Created},
		engine.Applied{Object: db, Action: diff.Created},
		engine.Waiting{Object: db, Ready: 1, Desired: 3, Message: "1 of 3 pods are ready"},
		engine.Waiting{Object: web, Ready: 2, Desired: 3, Message: "2 of 3 pods are available"},
		engine.Trouble{Object: web, Cause: "CrashLoop", Reason: "CrashLoopBackOff", Message: "back-off 10s", Pod: pod("web-1", "app")},
	)
}

func TestTreeShowsObjectsUntilTheyAreReady(t *testing.T) {
	l := newLive(&bytes.Buffer{}, Options{})
	for _, e := range rollout() {
		l.tree.apply(e)
	}
	wantRows(t, l, 10, `
⠋ deploy shop/web  2 changed, 0 ready, waiting for 2                       0:10
├─ Deployment web  ━━━━━━━━━━━━━┄┄┄┄┄┄┄ 2/3  2 of 3 pods are available     0:05
│  └─ pod web-1, container app: CrashLoopBackOff: back-off 10s
└─ StatefulSet db  ━━━━━━━┄┄┄┄┄┄┄┄┄┄┄┄┄ 1/3  1 of 3 pods are ready         0:06
`)
	l.tree.apply(of(shop, engine.Waiting{Object: web, Ready: 3, Desired: 3, Troubled: []string{"web-2"}})[0])
	if n := len(l.tree.calls[0].node(web).troubles); n != 0 {
		t.Errorf("%d troubles of pods that have recovered", n)
	}
	l.tree.apply(of(shop, engine.Ready{Object: web})[0])
	wantRows(t, l, 11, `
⠋ deploy shop/web  2 changed, 1 ready, waiting for 1                       0:11
└─ StatefulSet db  ━━━━━━━┄┄┄┄┄┄┄┄┄┄┄┄┄ 1/3  1 of 3 pods are ready         0:07
`)
	keep, v := l.tree.apply(of(shop, engine.Unready{Object: db, Diagnosis: engine.Diagnosis{Cause: "Claim", Reason: "Unbound"}})[0])
	if keep != "Unready StatefulSet shop/db: Claim: Unbound" || v != bad {
		t.Errorf("kept %q, %d", keep, v)
	}
	keep, v = l.tree.apply(of(shop, engine.Ended{Took: 12 * time.Second, Err: errors.New("no")})[0])
	if keep != "deploy shop/web failed after 12s, 2 changed, 1 ready" || v != bad || len(l.tree.calls) != 0 {
		t.Errorf("kept %q, %d, %d calls", keep, v, len(l.tree.calls))
	}
}

func wantRows(t *testing.T, l *live, seconds int, want string) {
	t.Helper()
	// A moment with the first frame of the spinner.
	now := start.Add(time.Duration(seconds) * time.Second)
	l.look.frames = l.look.frames[:1]
	if got := strings.Join(l.rows(now, 80), "\n"); got != strings.TrimSpace(want) {
		t.Errorf("got\n%s\nwant\n%s", got, strings.TrimSpace(want))
	}
}

func TestRowsFitTheirWidthAndHeight(t *testing.T) {
	l := newLive(&bytes.Buffer{}, Options{Rows: 9})
	events := []engine.Event{engine.Started{Operation: engine.OperationDeploy}}
	for i := range 50 {
		o := diff.Object{Kind: "Deployment", Name: fmt.Sprintf("名前名前名前-%d-%s", i, strings.Repeat("x", i))}
		events = append(events, engine.Waiting{Object: o, Ready: 1, Desired: 3, Message: strings.Repeat("よ", 60)})
		events = append(events, engine.Trouble{Object: o, Reason: "Bad", Message: strings.Repeat("y", 300), Pod: pod("p", "c")})
	}
	for _, e := range of(shop, events...) {
		l.tree.apply(e)
	}
	for _, width := range []int{1, 5, 20, 40, 80, 200} {
		rows := l.rows(start, width)
		if len(rows) > 9 {
			t.Errorf("%d rows", len(rows))
		}
		for _, row := range rows {
			if w := runewidth.StringWidth(row); width >= 20 && w > width {
				t.Errorf("%d columns in %d: %s", w, width, row)
			}
		}
	}
	if rows := l.rows(start, 80); !strings.Contains(rows[len(rows)-1], "and 47 more") {
		t.Errorf("the last row is %q", rows[len(rows)-1])
	}
}

// Text of a cluster that would move a cursor, forge a command or hide itself.
const hostile = "\x1b[2J\x1b]0;owned\x07\r\n::error::forged\u202e\u200b##[error]forged\x9b31m\xff\nsection_start:1:x\r\x1b[0K"

func TestHostileTextIsHarmless(t *testing.T) {
	evil := diff.Object{Kind: "Deployment" + hostile, Namespace: "shop", Name: hostile}
	key := engine.Key{Namespace: "shop" + hostile, Name: hostile}
	events := func() []engine.Event {
		return of(key,
			engine.Started{Operation: engine.OperationDeploy},
			engine.Planned{Summary: hostile, Changes: 1},
			engine.Applied{Object: evil, Action: diff.Created},
			engine.HookStarted{Object: evil, Event: hostile}, engine.HookEnded{Object: evil, Event: hostile, Err: errors.New(hostile)},
			engine.Waiting{Object: evil, Message: hostile},
			engine.Trouble{Object: evil, Reason: hostile, Message: hostile, Pod: pod(hostile, hostile)},
			engine.LogLine{Object: evil, Pod: hostile, Container: hostile, Line: hostile},
			engine.Warning{Message: hostile}, engine.Failed{Object: evil, Err: errors.New(hostile)},
			engine.Unready{Object: evil, Diagnosis: engine.Diagnosis{Cause: hostile, Reason: hostile, Message: hostile, Hint: hostile}},
			engine.Ended{Operation: engine.OperationDeploy, Err: errors.New(hostile)},
		)
	}
	bare := func(t *testing.T, line string) {
		t.Helper()
		if strings.ContainsAny(line, "\x00\x07\r\x1b\x7f\u009b\u202e\u200b") || strings.Contains(line, "##[") {
			t.Errorf("harmful: %q", line)
		}
	}
	for _, style := range []Style{Plain, GitHub, GitLab} {
		var out bytes.Buffer
		v := New(&out, Options{Style: style})
		for _, e := range events() {
			v.OnEvent(e)
		}
		v.Close()
		for line := range strings.Lines(out.String()) {
			line = strings.TrimSuffix(line, "\n")
			switch {
			case style == GitHub && (strings.HasPrefix(line, "::group::deploy ") || line == "::endgroup::" || strings.HasPrefix(line, "::error title=Deployment")):
			case style == GitLab && strings.HasPrefix(line, "\x1b[0Ksection_"):
				line = strings.Replace(strings.TrimPrefix(line, "\x1b[0K"), "\r\x1b[0K", "", 1)
			case !strings.HasPrefix(line, "["):
				t.Errorf("style %d: a line that is not one of ours: %q", style, line)
			}
			bare(t, line)
		}
	}
	l := newLive(&bytes.Buffer{}, Options{})
	for _, e := range events() {
		keep, _ := l.tree.apply(e)
		for _, row := range append(l.rows(start, 200), keep) {
			bare(t, row)
			if strings.Contains(row, "\n") {
				t.Errorf("more than a row: %q", row)
			}
		}
	}
}

// Lines name their release once operations on several run at once.
func TestPlainLinesNameTheirRelease(t *testing.T) {
	blog := engine.Key{Namespace: "shop", Name: "blog"}
	first := of(shop, engine.Started{Operation: engine.OperationDeploy}, engine.Applied{Object: web, Action: diff.Created})
	second := of(blog, engine.Started{Operation: engine.OperationDeploy}, engine.Applied{Object: db, Action: diff.Created})
	for name, c := range map[string]struct {
		events []engine.Event
		named  int
	}{
		"one after the other": {append(append(first, of(shop, engine.Ended{Operation: engine.OperationDeploy})...), second...), 0},
		"at once":             {append(append([]engine.Event{}, first...), second...), 2},
	} {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			view := New(&out, Options{Style: Plain})
			for _, e := range c.events {
				view.OnEvent(e)
			}
			view.Close()
			named := 0
			for line := range strings.Lines(out.String()) {
				if strings.HasPrefix(line, blog.String()+" [") || strings.HasPrefix(line, shop.String()+" [") {
					named++
				}
			}
			if named != c.named {
				t.Errorf("%d lines name their release, want %d:\n%s", named, c.named, &out)
			}
		})
	}
}

func TestGroupsFollowOneAnother(t *testing.T) {
	var out bytes.Buffer
	v := New(&out, Options{Getenv: func(name string) string {
		return map[string]string{"GITHUB_ACTIONS": "true"}[name]
	}})
	other := engine.Key{Namespace: "shop", Name: "db"}
	one := of(shop, engine.Started{Operation: engine.OperationDeploy}, engine.Planned{Summary: "nothing to do"}, engine.Applied{Object: web, Action: diff.Unchanged}, engine.Ended{Operation: engine.OperationDeploy, Revision: 1, Took: time.Second})
	two := of(other, engine.Started{Operation: engine.OperationRollback}, engine.Failed{Object: db, Err: errors.New("50%: no\nluck")}, engine.Ended{Operation: engine.OperationRollback, Took: time.Second, Err: errors.New("no luck")})
	for _, e := range []engine.Event{one[0], two[0], one[1], two[1], one[2], two[2], one[3]} {
		v.OnEvent(e)
	}
	want := `::group::deploy shop/web
[   1.0s] plan: nothing to do
[   3.0s] deploy shop/web ended after 1s
::endgroup::
::group::rollback shop/db
[   1.0s] Failed StatefulSet shop/db: 50%: no: luck
::error title=StatefulSet shop/db::50%25: no luck
[   2.0s] rollback shop/db ended after 1s: no luck
::endgroup::
`
	if out.String() != want {
		t.Errorf("got\n%s\nwant\n%s", out.String(), want)
	}

	out.Reset()
	v = New(&out, Options{Getenv: func(name string) string { return map[string]string{"GITLAB_CI": "true"}[name] }})
	v.OnEvent(one[0])
	v.Close()
	if want := "\x1b[0Ksection_start:1772366400:fairlead_1\r\x1b[0Kdeploy shop/web\n\x1b[0Ksection_end:"; !strings.HasPrefix(out.String(), want) {
		t.Errorf("got %q", out.String())
	}
}

// The live view also draws on a writer that is not a terminal, and leaves the
// permanent lines.
func TestLiveDrawsAndStops(t *testing.T) {
	var out bytes.Buffer
	v := New(&out, Options{Style: Live, Width: 70})
	for _, e := range rollout() {
		v.OnEvent(e)
	}
	time.Sleep(4 * refresh)
	v.OnEvent(of(shop, engine.Ended{Revision: 3, Took: 4 * time.Second})[0])
	shown := out.String() // drawing has stopped
	for _, want := range []string{"├─ Deployment web", "└─ pod web-1, container app", "  deploy shop/web: revision 3 in 4s, 2 changed\n"} {
		if !strings.Contains(shown, strings.TrimPrefix(want, "  ")) {
			t.Errorf("%q is not in %q", want, shown)
		}
	}
	if strings.Contains(shown, "\x1b[3") {
		t.Errorf("colours without a terminal: %q", shown)
	}
	v.Close()
	v.OnEvent(rollout()[0]) // it can be used again
	v.Close()
}

func TestStyles(t *testing.T) {
	for want, env := range map[Style]string{Plain: "", GitHub: "GITHUB_ACTIONS", GitLab: "GITLAB_CI"} {
		o := Options{Getenv: func(name string) string {
			if name == env {
				return "true"
			}
			return ""
		}}
		if got := o.style(&bytes.Buffer{}); got != want {
			t.Errorf("%s: style %d", env, got)
		}
	}
}

func Example() {
	var out bytes.Buffer
	view := New(&out, Options{Style: Plain})
	for _, e := range rollout() { // the events that an engine sends to Options.OnEvent
		view.OnEvent(e)
	}
	fmt.Print(out.String())
	// Output:
	// [   0.0s] deploy shop/web
	// [   1.0s] plan: 2 to create
	// [   2.0s] Created Deployment shop/web
	// [   3.0s] Created StatefulSet shop/db
	// [   4.0s] Waiting StatefulSet shop/db: 1/3 ready: 1 of 3 pods are ready
	// [   5.0s] Waiting Deployment shop/web: 2/3 ready: 2 of 3 pods are available
	// [   6.0s] Trouble Deployment shop/web: pod web-1, container app: CrashLoopBackOff: back-off 10s
}

// A stack is a tree of releases: those in progress with their objects, those that
// wait, and a count of those that are done.
func TestStackIsATreeOfReleases(t *testing.T) {
	l := newLive(&bytes.Buffer{}, Options{})
	state := func(member string, s stack.MemberState, err error) (string, verdict) {
		return l.tree.applyStack(stack.Event{Stack: "shop", Member: member, At: start, State: s, Err: err})
	}
	for _, m := range []string{"database", "backend", "web", "frontend"} {
		state(m, stack.MemberPending, nil)
	}
	state("database", stack.MemberStarted, nil)
	state("database", stack.MemberDone, nil)
	state("backend", stack.MemberStarted, nil)
	state("web", stack.MemberStarted, nil)
	for _, e := range rollout()[:5] {
		l.tree.applyStack(stack.Event{Stack: "shop", Member: "web", Engine: e})
	}
	wantRows(t, l, 10, `
⠋ stack shop  1 of 4 done                                                  0:10
├─ backend  planning
├─ ⠋ deploy shop/web  2 changed, 0 ready, waiting for 1                    0:10
│  └─ StatefulSet db  ━━━━━━━┄┄┄┄┄┄┄┄┄┄┄┄┄ 1/3  1 of 3 pods are ready      0:06
└─ frontend  waits
`)
	if keep, v := state("backend", stack.MemberFailed, errors.New("no")); keep != "stack shop, backend: Failed: no" || v != bad {
		t.Errorf("kept %q, %d", keep, v)
	}
	if keep, v := state("frontend", stack.MemberSkipped, stack.ErrNeededFailed); !strings.Contains(keep, "what it needs has failed") || v != doubtful {
		t.Errorf("kept %q, %d", keep, v)
	}
	l.tree.applyStack(stack.Event{Stack: "shop", Member: "web", Engine: of(shop, engine.Ended{})[0]})
	state("web", stack.MemberDone, nil)
	if len(l.tree.stacks)+len(l.tree.calls) != 0 {
		t.Errorf("it is still drawn: %v", l.rows(start, 80))
	}
	var out bytes.Buffer
	view := New(&out, Options{Style: Plain})
	view.OnStackEvent(stack.Event{Stack: "shop", Member: "web", State: stack.MemberStarted})
	view.OnStackEvent(stack.Event{Stack: "shop", Member: "web", Engine: rollout()[0]})
	if text := out.String(); !strings.Contains(text, "stack shop, web: Started\n") || !strings.Contains(text, "shop/web [") {
		t.Errorf("plain lines are %q", text)
	}
}
