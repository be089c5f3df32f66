package template

import (
	"context"
	"fmt"
	"strings"
	"text/template/parse"
	"time"
)

// Env is what a render depends on besides its data. The zero value renders as
// `helm template` does.
type Env struct {
	// Lookup answers the function lookup; nil: it finds nothing.
	Lookup func(apiVersion, kind, namespace, name string) (map[string]any, error)
	// Strict makes a missing value an error, as Helm's --strict does.
	Strict bool
	Limits Limits
	// Now answers the function now; nil: the clock.
	Now func() time.Time
}

// Run is one render. It is for one goroutine, and ends with the first error.
type Run struct {
	set     *Set
	ctx     context.Context
	lookup  func(apiVersion, kind, namespace, name string) (map[string]any, error)
	now     func() time.Time
	limits  Limits
	strict  bool
	started time.Time

	tmpl     *template
	node     parse.Node // where execution is, as far as errors tell
	scope    *scope
	vars     []variable
	base     int // of the variables of tmpl
	calls    []call
	stack    []value  // arguments under evaluation
	out      []byte   // not yet put away
	away     []string // what was printed before
	captures int      // of output under way, see include
	scratch  []byte   // of toYaml
	included map[string]int

	steps, written, memory int64
	keys                   int
}

// NewRun begins a render. ctx is honoured while templates execute.
func (s *Set) NewRun(ctx context.Context, env Env) *Run {
	r := &Run{
		set: s, ctx: ctx, lookup: env.Lookup, now: env.Now, strict: env.Strict,
		limits: env.Limits.resolved(), started: time.Now(), included: make(map[string]int),
	}
	if r.now == nil {
		r.now = time.Now
	}
	return r
}

// Execute executes the template of that name on data and returns what it
// printed, as Helm's engine does for one file. The values in data may be
// changed by the templates. The Go types in data show, in errors and through
// typeOf and printf, so they are to be Helm's: data itself is chartutil.Values,
// say. The error is an *Error.
func (r *Run) Execute(name string, data any) (text string, err error) {
	r.tmpl, r.node, r.scope = r.set.root.defs[name], nil, &r.set.root
	if r.tmpl == nil {
		return "", &Error{
			Template: name,
			text:     fmt.Sprintf("template: no template %q associated with template %q", name, tplName),
		}
	}
	r.calls, r.stack, r.out, r.away, r.captures, r.base = r.calls[:0], r.stack[:0], r.out[:0], nil, 0, 0
	defer func() {
		switch p := recover().(type) {
		case nil:
		case *fault:
			err = r.failed(name, p)
		case *stop:
			err = r.stopped(p)
		case error:
			err = &Error{Template: name, Err: p, text: fmt.Sprintf("rendering template failed: %v", p)}
		default:
			err = &Error{Template: name, text: fmt.Sprintf("rendering template failed: %v", p)}
		}
	}()
	r.checkTime("")
	dot := rootData(of(data))
	r.vars = append(r.vars[:0], variable{0, dot})
	r.tmpl.root.exec(r, dot)
	return strings.ReplaceAll(strings.Join(append(r.away, string(r.out)), ""), noValue, ""), nil
}

// putAwayFrom is how much output is put away: so much at least is printed
// before there is a second piece.
const putAwayFrom = 64 << 10

// putAway keeps r.out from growing with all that is printed: each time it grows
// what was printed so far is in memory twice.
func (r *Run) putAway() {
	if len(r.out) >= putAwayFrom && r.captures == 0 {
		r.away, r.out = append(r.away, string(r.out)), r.out[:0]
	}
}
