//go:build linux

package hostile

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/fairlead-dev/fairlead/internal/template"
)

// TestFunctions calls every function that templates have with every shape of
// arguments, so that one that is added tomorrow is probed tomorrow.
func TestFunctions(t *testing.T) {
	Run(t, functionCases())
}

// shape is a kind of argument: what sets it up, and how each type of parameter
// is given it.
type shape struct {
	name    string
	hostile string // the variable that is: calls without it are no probe
	setup   string
	text    string // for a string
	number  string // for an integer
	data    string // for a map
	other   string // for anything else
}

const (
	long   = `{{ $s := repeat 15000000 "x" }}`
	small  = `{{ $s := "a.b/c-1" }}`
	cycle  = `{{ $d := dict }}{{ $_ := set $d "x" $d }}{{ $_ := set $d "y" (list $d) }}`
	graph  = `{{ $d := dict "a" 1 }}{{ range until 40 }}{{ $d = dict "l" $d "r" $d }}{{ end }}`
	deep   = `{{ $p := list }}{{ range 100000 }}{{ $p = list $p }}{{ end }}{{ $d := dict "x" $p }}`
	deeper = `{{ $d := dict }}{{ range 100000 }}{{ $d = dict "x" $d }}{{ end }}`
	shared = long + `{{ $l := list $s $s $s $s $s $s $s $s $s $s }}{{ $l = concat $l $l $l $l $l $l $l $l $l $l }}{{ $d := dict "a" $l "b" $l }}`
	many   = `{{ $l := until 1000000 }}`
	wide   = `{{ $d := dict }}{{ range 100000 }}{{ $_ := set $d (print "key" .) . }}{{ end }}`
	texts  = `{{ $l := splitList "" (repeat 200000 "ab,") }}`
)

var shapes = []shape{
	{"cycle", `$d`, cycle + small, `$s`, `3`, `$d`, `$d`},
	{"cycle in a list", `$d`, cycle + small, `$s`, `3`, `$d`, `(list $d $d)`},
	{"graph", `$d`, graph + small, `$s`, `3`, `$d`, `$d`},
	{"graph in a list", `$d`, graph + small, `$s`, `3`, `$d`, `(list 1 $d)`},
	{"deep list", `$p`, deep + small, `$s`, `3`, `$d`, `$p`},
	{"two deep lists", `$p`, deep + small, `$s`, `3`, `$d`, `(list $p (list $p))`},
	{"deep map", `$d`, deeper + small, `$s`, `3`, `$d`, `$d`},
	{"long text", `$s`, long, `$s`, `1000000`, `(dict $s $s)`, `$s`},
	{"long text, small number", `$s`, long, `$s`, `64`, `(dict $s $s)`, `(list $s)`},
	{"line breaks", `$s`, `{{ $s := repeat 8000000 "\n" }}`, `$s`, `60`, `(dict "x" $s)`, `$s`},
	{"letters and spaces", `$s`, `{{ $s := repeat 4000000 "a B" }}`, `$s`, `1`, `(dict "x" $s)`, `$s`},
	{"not UTF-8", `$s`, `{{ $s := repeat 4000000 "\xff" }}`, `$s`, `7`, `(dict "x" $s)`, `$s`},
	{"digits", `$s`, `{{ $s := repeat 4000000 "9" }}`, `$s`, `9`, `(dict "x" $s)`, `$s`},
	{"markup", `$s`, `{{ $s := repeat 4000000 "<\"" }}`, `$s`, `2`, `(dict "x" $s)`, `$s`},
	{"brackets", `$s`, `{{ $s := repeat 4000000 "[" }}`, `$s`, `2`, `(dict "x" $s)`, `$s`},
	{"empty maps", `$s`, `{{ $s := printf "[%s{}]" (repeat 3000000 "{},") }}`, `$s`, `-1`, `(dict "x" $s)`, `$s`},
	{"keys", `$s`, `{{ $s := printf "{%s\"z\":1}" (repeat 1500000 "\"a\":{},") }}`, `$s`, `-1`, `(dict "x" $s)`, `$s`},
	{"aliases", `$s`, `{{ $s := printf "a: &a [%s]\nb: [%s]" (repeat 1000000 "x,") (repeat 1000000 "*a,") }}`, `$s`, `-1`, `(dict "x" $s)`, `$s`},
	{"short and long text", `$s`, `{{ $s := repeat 15000000 "a" }}`, `""`, `15000000`, `(dict "" $s)`, `$s`},
	{"short pattern", `$s`, `{{ $s := "(a*)*b|x{1,9}" }}{{ $l := repeat 2000000 "a" }}`, `$s`, `-1`, `(dict "x" $l)`, `$l`},
	{"shared text", `$l`, shared, `$s`, `16`, `$d`, `$l`},
	{"long list", `$l`, many + small, `$s`, `1`, `(dict "x" $l)`, `$l`},
	{"list of texts", `$l`, texts, `","`, `2`, `(dict "x" $l)`, `$l`},
	{"wide map", `$d`, wide + small, `$s`, `2`, `$d`, `$d`},
	{"largest numbers", ``, small, `"9223372036854775807"`, `9223372036854775807`, `(dict "a" 1)`, `9223372036854775807`},
	{"smallest numbers", ``, small, `"-9223372036854775808"`, `-9223372036854775808`, `(dict "a" -1)`, `-9223372036854775808`},
	{"no numbers", ``, small, `"NaN"`, `0`, `(dict "a" (float64 "NaN"))`, `(float64 "NaN")`},
	{"infinity", ``, small, `"1e308"`, `1`, `(dict "a" 1e308)`, `(float64 "Inf")`},
	{"nothing", ``, small, `""`, `0`, `(dict)`, `nil`},
}

func functionCases() []Case {
	var cases []Case
	for _, f := range template.Signatures() {
		for _, s := range shapes {
			call := s.call(f)
			if len(f.Params) == 0 || !strings.Contains(call, s.hostile) {
				continue
			}
			cases = append(cases, Template(fmt.Sprintf("%s of %s", f.Name, s.name), fmt.Sprintf("%s%s{{ $r := %s }}", s.setup, part, call)))
		}
		kept := shape{text: `"a b"`, number: `3`, data: `(dict "a" 1 "b" 2)`, other: `(list 1 "b" 3)`}
		cases = append(cases, Template(f.Name+" kept", fmt.Sprintf(
			`%s{{ $kept := dict }}{{ range 100000 }}{{ $_ := set $kept (print .) (%s) }}{{ end }}`, part, kept.call(f))))
	}
	return cases
}

// part is what include and template can find.
const part = `{{ define "part" }}{{ . }}{{ end }}`

// call writes a call of the function with arguments of the shape.
func (s shape) call(f template.Signature) string {
	n := len(f.Params)
	if f.Variadic {
		n += 2
	}
	b := strings.Builder{}
	b.WriteString(f.Name)
	for i := range n {
		b.WriteString(" " + s.argument(f, i))
	}
	return b.String()
}

func (s shape) argument(f template.Signature, i int) string {
	of := f.Params[min(i, len(f.Params)-1)]
	if f.Name == "include" && i == 0 {
		return `"part"`
	}
	switch of.Kind() {
	case reflect.String:
		return s.text
	case reflect.Bool:
		return "true"
	case reflect.Map:
		return s.data
	case reflect.Float64:
		return "0.5"
	case reflect.Int, reflect.Int32, reflect.Int64:
		return s.number
	case reflect.Uint32:
		return "1"
	}
	if of == reflect.TypeFor[time.Time]() {
		return "now"
	}
	return s.other
}
