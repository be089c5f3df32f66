package template

import (
	"context"
	"math"
	"reflect"
	"strings"
	"time"
)

// guard looks at the arguments of a function before it is called, and ends the
// run if it would break a limit.
type guard func(r *Run, a []value)

// guards are the functions whose cost is out of proportion to the arguments.
func guards() map[string]guard {
	table := map[string]guard{
		"repeat": func(r *Run, a []value) {
			if n := take[int](a[0]); n > 0 {
				r.result(times(n, len(text(a[1]))), "repeat")
			}
		},
		"until": func(r *Run, a []value) {
			n := take[int](a[0])
			r.span("until", 0, n, sign(n))
		},
		"untilStep": func(r *Run, a []value) {
			r.span("untilStep", take[int](a[0]), take[int](a[1]), take[int](a[2]))
		},
		"seq":     guardSeq,
		"indent":  guardIndent("indent"),
		"nindent": guardIndent("nindent"),
		"replace": func(r *Run, a []value) {
			if grow := len(text(a[1])) - len(text(a[0])); grow > 0 {
				r.result(times(grow, strings.Count(text(a[2]), text(a[0]))), "replace")
			}
		},
		"wrapWith": func(r *Run, a []value) {
			r.result(times(len(text(a[1])), len(text(a[2]))/max(1, take[int](a[0]))), "wrapWith")
		},
		"printf": func(r *Run, a []value) {
			guardFormat(r, text(a[0]))
			r.inspectAll("printf", a[1:])
		},
		"join": func(r *Run, a []value) {
			r.inspectAll("join", a[1:])
			if rv := reflect.ValueOf(a[1].any()); rv.Kind() == reflect.Slice || rv.Kind() == reflect.Array {
				r.result(times(len(text(a[0])), rv.Len()), "join")
			}
		},
		"splitList": guardSplit("splitList", 16),
		"split":     guardSplit("split", 96),
		"splitn": func(r *Run, a []value) {
			n := int64(strings.Count(text(a[2]), text(a[0])))
			if limit := int64(take[int](a[1])); limit >= 0 {
				n = min(n, limit)
			}
			r.elements(n, "splitn")
			r.memory += 96 * n
		},
		"randBytes": func(r *Run, a []value) {
			r.result(times(take[int](a[0]), 2), "randBytes")
		},
		"eq": func(r *Run, a []value) { r.inspectAll("eq", a) },
		"ne": func(r *Run, a []value) { r.inspectAll("ne", a) },
		"uniq": func(r *Run, a []value) {
			n := lengthOf(a[0])
			r.work(n*n/2, "uniq")
		},
		"without": func(r *Run, a []value) { r.work(lengthOf(a[0])*int64(len(a)), "without") },
		"has":     func(r *Run, a []value) { r.work(lengthOf(a[1]), "has") },
		// Keys are written out; values, which are often all that there is, only
		// referred to.
		"dict": func(r *Run, a []value) {
			for i := 0; i < len(a); i += 2 {
				r.inspectAll("dict", a[i:i+1])
			}
		},
	}
	table["mustUniq"], table["mustWithout"], table["mustHas"] = table["uniq"], table["without"], table["has"]
	for _, name := range []string{"randAlphaNum", "randAlpha", "randAscii", "randNumeric"} {
		table[name] = func(r *Run, a []value) {
			n := max(0, int64(take[int](a[0])))
			r.result(n, name)
			r.work(16*n, name)
		}
	}
	for _, name := range []string{
		"append", "push", "mustAppend", "mustPush", "prepend", "mustPrepend", "concat", "rest", "mustRest",
		"initial", "mustInitial", "reverse", "mustReverse", "compact", "mustCompact", "chunk", "mustChunk",
	} {
		table[name] = func(r *Run, a []value) {
			var n int64
			for i := range a {
				n += lengthOf(a[i])
			}
			r.elements(n, name)
			r.work(n/8, name)
		}
	}
	for _, name := range []string{"fromYaml", "fromYamlArray", "fromJson", "mustFromJson", "fromJsonArray", "fromToml"} {
		table[name] = func(r *Run, a []value) {
			n := len(text(a[0]))
			r.work(int64(n), name)
			r.charge(8*n, name)
		}
	}
	for _, name := range []string{
		"print", "println", "html", "js", "urlquery", "quote", "squote", "cat", "toString", "toStrings",
		"sortAlpha", "toYamlPretty", "toJson", "mustToJson", "toPrettyJson", "mustToPrettyJson", "toRawJson",
		"mustToRawJson", "toToml", "deepCopy", "mustDeepCopy", "merge", "mustMerge", "mergeOverwrite",
		"mustMergeOverwrite", "toDecimal",
	} {
		table[name] = func(r *Run, a []value) { r.inspectAll(name, a) }
	}
	for name, g := range regexGuards() {
		table[name] = g
	}
	return table
}

