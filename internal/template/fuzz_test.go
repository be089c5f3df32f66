package template

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// chanceful are functions whose outcome is not the same twice, or that take
// long; TestEveryFunction compares them in its own ways.
var chanceful = []string{
	"keys", "values", "now", "ago", "date", "date_in_zone", "dateInZone", "htmlDate", "htmlDateInZone", "durationRound",
	"randAlphaNum", "randAlpha", "randAscii", "randNumeric", "randInt", "randBytes", "shuffle", "uuidv4", "encryptAES",
	"genPrivateKey", "genCA", "genCAWithKey", "genSelfSignedCert", "genSelfSignedCertWithKey", "genSignedCert",
	"genSignedCertWithKey", "bcrypt", "htpasswd", "derivePassword", "set", "merge", "mergeOverwrite", "mustMerge",
	"mustMergeOverwrite", "include", "tpl", "pick",
}

// writer makes templates out of bytes: each byte is a choice.
type writer struct {
	data  []byte
	names []string // of functions
	vars  []string
	loops int
	calls int // defines below this number may be called
	left  int // how much may still be written
}

func (w *writer) pick(n int) int {
	if len(w.data) == 0 {
		return 0
	}
	c := int(w.data[0])
	w.data = w.data[1:]
	return c % n
}

func (w *writer) one(of ...string) string { return of[w.pick(len(of))] }

var paths = strings.Fields(`.Values.s .Values.empty .Values.i .Values.i64 .Values.u .Values.f .Values.b .Values.no .Values.nil .Values.absent .Values.list
.Values.strs .Values.ints .Values.map .Values.mss .Values.mii .Values.mai .Values.ptr .Values.val .Values.nilp .Values.named .Values.ns .Values.fn .Values.time
.Values.map.k .Values.map.n .Values.map.n.deep .Values.map.z .Values.map.list .Values.nil.x .Values.absent.x .Values.s.x .Values.ptr.Name .Values.ptr.Nil .Values.ptr.Nil.Name
.Values.ptr.In .Values.ptr.Iface .Values.ptr.NilIf .Values.ptr.M .Values.ptr.In.Pointer .Values.val.In.Value .Values.structs .Values.ptrs .Values.bytes .Values.err .Values.arr
.Values.cplx .Values.dur .Values.seq .Values.tpl .Values.noval .Values .Chart.Name .Chart.IsRoot .Release.Name .Files.Get .Capabilities.APIVersions.Has .Capabilities.KubeVersion
.Template.Name .x .k .Name .Nope . $ $.Values.s $.Values.list $.Values.map $.Values.nil.x`)

func (w *writer) literal() string {
	return w.one(`"a"`, `""`, `"k"`, "1", "0", "-1", "2", "3", "1.5", "true", "false", "nil", "`raw\n`", `"x y\n"`, `"1.2.3"`, `","`, `"b"`, `"{{ .Values.s }}"`, `'c'`, `"a: [1, b]"`, `"{\"a\":1}"`, "2i", `"<no value>"`, `"%s-%v"`, `"^a(b)?"`, `"http://h/p"`, "0x10", `"true"`, `" "`)
}

// operand is an argument.
func (w *writer) operand(depth int) string {
	switch c := w.pick(10); {
	case c < 3:
		return w.literal()
	case c < 6 || depth <= 0:
		return w.one(paths...)
	case c == 6 && len(w.vars) > 0:
		return w.one(w.vars...) + w.one("", "", ".k", ".Name")
	case c == 7:
		return "(" + w.pipeline(depth-1) + ")" + w.one("", "", ".k", ".x.y", ".Name")
	}
	return "(" + w.command(depth-1) + ")"
}

// typed is an operand of the type, mostly.
func (w *writer) typed(p param, depth int) string {
	if w.pick(6) == 0 {
		return w.operand(depth)
	}
	switch p.kind {
	case paramString:
		return w.one(`"a"`, `"b,c"`, ".Values.s", "$.Values.map.k", `"Ab Cd"`, `"1"`, `""`, "(print 1)", `"a\nb"`, `"1.2.3"`, ".Release.Name", `"k"`, `"%d"`, `"a.b/c"`)
	case paramInt:
		return w.one("1", "0", "2", "-1", "5", ".Values.i", "(int 3)", "(len .Values.s)")
	case paramBool:
		return w.one("true", "false", ".Values.b", "(eq 1 1)")
	case paramMap:
		return w.one(".Values.map", ".Values", `(dict "a" 1 "k" "v")`, ".Values.named", "(dict)", "$.Values.map.n", "nil")
	}
	if p.typ.Kind() == reflect.Float64 {
		return w.one("1.5", ".5", ".Values.f")
	}
	return w.operand(depth)
}

// command is a call, or an operand that can stand alone.
func (w *writer) command(depth int) string {
	switch w.pick(12) {
	case 0:
		return "include " + w.define() + " " + w.operand(depth)
	case 1:
		if depth > 0 && w.left > 0 {
			return "tpl " + strconv.Quote(w.block(depth-1, 2)) + " " + w.one(".", "$", ".Values", w.operand(0))
		}
		return "tpl .Values.s $"
	case 2:
		return w.one("merge", "mergeOverwrite", "mustMerge") + ` (dict "a" 1 "n" (dict "q" 2)) ` + w.one(".Values.map", `(dict "a" 2 "b" 3)`, ".Values.named", "nil")
	case 3:
		return `set (dict "a" 1) ` + w.one(`"b"`, `"a"`) + " " + w.literal()
	case 4:
		return w.one(paths...) + w.one("", "", ` "a"`, ` "apps/v1"`, ` 3 "x"`)
	case 5:
		return w.one("index", "and", "or", "eq", "default", "dict", "list", "printf", "not", "len") + " " + w.operand(depth-1) + " " + w.operand(depth-1)
	}
	name := w.names[(w.pick(256)*256+w.pick(256))%len(w.names)]
	f := functions()[name]
	n := len(f.params)
	if f.variadic {
		n += w.pick(3) - 1
	}
	if w.pick(12) == 0 {
		n = w.pick(4)
	}
	out := name
	for i := range n {
		if i < len(f.params) || f.variadic {
			out += " " + w.typed(f.param(i), depth-1)
		} else {
			out += " " + w.operand(0)
		}
	}
	return out
}

