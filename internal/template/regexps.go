package template

import (
	"regexp"
	"regexp/syntax"
	"strings"
	"sync"
)

// compiledRegexp is an expression with its size.
type compiledRegexp struct {
	re   *regexp.Regexp
	size int64 // instructions, roughly
}

// regexpCache keeps compiled expressions; full, it starts again. The zero value
// is ready.
type regexpCache struct {
	mu    sync.Mutex
	known map[string]*compiledRegexp
}

const (
	regexpCacheSize = 256
	// Longer and larger expressions are compiled each time.
	regexpCachedText = 4096
	regexpCachedSize = 1024
	// What an instruction of a compiled expression takes, and of its parse.
	instructionBytes = 300
	parsedBytes      = 256
)

// regexp compiles an expression, whose cost it charges before. Nil without an
// error is one that does not compile.
func (r *Run) regexp(expr string) *compiledRegexp {
	c := &r.set.regexps
	c.mu.Lock()
	known := c.known[expr]
	c.mu.Unlock()
	if known != nil {
		return known
	}
	n := int64(len(expr))
	r.reserve(price{scratch: parsedBytes * n, work: n})
	parsed, err := syntax.Parse(expr, syntax.Perl)
	if err != nil {
		return nil
	}
	size := regexpSize(parsed)
	r.reserve(price{scratch: times(instructionBytes, size), work: 8 * size})
	re, err := regexp.Compile(expr)
	if err != nil {
		return nil
	}
	known = &compiledRegexp{re, size}
	if n > regexpCachedText || size > regexpCachedSize {
		return known
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.known == nil || len(c.known) >= regexpCacheSize {
		c.known = make(map[string]*compiledRegexp)
	}
	c.known[expr] = known
	return known
}

// regexpSize is how many instructions an expression has, repetitions written
// out.
func regexpSize(re *syntax.Regexp) int64 {
	n := int64(1)
	switch re.Op {
	case syntax.OpLiteral:
		n = int64(len(re.Rune))
	case syntax.OpCharClass:
		n += int64(len(re.Rune)) / 16
	}
	for _, sub := range re.Sub {
		n += regexpSize(sub)
	}
	if re.Op == syntax.OpRepeat {
		n = times(n+1, int64(max(re.Min, re.Max, 1)))
	}
	return min(n+1, unwritable)
}

// unwritable is more than can be written out.
const unwritable = 1 << 40

// regexWork is the time of one run of an expression over a text.
func (c *compiledRegexp) work(text string) int64 { return times(c.size+8, int64(len(text))+1) / 8 }

func regexCosts() map[string]cost {
	table := map[string]cost{}
	for _, name := range []string{
		"regexMatch", "regexFind", "regexFindAll", "regexReplaceAll", "regexReplaceAllLiteral", "regexSplit",
	} {
		table[name], table["must"+strings.ToUpper(name[:1])+name[1:]] = nil, nil // see regexFunctions
	}
	return table
}

// regexFunctions are the functions of regular expressions over cached
// expressions. Where one does not compile, the function that each replaces says
// so.
func regexFunctions(replaced map[string]*function) map[string]impl {
	table := map[string]impl{}
	add := func(name string, run func(r *Run, c *compiledRegexp, a []value) func() any) {
		for _, name := range []string{name, "must" + strings.ToUpper(name[:1]) + name[1:]} {
			fails := replaced[name].call
			table[name] = func(r *Run, a []value) (value, error) {
				r.function = name
				c := r.regexp(textOf(a[0]))
				if c == nil {
					return fails(r, a)
				}
				work := c.work(textOf(a[1]))
				r.reserve(price{scratch: 64 * c.size, work: work})
				call := run(r, c, a)
				return r.apart(work, func() (value, error) { return concrete(call()), nil })
			}
		}
	}
	add("regexMatch", func(_ *Run, c *compiledRegexp, a []value) func() any {
		s := textOf(a[1])
		return func() any { return c.re.MatchString(s) }
	})
	add("regexFind", func(_ *Run, c *compiledRegexp, a []value) func() any {
		s := textOf(a[1])
		return func() any { return c.re.FindString(s) }
	})
	add("regexFindAll", func(r *Run, c *compiledRegexp, a []value) func() any {
		s, n := textOf(a[1]), take[int](a[2])
		r.parts(s, n)
		return func() any { return c.re.FindAllString(s, n) }
	})
	add("regexSplit", func(r *Run, c *compiledRegexp, a []value) func() any {
		s, n := textOf(a[1]), take[int](a[2])
		r.parts(s, n)
		return func() any { return c.re.Split(s, n) }
	})
	add("regexReplaceAll", func(r *Run, c *compiledRegexp, a []value) func() any {
		s, repl := textOf(a[1]), textOf(a[2])
		r.replacing(c, s, repl, strings.Count(repl, "$"))
		return func() any { return c.re.ReplaceAllString(s, repl) }
	})
	add("regexReplaceAllLiteral", func(r *Run, c *compiledRegexp, a []value) func() any {
		s, repl := textOf(a[1]), textOf(a[2])
		r.replacing(c, s, repl, 0)
		return func() any { return c.re.ReplaceAllLiteralString(s, repl) }
	})
	return table
}

// parts charges for a list of the matches in a text, at most n of them.
func (r *Run) parts(s string, n int) {
	most := int64(len(s)) + 1
	if n >= 0 {
		most = min(most, int64(n))
	}
	if most > 64 {
		r.reserve(price{scratch: 64 * most, items: most})
	}
}

// replacing charges for a text whose matches are replaced. refs are the
// references in repl, each of which a match may be as long as.
func (r *Run) replacing(c *compiledRegexp, s, repl string, refs int) {
	n := int64(len(s))
	bytes := n + times(int64(refs), n) + times(n+1, int64(len(repl)))
	if bytes > r.limits.ResultBytes {
		matches := int64(0)
		v, _ := r.apart(c.work(s), func() (value, error) {
			n := int64(0)
			c.re.ReplaceAllStringFunc(s, func(string) string { n++; return "" })
			return concrete(n), nil
		})
		matches, _ = v.v.(int64)
		r.work(c.work(s))
		bytes = n + times(int64(refs), n) + times(matches, int64(len(repl)))
	}
	if bytes > 4096 {
		r.reserve(price{result: bytes, scratch: bytes})
		r.account.Release(bytes) // it is settled
	}
}
