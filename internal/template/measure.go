package template

import (
	"reflect"
	"strconv"
	"strings"
	"unicode/utf8"
)

// form is how a value is written out: what its parts take in bytes.
type form struct {
	text   func(s string) int64 // a text, or nil for a form without texts
	scalar int64                // a number, a boolean or nothing
	entry  int64                // what stands around a key and its value, or an item
	nest   int64                // what stands around a map or list
	pad    int64                // of indentation, for each level, before each entry
	paths  bool                 // each map is headed by the keys that lead to it
	plain  bool                 // whole numbers take their digits
}

var (
	// shown is how fmt prints.
	shown = form{text: plainLen, scalar: 26, entry: 2, nest: 8, plain: true}
	// quoted is how fmt prints with %q and %x.
	quoted = form{text: quotedLen, scalar: 48, entry: 4, nest: 12}
	// goSyntax is how fmt prints with %#v, as errors of conversions do.
	goSyntax = form{text: quotedLen, scalar: 32, entry: 16, nest: 64}
	// jsonForm is how encoding/json writes.
	jsonForm = form{text: jsonLen, scalar: 26, entry: 2, nest: 2, plain: true}
	// prettyForm is JSON with indentation.
	prettyForm = form{text: jsonLen, scalar: 26, entry: 4, nest: 4, pad: 2, plain: true}
	// yamlForm is how YAML is written, with the widest indentation.
	yamlForm = form{text: yamlLen, scalar: 26, entry: 4, nest: 4, pad: 3, plain: true}
	// tomlForm is how TOML is written.
	tomlForm = form{text: tomlLen, scalar: 26, entry: 6, nest: 8, pad: 2, paths: true}
	htmlForm = form{text: htmlLen, scalar: 26, entry: 2, nest: 8}
	jsForm   = form{text: jsLen, scalar: 26, entry: 2, nest: 8}
	urlForm  = form{text: urlLen, scalar: 26, entry: 6, nest: 24}
	// copied is what a copy takes in memory; texts are shared.
	copied = form{scalar: 16, entry: 48, nest: mapBytes + groupBytes}
)

// extent is what a value comes to when it is written out, with all that it
// shares counted as often as it is written.
type extent struct{ bytes, nodes int64 }

// walker adds up an extent. It ends the run where a value nests too deep, as one
// does that contains itself, and where the extent passes its limit.
type walker struct {
	run   *Run
	form  *form
	limit int64
	name  string // of the limit
	paid  int64  // nodes that were charged as work
	extent
}

// walkEvery is after how many nodes a walk is paid for and the context looked at.
const walkEvery = 1024

// written measures arguments as a result of the form.
func (r *Run) written(f *form, a []value) extent {
	return r.extentOf(f, a, r.limits.ResultBytes, "ResultBytes")
}

// taken measures arguments as memory of the form.
func (r *Run) taken(f *form, a []value) extent {
	return r.extentOf(f, a, r.limits.MemoryBytes, "MemoryBytes")
}

func (r *Run) extentOf(f *form, a []value, limit int64, name string) extent {
	w := walker{run: r, form: f, limit: limit, name: name}
	for i := range a {
		switch a[i].k {
		case exotic:
			w.reflected(a[i].v.(reflect.Value), 0, 0)
		case plain, boxed:
			w.value(a[i].v, 0, 0)
		default:
			w.scalar()
		}
	}
	w.check()
	w.pay()
	return w.extent
}

// pay charges the time of the walk.
func (w *walker) pay() {
	w.run.work((w.nodes - w.paid) / 4)
	w.paid = w.nodes
}

func (w *walker) check() {
	if w.bytes > w.limit || w.bytes < 0 {
		limit := w.run.limits.ResultBytes
		if w.name == "MemoryBytes" {
			limit = w.run.limits.MemoryBytes
		}
		w.run.breach(w.name, limit)
	}
}

func (w *walker) scalar() {
	w.nodes++
	w.bytes += w.form.scalar
}

// whole counts a whole number.
func (w *walker) whole(n int) {
	if !w.form.plain {
		w.scalar()
		return
	}
	w.nodes++
	w.bytes++
	if n < 0 {
		w.bytes++
	}
	for n < 0 || n >= 10 {
		w.bytes++
		n = max(n/10, -(n / 10))
	}
}

// indented counts the indentation of the lines of a text, in YAML.
func (w *walker) indented(s string, depth int) {
	if w.form.pad > 2 {
		w.bytes += int64(strings.Count(s, "\n")+1) * w.form.pad * int64(depth+1)
	}
}

func (w *walker) text(s string) {
	w.nodes++
	if w.form.text == nil {
		w.bytes += textBytes
		return
	}
	w.bytes += w.form.text(s)
	if len(s) > 4096 {
		w.run.work(int64(len(s)) >> 6)
		w.check()
	}
}

// open counts a map or list of n entries.
func (w *walker) open(n, depth int, path int64) {
	w.nodes++
	w.bytes += w.form.nest + (w.form.entry+w.form.pad*int64(depth+1))*int64(n)
	if w.form.paths {
		w.bytes += path
	}
	if depth >= w.run.nesting {
		w.run.tooDeep()
	}
	if w.nodes-w.paid >= walkEvery {
		w.pay()
	}
	w.check()
}