func (w *writer) define() string {
	if w.calls == 0 || w.pick(12) == 0 {
		return w.one(`"empty"`, `"nope"`)
	}
	return fmt.Sprintf(`"d%d"`, w.pick(w.calls))
}

func (w *writer) pipeline(depth int) string {
	out := w.command(depth)
	if w.pick(3) == 0 {
		out = w.operand(depth)
	}
	for range w.pick(3) {
		out += " | " + w.one("quote", "upper", "default 1", "toYaml", "nindent 2", `printf "%v"`, "len", "not", "toJson", "include "+w.define(), `required "need: it"`, "b64enc", "trunc 3", "first", "eq 1", "and true", "or 0", w.command(depth-1))
	}
	return out
}

func (w *writer) declare(name string) string {
	w.vars = append(w.vars, name)
	return name
}

// block is n statements in a scope of their own.
func (w *writer) block(depth, n int) string {
	mark := len(w.vars)
	var b strings.Builder
	for range 1 + w.pick(n) {
		b.WriteString(w.statement(depth))
	}
	w.vars = w.vars[:mark]
	return b.String()
}

func (w *writer) statement(depth int) string {
	w.left--
	if depth <= 0 || w.left <= 0 {
		return w.one("text ", "\n", "{{ . }}", "{{ .Values.s }}", "<no value>", " {{- /* c */ -}} ")
	}
	open, end := w.one("{{ ", "{{ ", "{{- "), w.one(" }}", " }}", " -}}\n")
	mark := len(w.vars)
	defer func() { w.vars = w.vars[:mark] }()
	switch w.pick(14) {
	case 0:
		return w.one("text ", "\n  a: ", "é", "\n")
	case 1:
		out := open + "if " + w.pipeline(depth-1) + end + w.block(depth-1, 3)
		for range w.pick(2) {
			out += "{{ else if " + w.pipeline(depth-1) + " }}" + w.block(depth-1, 2)
		}
		return out + w.one("", "{{ else }}"+w.block(depth-1, 2)) + "{{ end }}"
	case 2:
		return open + "with " + w.one("", w.declare("$w")+" := ") + w.pipeline(depth-1) + end + w.block(depth-1, 3) + w.one("", "{{ else }}"+w.block(depth-1, 2), "{{ else with .Values.s }}{{ . }}") + "{{ end }}"
	case 3, 4:
		w.loops++
		out := open + "range " + w.one("", w.declare("$e")+" := ", "$i, "+w.declare("$e")+" := ") + w.one("", w.one(".Values.list", ".Values.map", ".Values.strs", "(until 3)", ".Values.mii", "3", ".Values.named")) + " "
		if strings.HasSuffix(out, "  ") || strings.HasSuffix(out, "= ") {
			out += w.operand(depth - 1)
		}
		out += end + w.block(depth-1, 3)
		w.loops--
		return out + w.one("", "{{ else }}none") + "{{ end }}"
	case 5:
		return open + "template " + w.define() + " " + w.one("", w.pipeline(depth-1)) + end
	case 6:
		name := w.one("$a", "$b")
		out := open + name + " := " + w.pipeline(depth-1) + end
		mark = len(w.vars) + 1
		w.vars = append(w.vars, name)
		return out
	case 7:
		if len(w.vars) > 0 {
			return open + w.one(w.vars...) + " = " + w.pipeline(depth-1) + end
		}
	case 8:
		if w.loops > 0 {
			return "{{ if " + w.operand(0) + " }}{{ " + w.one("break", "continue") + " }}{{ end }}"
		}
	}
	return open + w.pipeline(depth-1) + end
}

// templates is a chart of one file and some helpers.
func (w *writer) templates() map[string]string {
	helpers := `{{ define "empty" }} {{ end }}`
	for i := range 3 {
		w.calls, w.left = i, 12
		helpers += fmt.Sprintf(`{{ define "d%d" }}`, i) + w.block(3, 3) + "{{ end }}\n"
	}
	w.calls, w.left = 3, 30
	return map[string]string{"_helpers.tpl": helpers, "a.yaml": w.block(4, 6)}
}

func newWriter(data []byte) *writer {
	w := &writer{data: data}
	for name := range functions() {
		if !slices.Contains(chanceful, name) {
			w.names = append(w.names, name)
		}
	}
	slices.Sort(w.names)
	return w
}

func FuzzRender(f *testing.F) {
	for i := range 50 {
		f.Add(randomBytes(uint64(i)))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		same(t, newWriter(data).templates(), sampleValues)
	})
}

func randomBytes(seed uint64) []byte {
	r := rand.New(rand.NewPCG(seed, seed))
	data := make([]byte, 100+r.IntN(900))
	for i := range data {
		data[i] = byte(r.Uint32())
	}
	return data
}

// TestRandomTemplates is the fuzzer with a fixed number of its own seeds.
func TestRandomTemplates(t *testing.T) {
	n := 2000
	if testing.Short() {
		n = 300
	}
	for i := range n {
		same(t, newWriter(randomBytes(uint64(1000+i))).templates(), sampleValues)
		if t.Failed() {
			t.Fatalf("seed %d", 1000+i)
		}
	}
}