func text(v value) string {
	s, _ := v.v.(string)
	return s
}

func sign(n int) int {
	if n < 0 {
		return -1
	}
	return 1
}

// times multiplies without overflow.
func times(a, b int) int64 {
	if a <= 0 || b <= 0 {
		return 0
	}
	if a > math.MaxInt/b {
		return math.MaxInt64
	}
	return int64(a) * int64(b)
}

func lengthOf(v value) int64 {
	switch t := v.v.(type) {
	case []any:
		return int64(len(t))
	case []string:
		return int64(len(t))
	}
	if rv := reflect.ValueOf(v.any()); rv.Kind() == reflect.Slice || rv.Kind() == reflect.Array {
		return int64(rv.Len())
	}
	return 0
}

// span refuses a sequence of too many numbers, or one that would wrap around
// at the end of the integers and never end.
func (r *Run) span(name string, start, stop, step int) {
	if step == 0 || (stop < start) != (step < 0) {
		return
	}
	distance, stride := float64(stop)-float64(start), float64(step)
	n := math.Ceil(distance / stride)
	if end := float64(start) + n*stride; end >= math.MaxInt64 || end < math.MinInt64 {
		n = math.MaxInt64
	}
	if limit := r.limits.Result >> 4; n > float64(limit) {
		r.breach("Result", limit, name)
	}
	r.work(int64(n)/4, name)
}

func guardSeq(r *Run, a []value) {
	n := make([]int, len(a))
	for i := range a {
		n[i] = take[int](a[i])
	}
	switch len(n) {
	case 1:
		step := 1
		if n[0] < 1 {
			step = -1
		}
		r.span("seq", 1, n[0], step)
	case 2:
		step := 1
		if n[1] < n[0] {
			step = -1
		}
		r.span("seq", n[0], n[1], step)
	case 3:
		r.span("seq", n[0], n[2], n[1])
	}
}

func guardIndent(name string) guard {
	return func(r *Run, a []value) {
		if n := take[int](a[0]); n > 64 {
			r.result(times(n, strings.Count(text(a[1]), "\n")+1), name)
		}
	}
}

func guardSplit(name string, each int64) guard {
	return func(r *Run, a []value) {
		if s := text(a[1]); len(s) > 1024 {
			n := int64(strings.Count(s, text(a[0])))
			r.elements(n, name)
			r.memory += each * n
		}
	}
}

// guardFormat adds up the widths and precisions of a format. fmt ignores those
// over a million, and a * counts as that.
func guardFormat(r *Run, format string) {
	total, n, in := int64(0), int64(0), false
	for i := range len(format) {
		c := format[i]
		switch {
		case c == '%':
			in = !in
			n = 0
		case !in:
		case c >= '0' && c <= '9':
			n = min(n*10+int64(c-'0'), 1_000_000)
		case c == '*':
			total += 1_000_000
		case c == '.':
			total += n
			n = 0
		case c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z':
			total += n
			in, n = false, 0
		}
	}
	if total > 4096 {
		r.result(total, "printf")
	}
}

// regexGuards bound what regular expressions cost: the automaton takes time in
// proportion to the text and to the expression.
func regexGuards() map[string]guard {
	table := make(map[string]guard)
	for _, name := range []string{
		"regexMatch", "regexFind", "regexFindAll", "regexReplaceAll", "regexReplaceAllLiteral", "regexSplit",
	} {
		g := func(r *Run, a []value) {
			expr, s := len(text(a[0])), len(text(a[1]))
			r.work(times(expr+8, s+expr)/32, name)
			switch name {
			case "regexFindAll", "regexSplit":
				if n := int64(take[int](a[2])); n < 0 || n > int64(s) {
					r.elements(int64(s), name)
				}
			case "regexReplaceAll", "regexReplaceAllLiteral":
				guardReplace(r, name, a)
			}
		}
		table[name], table["must"+strings.ToUpper(name[:1])+name[1:]] = g, g
	}
	return table
}

