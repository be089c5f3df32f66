package template

import (
	"context"
	"fmt"
	"strings"
	"text/template/parse"
	"time"

	"github.com/fairlead-dev/fairlead/internal/account"
)

// Env is what a render depends on besides its data. The zero value renders as
// `helm template` does, with the default limits.
type Env struct {
	// Lookup implements the function lookup; nil: it finds nothing.
	Lookup func(apiVersion, kind, namespace, name string) (map[string]any, error)
	// Strict makes a missing value an error, as Helm's --strict does.
	Strict bool
	// Account is what the render is charged to; its context ends the render.
	// Nil means one with the default limits.
	Account *account.Account
	// Now is the time for all functions of dates, whose local zone is then UTC;
	// zero: the clock.
	Now time.Time
	// Seed makes random functions deterministic; nil, or a zero seed: they are
	// random. It is called by the first call of one.
	Seed func() (Seed, error)
}

// Run is one render. It is for one goroutine, and ends with the first error.
type Run struct {
	set     *Set
	lookup  func(apiVersion, kind, namespace, name string) (map[string]any, error)
	fixed   time.Time // zero: the clock
	seed    func() (Seed, error)
	draws   draws // of the file that is executed
	account *account.Account
	limits  account.Limits // of the account
	strict  bool

	tmpl     *template
	node     parse.Node // where execution is, as far as errors say
	function string     // the function that is called, for errors
	scope    *scope
	vars     []variable
	base     int // of the variables of tmpl
	calls    []call
	stack    []value  // arguments under evaluation
	out      []byte   // not yet put away
	away     []string // what was printed before
	captures int      // of output under way, see include
	capture  int      // where in out the innermost of them begins
	scratch  []byte   // of toYaml
	included map[string]int

	frames, maxFrames int // see nest
	nesting           int // how deep values may nest
}

// NewRun begins a render, which ends with the context of its account.
func (s *Set) NewRun(ctx context.Context, env Env) *Run {
	r := &Run{
		set: s, lookup: env.Lookup, fixed: env.Now, seed: env.Seed, strict: env.Strict,
		account: env.Account, included: make(map[string]int),
	}
	if !r.fixed.IsZero() {
		r.fixed = r.fixed.UTC()
	}
	if r.account == nil {
		r.account = account.New(ctx, account.Limits{})
	}
	r.limits = r.account.Limits()
	r.nesting = nestingOf(r.limits.TemplateDepth)
	r.maxFrames = min(r.limits.TemplateDepth, maxFrames/framesPerLevel) * framesPerLevel
	return r
}

// now is the time of the run.
func (r *Run) now() time.Time {
	if r.fixed.IsZero() {
		return time.Now()
	}
	return r.fixed
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
	r.function, r.frames = "", 0
	r.draws = draws{file: name}
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
	if err := r.account.Err(); err != nil {
		r.exceeded(err)
	}
	dot := rootData(of(data))
	r.vars = append(r.vars[:0], variable{0, dot})
	r.tmpl.root.exec(r, dot)
	return r.printed(), nil
}

// printed is all that was printed, as one text.
func (r *Run) printed() string {
	if len(r.away) > 0 {
		n := int64(len(r.out))
		for _, text := range r.away {
			n += int64(len(text))
		}
		r.charge(n) // beside its parts
		defer r.account.Release(n)
	}
	return strings.ReplaceAll(strings.Join(append(r.away, string(r.out)), ""), noValue, "")
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
