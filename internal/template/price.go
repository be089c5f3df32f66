package template

import (
	"math"
)

// price is what a call costs, at most, stated before it is made.
type price struct {
	// result is how many bytes the result takes. That of a text or list is
	// charged by its true length once it is there.
	result int64
	// scratch is how many bytes the call takes besides. They must fit, and a
	// part of them stays charged, because they are garbage for a while.
	scratch int64
	// transient is how many bytes the call takes besides that are not left as
	// garbage: they must fit.
	transient int64
	// items is the number of elements of the result.
	items int64
	// work is the time of the call in steps.
	work int64
}

// cost states the price of a call by its arguments. It may charge the run
// itself, while it walks through them.
type cost func(r *Run, a []value) price

// scratchKept is the part of scratch that stays charged.
const scratchKept = 4

// invoke calls a function. All calls of templates pass through here or through
// callMethod: what a call costs is charged before it is made.
func (r *Run) invoke(f *function, a []value) (value, error) {
	if f.cost == nil {
		v, err := f.call(r, a)
		if !f.shares {
			r.settle(v, 0)
		}
		return v, err
	}
	r.function = f.name
	p := f.cost(r, a)
	r.reserve(p)
	v, err := f.call(r, a)
	if f.shares {
		r.account.Release(p.result)
	} else {
		r.settle(v, p.result)
	}
	r.function = ""
	return v, err
}

// reserve charges a price.
func (r *Run) reserve(p price) {
	if p.result > r.limits.ResultBytes || p.result < 0 {
		r.breach("ResultBytes", r.limits.ResultBytes)
	}
	if most := r.limits.ResultBytes >> 4; p.items > most || p.items < 0 {
		r.breach("ResultBytes", r.limits.ResultBytes)
	}
	if p.work > 0 {
		r.work(p.work)
	}
	if p.scratch+p.transient > 0 {
		r.charge(p.result + p.scratch + p.transient)
		r.account.Release(p.transient + p.scratch - p.scratch/scratchKept)
	} else if p.result != 0 {
		r.charge(p.result)
	}
}

// settle charges the true size of a text or list, instead of the bytes that
// were charged for it before.
func (r *Run) settle(v value, charged int64) {
	n := charged
	switch t := v.v.(type) {
	case string:
		n = textBytes + int64(len(t))
	case []any:
		n = listBytes + itemBytes*int64(len(t))
	case []string:
		n = listBytes + textBytes*int64(len(t))
	case []int:
		n = listBytes + boxBytes*int64(len(t))
	}
	if n > charged {
		r.charge(n - charged)
	} else if n < charged {
		r.account.Release(charged - n)
	}
	if n > r.limits.ResultBytes+listBytes {
		r.breach("ResultBytes", r.limits.ResultBytes)
	}
}

func (r *Run) charge(bytes int64) {
	if err := r.account.Charge(bytes); err != nil {
		r.exceeded(err)
	}
}

// work takes n steps before they are done.
func (r *Run) work(n int64) {
	if err := r.account.Work(n); err != nil {
		r.exceeded(err)
	}
}

// step takes the step of one action.
func (r *Run) step() {
	if err := r.account.Step(); err != nil {
		r.exceeded(err)
	}
}

// times multiplies without overflow; negative numbers count as none.
func times(a, b int64) int64 {
	if a <= 0 || b <= 0 {
		return 0
	}
	if a > math.MaxInt64/4/b {
		return math.MaxInt64 / 4
	}
	return a * b
}

// What Go's maps and slices take, roughly.
const (
	mapBytes   = 48  // a map without entries
	groupBytes = 288 // its first entries, up to 8
	entryBytes = 112 // each entry after those, growth included
	itemBytes  = 16  // an element of a list
	listBytes  = 40  // a list without elements
	textBytes  = 24  // the header of a string
	smallMap   = 8   // entries of a first group
	boxBytes   = 8   // a number in an interface
)

// mapSize is what a map with n entries takes.
func mapSize(n int64) int64 {
	switch {
	case n == 0:
		return mapBytes
	case n <= smallMap:
		return mapBytes + groupBytes
	}
	return mapBytes + groupBytes + entryBytes*(n-smallMap)
}