func (w *walker) value(v any, depth int, path int64) {
	switch t := v.(type) {
	case int:
		w.whole(t)
	case nil, bool, int64, float64:
		w.scalar()
	case string:
		w.text(t)
		w.indented(t, depth)
	case map[string]any:
		w.open(len(t), depth, path)
		for k, e := range t {
			w.text(k)
			w.value(e, depth+1, path+int64(len(k))+3)
		}
	case []any:
		w.open(len(t), depth, path)
		for _, e := range t {
			w.value(e, depth+1, path)
		}
	case []int:
		w.open(len(t), depth, path)
		for _, n := range t {
			w.whole(n)
		}
	default:
		w.reflected(reflect.ValueOf(v), depth, path)
	}
}

func (w *walker) reflected(rv reflect.Value, depth int, path int64) {
	switch rv.Kind() {
	case reflect.String:
		w.text(rv.String())
		w.indented(rv.String(), depth)
	case reflect.Interface, reflect.Pointer:
		w.scalar()
		if !rv.IsNil() {
			w.open(0, depth, path)
			w.reflected(rv.Elem(), depth+1, path)
		}
	case reflect.Slice, reflect.Array:
		n := rv.Len()
		w.open(n, depth, path)
		if k := rv.Type().Elem().Kind(); k <= reflect.Complex128 {
			each := w.form.scalar
			if k == reflect.Uint8 {
				each = (each + 3) / 4
			}
			w.nodes += int64(n)
			w.bytes += each * int64(n)
			w.check()
			return
		}
		for i := range n {
			w.reflected(rv.Index(i), depth+1, path)
		}
	case reflect.Map:
		w.open(rv.Len(), depth, path)
		for it := rv.MapRange(); it.Next(); {
			w.reflected(it.Key(), depth+1, path)
			w.reflected(it.Value(), depth+1, path)
		}
	case reflect.Struct:
		w.open(rv.NumField(), depth, path)
		for i := range rv.NumField() {
			w.bytes += int64(len(rv.Type().Field(i).Name))
			w.reflected(rv.Field(i), depth+1, path)
		}
	default:
		w.scalar()
	}
}

// The lengths that follow are upper bounds.

func plainLen(s string) int64 { return int64(len(s)) }

// tallied adds to the length of a text what more its bytes take.
func tallied(s string, more *[256]uint8) int64 {
	n := int64(len(s))
	for i := range len(s) {
		n += int64(more[s[i]])
	}
	return n
}

func moreFor(bytes string, n uint8, control, high uint8) *[256]uint8 {
	var more [256]uint8
	for i := range more {
		switch {
		case i < ' ' || i == 0x7f:
			more[i] = control
		case i >= utf8.RuneSelf:
			more[i] = high
		}
	}
	for i := range len(bytes) {
		more[bytes[i]] = n
	}
	return &more
}

var (
	moreJSON = moreFor("\"\\<>&\xA8\xA9", 5, 5, 0)
	moreHTML = moreFor("\"'<>&\x00", 4, 0, 0)
	moreJS   = moreFor("\"'\\<>&=", 5, 5, 5)
	moreURL  = func() *[256]uint8 {
		more := moreFor("", 0, 2, 2)
		for i := range utf8.RuneSelf {
			if c := byte(i); !(c >= '0' && c <= '9' || c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z') {
				more[i] = 2
			}
		}
		return more
	}()
	moreYAML = moreFor("'\"\\\n", 1, 5, 0)
)

func htmlLen(s string) int64 { return tallied(s, moreHTML) }
func jsLen(s string) int64   { return tallied(s, moreJS) }
func urlLen(s string) int64  { return tallied(s, moreURL) }

// jsonLen counts bytes that are not UTF-8 as six, as they are written.
func jsonLen(s string) int64 {
	n := tallied(s, moreJSON) + 2
	if len(s) > 0 && !utf8.ValidString(s) {
		n += 5 * invalid8(s)
	}
	return n
}

// yamlLen counts what is not UTF-8 as escaped or as base64, and folded lines with
// a break.
func yamlLen(s string) int64 {
	n := tallied(s, moreYAML) + int64(len(s))/64 + 4
	if strings.Contains(s, "\ufeff") { // behind which all is escaped
		return 6*int64(len(s)) + 8
	}
	if !utf8.ValidString(s) {
		return n + 6*invalid8(s) + 16
	}
	for i := 0; i < len(s); i++ {
		if s[i] >= 0xC2 && s[i] <= 0xF4 {
			r, size := utf8.DecodeRuneInString(s[i:])
			if !strconv.IsPrint(r) {
				n += 10
			}
			i += size - 1
		}
	}
	return n
}

// tomlLen counts control characters as six.
func tomlLen(s string) int64 { return tallied(s, moreYAML) + 8 }

func invalid8(s string) (n int64) {
	for i := 0; i < len(s); {
		r, size := utf8.DecodeRuneInString(s[i:])
		if r == utf8.RuneError && size == 1 {
			n++
		}
		i += size
	}
	return n
}

// quotedLen is the length of a text in quotes.
func quotedLen(s string) int64 {
	n := int64(2)
	for i := 0; i < len(s); {
		c := s[i]
		switch {
		case c == '"' || c == '\\':
			n += 2
		case c < ' ' || c == 0x7f:
			n += 4
		case c < utf8.RuneSelf:
			n++
		default:
			r, size := utf8.DecodeRuneInString(s[i:])
			switch {
			case r == utf8.RuneError && size == 1:
				n += 4
			case strconv.IsPrint(r):
				n += int64(size)
			default:
				n += 10
			}
			i += size
			continue
		}
		i++
	}
	return n
}
