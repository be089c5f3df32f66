package template

import (
	"math"
	"slices"
	"strconv"
	"strings"
	"sync"
	"unicode/utf8"

	"sigs.k8s.io/yaml"
)

// yamlWriter writes a value in the very form of sigs.k8s.io/yaml, which goes by
// way of JSON and of a full YAML document. It knows the types and strings that
// values files hold and leaves the rest to the original.
type yamlWriter struct {
	run     *Run
	out     []byte
	bol     int // where the line begins
	indent  int
	charged int // how much of out is charged
	// As in an emitter of the YAML reference implementation: the last thing
	// written was white space, or only indentation and indicators.
	white, indention bool
}

const (
	yamlStep  = 2
	yamlWidth = 80
)

// yamlFolds reports whether the YAML library folds long lines, which is a switch
// for the whole program.
var yamlFolds = sync.OnceValue(func() bool {
	data, err := yaml.Marshal(strings.Repeat("fold ", 40) + "end")
	return err == nil && strings.Count(string(data), "\n") > 1
})

// yaml is toYaml.
func (r *Run) yaml(v any) string {
	w := yamlWriter{run: r, out: r.scratch[:0], indent: -1, white: true, indention: true}
	ok := yamlFolds() && w.node(v, false, 0)
	r.scratch = w.out[:0]
	if cap(w.out) > keptScratch {
		r.scratch = nil
	}
	if !ok {
		e := r.written(&yamlForm, []value{of(v)})
		r.reserve(price{result: e.bytes, scratch: 8*e.bytes + 512*e.nodes, work: 32*e.nodes + e.bytes})
		r.account.Release(e.bytes) // it is settled
		return toYAML(v)
	}
	if !w.indention || w.column() > 0 {
		w.breakLine()
	}
	return string(w.out[:len(w.out)-1])
}

func (w *yamlWriter) column() int { return utf8.RuneCount(w.out[w.bol:]) }

func (w *yamlWriter) breakLine() {
	w.out = append(w.out, '\n')
	w.bol = len(w.out)
	w.grew()
}

// keptScratch is how large a buffer is kept for the next toYaml.
const keptScratch = 1 << 20

// grew charges what has been written since it was last called, now and then.
func (w *yamlWriter) grew() {
	n := len(w.out)
	if n-w.charged < 4096 {
		return
	}
	if most := w.run.limits.ResultBytes; int64(n) > most {
		w.run.breach("ResultBytes", most)
	}
	more := int64(n - w.charged)
	w.run.reserve(price{scratch: 4 * more, work: more / 16})
	w.charged = n
}

// line begins a line at the indentation, unless it has begun there already.
func (w *yamlWriter) line() {
	indent := max(w.indent, 0)
	column := w.column()
	if !w.indention || column > indent || column == indent && !w.white {
		w.breakLine()
		column = 0
	}
	for ; column < indent; column++ {
		w.out = append(w.out, ' ')
	}
	w.white, w.indention = true, true
}

// space separates what follows from what was written.
func (w *yamlWriter) space() {
	if !w.white {
		w.out = append(w.out, ' ')
	}
}

func (w *yamlWriter) word(s string) bool {
	w.space()
	w.out = append(w.out, s...)
	w.white, w.indention = false, false
	return true
}

// node writes a value; mapped means that it belongs to a key. It reports false
// for what it does not know.
func (w *yamlWriter) node(v any, mapped bool, depth int) bool {
	if depth > w.run.nesting {
		w.run.tooDeep()
	}
	switch t := v.(type) {
	case nil:
		return w.word("null")
	case string:
		return w.scalar(t, false)
	case bool:
		return w.word(strconv.FormatBool(t))
	case int:
		return w.integer(int64(t))
	case int64:
		return w.integer(t)
	case int32:
		return w.integer(int64(t))
	case float64:
		return w.float(t)
	case map[string]any:
		return mapping(w, t, depth, w.node)
	case map[string]string:
		return mapping(w, t, depth, w.text)
	case []any:
		return sequence(w, t, mapped, depth, w.node)
	case []string:
		return sequence(w, t, mapped, depth, w.text)
	}
	if w.run.set.asMap != nil {
		if m, ok := w.run.set.asMap(v, ""); ok {
			return mapping(w, m, depth, w.node)
		}
	}
	return false
}

func (w *yamlWriter) text(s string, _ bool, _ int) bool { return w.scalar(s, false) }

func (w *yamlWriter) integer(i int64) bool {
	w.space()
	w.out = strconv.AppendInt(w.out, i, 10)
	w.white, w.indention = false, false
	return true
}

// float writes a number as what it is read back as: JSON writes whole numbers
// without a fraction, so they become integers.
func (w *yamlWriter) float(f float64) bool {
	switch {
	case math.IsNaN(f), math.IsInf(f, 0), math.Abs(f) >= 1e15:
		return false
	case f == math.Trunc(f):
		return w.integer(int64(f))
	}
	w.space()
	w.out = strconv.AppendFloat(w.out, f, 'g', -1, 64)
	w.white, w.indention = false, false
	return true
}

func mapping[V any](w *yamlWriter, m map[string]V, depth int, node func(V, bool, int) bool) bool {
	if len(m) == 0 {
		if m == nil {
			return w.word("null")
		}
		return w.word("{}")
	}
	outer := w.indent
	if w.indent < 0 {
		w.indent = 0
	} else {
		w.indent += yamlStep
	}
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, compareNatural)
	for _, k := range keys {
		// Keys of several lines, long ones and merge keys take other forms.
		if len(k) > 128 || k == "<<" || strings.IndexByte(k, '\n') >= 0 {
			return false
		}
		w.line()
		if !w.scalar(k, true) {
			return false
		}
		w.out = append(w.out, ':')
		w.white, w.indention = false, false
		if !node(m[k], true, depth+1) {
			return false
		}
	}
	w.indent = outer
	return true
}

func sequence[V any](w *yamlWriter, list []V, mapped bool, depth int, node func(V, bool, int) bool) bool {
	if len(list) == 0 {
		if list == nil {
			return w.word("null")
		}
		return w.word("[]")
	}
	outer := w.indent
	switch {
	case w.indent < 0:
		w.indent = 0
	case !mapped || w.indention:
		w.indent += yamlStep
	}
	for _, v := range list {
		w.line()
		w.out = append(w.out, '-')
		w.white = false
		if !node(v, false, depth+1) {
			return false
		}
	}
	w.indent = outer
	return true
}
