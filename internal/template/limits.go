package template

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/fairlead-dev/fairlead/internal/account"
)

// LimitError reports which limit a template would have exceeded. Limit names a
// field of render.Limits, or of [Options].
type LimitError struct {
	Template string // the template that was executing, or the source that was parsed
	Limit    string
	Max      int64  // its value: bytes, steps, levels or keys; 0 where it is not known
	Function string // the function that would have exceeded it, if any
	Err      error  // for Time, why the context ended
}

func (e *LimitError) Error() string {
	text := fmt.Sprintf("template %q exceeds the limit %s", e.Template, e.Limit)
	if e.Max > 0 && e.Max < math.MaxInt64>>2 {
		text += fmt.Sprintf(" (%d)", e.Max)
	}
	if e.Function != "" {
		text += " in function " + e.Function
	}
	if e.Err != nil {
		text += ": " + e.Err.Error()
	}
	return text
}

// Unwrap returns the error of the context, if that ended the run.
func (e *LimitError) Unwrap() error { return e.Err }

// breach ends the run. It passes through every include and tpl.
func (r *Run) breach(limit string, maximum int64) {
	panic(&stop{err: &LimitError{Template: r.tmpl.name, Limit: limit, Max: maximum, Function: r.function}})
}

// exceeded ends the run with an error of the account.
func (r *Run) exceeded(err error) {
	limit := &LimitError{Template: r.tmpl.name, Limit: "Time", Function: r.function, Err: err}
	if of := (*account.LimitError)(nil); errors.As(err, &of) {
		limit.Limit, limit.Max, limit.Err = of.Limit, of.Max, of.Err
	}
	panic(&stop{err: limit})
}

// wrote charges output: n bytes are about to be appended to r.out.
func (r *Run) wrote(n int) {
	if err := r.account.Print(int64(n)); err != nil {
		r.function = ""
		r.exceeded(err)
	}
	if have := cap(r.out); len(r.out)+n > have {
		r.reserve(price{transient: 2 * int64(have+n)}) // beside what there is
		r.out = slices.Grow(r.out, max(n, have))
	}
	if r.captures > 0 && int64(len(r.out)+n-r.capture) > r.limits.ResultBytes {
		r.breach("ResultBytes", r.limits.ResultBytes)
	}
}

// framesPerLevel is how many blocks, pipelines in parentheses and calls may be
// open for each level of TemplateDepth.
const framesPerLevel = 5

// loopFrames is how much more of the stack a loop takes than a block.
const loopFrames = 4

// maxFrames is how many of them fit on the stack of a goroutine, however high
// the limit is.
const maxFrames = 500_000

// nestingOf is how deep values may nest that functions walk through: a tenth of
// TemplateDepth, but 1000 if that is as high.
func nestingOf(depth int) int { return min(max(depth/10, min(depth, 1000)), 10_000) }

// tooDeep ends the run because a value nests too deep.
func (r *Run) tooDeep() { r.breach("TemplateDepth", int64(r.limits.TemplateDepth)) }

// nest counts n more frames on the stack: one for a block, a pipeline or a call,
// loopFrames for a loop.
func (r *Run) nest(n int) {
	r.frames += n
	if r.frames > r.maxFrames {
		r.function = ""
		r.breach("TemplateDepth", int64(r.limits.TemplateDepth))
	}
}
