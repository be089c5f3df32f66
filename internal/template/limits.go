package template

import (
	"context"
	"fmt"
	"time"
)

// Limits bounds one [Run]. A zero field means the default named with it, a
// negative one no bound.
type Limits struct {
	// Depth is how many templates, includes and tpl calls may nest: 10 000.
	// Helm's own bound, a name included more than 1000 times within itself,
	// applies besides and keeps Helm's message.
	Depth int
	// Output is how many bytes all templates of the run may write together,
	// what they include counted where it is written: 64 MiB.
	Output int64
	// Memory is how many bytes the larger results of functions may take
	// together: 128 MiB.
	Memory int64
	// Result is how many bytes or elements one function may return: 16 MiB,
	// a million elements.
	Result int64
	// Steps is how many actions may be run, what functions cost by the size of
	// their arguments included: 50 million.
	Steps int64
	// Keys is how many keys, certificates and slow hashes may be made: 64.
	Keys int
	// Time is how long the run may take: 30 s. The context given to NewRun is
	// honoured besides.
	Time time.Duration
}

const (
	defaultDepth  = 10_000
	defaultOutput = 64 << 20
	defaultMemory = 128 << 20
	defaultResult = 16 << 20
	defaultSteps  = 50_000_000
	defaultKeys   = 64
	defaultTime   = 30 * time.Second

	unbounded = int64(1) << 62
)

func pick(limit, standard int64) int64 {
	switch {
	case limit == 0:
		return standard
	case limit < 0:
		return unbounded
	}
	return limit
}

func (l Limits) resolved() Limits {
	return Limits{
		Depth:  int(pick(int64(l.Depth), defaultDepth)),
		Output: pick(l.Output, defaultOutput),
		Memory: pick(l.Memory, defaultMemory),
		Result: pick(l.Result, defaultResult),
		Steps:  pick(l.Steps, defaultSteps),
		Keys:   int(pick(int64(l.Keys), defaultKeys)),
		Time:   time.Duration(pick(int64(l.Time), int64(defaultTime))),
	}
}

// LimitError reports which bound a template broke. Raise the field of [Limits]
// that Limit names if the chart is to be trusted with more.
type LimitError struct {
	Template string // the template that was executing, or the source that was parsed
	Limit    string // name of the field of Limits, or of Options
	Max      int64  // its value; nanoseconds for Time
	Function string // the function that would have broken it, if any
	Err      error  // for Time, why the context ended, if it did
}

func (e *LimitError) Error() string {
	text := fmt.Sprintf("template %q exceeds the limit %s (%d)", e.Template, e.Limit, e.Max)
	if e.Limit == "Time" {
		text = fmt.Sprintf("template %q exceeds the limit Time (%s)", e.Template, time.Duration(e.Max))
	}
	if e.Function != "" {
		text += " in function " + e.Function
	}
	if e.Err != nil {
		text += ": " + e.Err.Error()
	}
	return text
}

// Unwrap gives the error of the context, if that ended the run.
func (e *LimitError) Unwrap() error { return e.Err }

// breach ends the run. It passes through every include and tpl.
func (r *Run) breach(limit string, maximum int64, function string) {
	panic(&stop{err: &LimitError{Template: r.tmpl.name, Limit: limit, Max: maximum, Function: function}})
}

// step pays for one action and now and then looks at the clock.
func (r *Run) step() {
	r.steps++
	if r.steps&0xff == 0 {
		r.check()
	}
}

// work pays for n units of work at once, before they are done.
func (r *Run) work(n int64, function string) {
	if n < 0 || r.steps+n > r.limits.Steps {
		r.breach("Steps", r.limits.Steps, function)
	}
	before := r.steps >> 8
	r.steps += n
	if r.steps>>8 != before {
		r.check()
	}
}

func (r *Run) check() {
	if r.steps > r.limits.Steps {
		r.breach("Steps", r.limits.Steps, "")
	}
	r.checkTime("")
}

func (r *Run) checkTime(function string) {
	err := r.ctx.Err()
	if err == nil {
		if time.Since(r.started) <= r.limits.Time {
			return
		}
		err = context.DeadlineExceeded
	}
	panic(&stop{err: &LimitError{
		Template: r.tmpl.name, Limit: "Time", Max: int64(r.limits.Time), Function: function, Err: err,
	}})
}

// result refuses a result of n bytes or elements before it is made.
func (r *Run) result(n int64, function string) {
	if n < 0 || n > r.limits.Result {
		r.breach("Result", r.limits.Result, function)
	}
}

// elements refuses a list of n elements before it is made.
func (r *Run) elements(n int64, function string) {
	if limit := r.limits.Result >> 4; n < 0 || n > limit {
		r.breach("Result", limit, function)
	}
}

// charge pays for n bytes that a function has made.
func (r *Run) charge(n int, function string) {
	r.memory += int64(n)
	if r.memory > r.limits.Memory {
		r.breach("Memory", r.limits.Memory, function)
	}
	r.result(int64(n), function)
}

// wrote pays for output: n bytes were appended to r.out.
func (r *Run) wrote(n int) {
	r.written += int64(n)
	if r.written > r.limits.Output {
		r.breach("Output", r.limits.Output, "")
	}
}
