package template

import (
	"strings"
)

// allShort reports arguments that are short whatever is printed of them, so that
// their price need not be found: the common case.
func allShort(a []value) bool {
	n := 0
	for i := range a {
		switch t := a[i].v.(type) {
		case nil, bool, int, int64, float64:
		case string:
			n += len(t)
		default:
			return false
		}
	}
	return n <= 4096 && len(a) <= 64
}

// shows is the cost of a function that writes its arguments out in a form.
func shows(f *form) cost {
	return func(r *Run, a []value) price {
		if allShort(a) {
			return price{}
		}
		e := r.written(f, a)
		bytes := e.bytes + 4*int64(len(a))
		return price{result: bytes, scratch: 2 * bytes, work: bytes / 32}
	}
}

// encodes is the cost of an encoder, which takes scratch for each byte and node.
func encodes(f *form, eachByte, eachNode int64) cost {
	return func(r *Run, a []value) price {
		if allShort(a) {
			return price{}
		}
		e := r.written(f, a)
		return price{result: e.bytes, scratch: eachByte*e.bytes + eachNode*e.nodes, work: e.nodes*4 + e.bytes/16}
	}
}

func writtenCosts() map[string]cost {
	return map[string]cost{
		"print": shows(&shown), "println": shows(&shown), "cat": shows(&shown), "squote": shows(&shown), "toString": shows(&shown),
		"quote": shows(&quoted), "html": shows(&htmlForm), "js": shows(&jsForm), "urlquery": shows(&urlForm),
		"printf": formats,
		"toJson": encodes(&jsonForm, 3, 96), "mustToJson": encodes(&jsonForm, 3, 96),
		"toRawJson": encodes(&jsonForm, 3, 96), "mustToRawJson": encodes(&jsonForm, 3, 96),
		"toPrettyJson": encodes(&prettyForm, 4, 96), "mustToPrettyJson": encodes(&prettyForm, 4, 96),
		"toYamlPretty": encodes(&yamlForm, 7, 1200),
		"toToml":       encodes(&tomlForm, 4, 256),
	}
}

// formats is the cost of printf: of each verb with its argument, which may be
// named many times.
func formats(r *Run, a []value) price {
	format := textOf(a[0])
	if len(format) <= 256 && allShort(a) && !strings.ContainsAny(format, "[*123456789") {
		return price{}
	}
	p := formatting{run: r, args: a[1:], bytes: int64(len(format))}
	for i := 0; i < len(format); i++ {
		if format[i] == '%' {
			i = p.verb(format, i+1)
		}
	}
	if p.next < len(p.args) && !p.indexed {
		e := r.written(&shown, p.args[p.next:])
		p.add(e.bytes + 64*int64(len(p.args)-p.next))
	}
	return price{result: p.bytes, scratch: 2 * p.bytes, work: int64(len(format)) + p.bytes/32}
}

// formatting adds up what a format prints.
type formatting struct {
	run     *Run
	args    []value
	next    int  // argument
	indexed bool // arguments are named by number
	bytes   int64
}

func (p *formatting) add(n int64) {
	p.bytes += n
	if p.bytes > p.run.limits.ResultBytes {
		p.run.breach("ResultBytes", p.run.limits.ResultBytes)
	}
}

// widest is the largest width and precision that fmt obeys.
const widest = 1_000_000

// verb adds what the verb prints whose flags begin at i, and returns where it
// ends.
func (p *formatting) verb(format string, i int) int {
	width, number, alternate := int64(0), int64(0), false
	for ; i < len(format); i++ {
		switch c := format[i]; {
		case c >= '0' && c <= '9':
			number = min(10*number+int64(c-'0'), widest)
		case c == '.':
			width, number = width+number, 0
		case c == '*':
			width += widest
			p.next++
		case c == '[':
			end := strings.IndexByte(format[i:], ']')
			if end < 0 {
				continue
			}
			p.index(format[i+1 : i+end])
			i += end
		case c == '+' || c == '#' || c == ' ':
			alternate = true
		case c == '-':
		default:
			p.print(c, width+number, alternate)
			return i
		}
	}
	p.add(32)
	return i
}

// index moves to the argument of that number.
func (p *formatting) index(number string) {
	p.indexed = true
	n := 0
	for i := range len(number) {
		if n = 10*n + int(number[i]-'0'); number[i] < '0' || number[i] > '9' || n > len(p.args) {
			return
		}
	}
	if n > 0 {
		p.next = n - 1
	}
}

var (
	hexForm   = form{text: func(s string) int64 { return 5*int64(len(s)) + 2 }, scalar: 80, entry: 4, nest: 16}
	asciiForm = form{text: func(s string) int64 { return 4*int64(len(s)) + 2 }, scalar: 80, entry: 16, nest: 64}
	badForm   = form{text: func(s string) int64 { return int64(len(s)) + 64 }, scalar: 400, entry: 4, nest: 32}
)

func (p *formatting) print(verb byte, width int64, alternate bool) {
	if verb == '%' {
		return
	}
	if p.next >= len(p.args) {
		p.add(32 + width)
		return
	}
	f := &badForm
	switch {
	case verb == 'v' && !alternate, verb == 's' && !alternate:
		f = &shown
	case verb == 'v', verb == 's', verb == 'q':
		f = &asciiForm
	case verb == 'x', verb == 'X':
		f = &hexForm
	case verb == 'T', verb == 'p':
		p.next++
		p.add(128 + width)
		return
	}
	e := p.run.written(f, p.args[p.next:p.next+1])
	p.next++
	p.add(e.bytes)
	p.add(times(e.nodes, width))
}