func guardReplace(r *Run, name string, a []value) {
	expr, s, repl := text(a[0]), text(a[1]), text(a[2])
	once := times(strings.Count(repl, "$"), len(s))
	if once+times(len(s)+1, len(repl)) <= r.limits.Result {
		return
	}
	re, err := r.set.regexps.compile(expr)
	if err != nil {
		return
	}
	r.elements(int64(len(s)), name)
	r.result(once+times(len(re.FindAllStringIndex(s, -1)), len(repl)), name)
}

// maxNesting is how deep data may nest where a function walks through it, which
// a map that holds itself does without end.
const maxNesting = 1000

// inspectAll refuses arguments that contain themselves or, written out, would
// be too long.
func (r *Run) inspectAll(name string, a []value) {
	for i := range a {
		switch a[i].v.(type) {
		case nil, string, bool, int, int64, float64:
			continue
		}
		r.inspect(name, a[i].any())
	}
}

func (r *Run) inspect(name string, v any) {
	size := int64(0)
	r.measure(name, v, &size, 0)
	r.work(size/16, name)
}

// measure adds up roughly how long the value is when written out.
func (r *Run) measure(name string, v any, size *int64, depth int) {
	*size += 2
	switch t := v.(type) {
	case nil, bool, int, int64, float64:
		return
	case string:
		*size += int64(len(t))
	case map[string]any:
		r.deeper(name, *size, depth)
		for k, e := range t {
			*size += int64(len(k))
			r.measure(name, e, size, depth+1)
		}
		return
	case []any:
		r.deeper(name, *size, depth)
		for _, e := range t {
			r.measure(name, e, size, depth+1)
		}
		return
	default:
		r.measureReflect(name, reflect.ValueOf(v), size, depth)
	}
	r.deeper(name, *size, depth)
}

func (r *Run) deeper(name string, size int64, depth int) {
	if depth > maxNesting {
		r.breach("Nesting", maxNesting, name)
	}
	r.result(size, name)
}

func (r *Run) measureReflect(name string, rv reflect.Value, size *int64, depth int) {
	r.deeper(name, *size, depth)
	*size += 2
	switch rv.Kind() {
	case reflect.String:
		*size += int64(rv.Len())
	case reflect.Interface, reflect.Pointer:
		if !rv.IsNil() {
			r.measureReflect(name, rv.Elem(), size, depth+1)
		}
	case reflect.Slice, reflect.Array:
		if k := rv.Type().Elem().Kind(); k <= reflect.Complex128 {
			*size += int64(rv.Len())
			return
		}
		for i := range rv.Len() {
			r.measureReflect(name, rv.Index(i), size, depth+1)
		}
	case reflect.Map:
		for it := rv.MapRange(); it.Next(); {
			r.measureReflect(name, it.Key(), size, depth+1)
			r.measureReflect(name, it.Value(), size, depth+1)
		}
	case reflect.Struct:
		for i := range rv.NumField() {
			r.measureReflect(name, rv.Field(i), size, depth+1)
		}
	}
}

// slowFunctions make keys and slow hashes.
var slowFunctions = []string{
	"genPrivateKey", "genCA", "genCAWithKey", "genSelfSignedCert", "genSelfSignedCertWithKey", "genSignedCert",
	"genSignedCertWithKey", "bcrypt", "htpasswd", "derivePassword",
}

// slow counts the call of a function that takes its time, and leaves it behind
// to end by itself when the time of the run is over.
func slow(name string, call impl) impl {
	type outcome struct {
		v   value
		err error
	}
	return func(r *Run, a []value) (value, error) {
		r.keys++
		if r.keys > r.limits.Keys {
			r.breach("Keys", int64(r.limits.Keys), name)
		}
		r.checkTime(name)
		args := append([]value(nil), a...)
		done := make(chan outcome, 1)
		go func() {
			v, err := call(nil, args)
			done <- outcome{v, err}
		}()
		left, cancel := context.WithTimeout(r.ctx, r.limits.Time-time.Since(r.started))
		defer cancel()
		select {
		case o := <-done:
			return o.v, o.err
		case <-left.Done():
			panic(&stop{err: &LimitError{
				Template: r.tmpl.name, Limit: "Time", Max: int64(r.limits.Time), Function: name, Err: left.Err(),
			}})
		}
	}
}

// settle pays for the larger results.
func (r *Run) settle(v value, name string) {
	n := 0
	switch t := v.v.(type) {
	case string:
		n = len(t)
	case []any:
		n = 16 * len(t)
	case []string:
		n = 16 * len(t)
	case []int:
		n = 8 * len(t)
	}
	if n > 1024 {
		r.charge(n, name)
	}
}
