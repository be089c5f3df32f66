//go:build linux

package hostile

import (
	"fmt"
	"strings"
	"testing"

	"github.com/fairlead-dev/fairlead/internal/template"
)

// FuzzFunctions calls functions with what other functions made of hostile
// values. Run it with a limited address space:
//
//	sh -c 'ulimit -v 2000000; MALLOC_ARENA_MAX=1 GOMEMLIMIT=400MiB go test -fuzz FuzzFunctions -parallel 1 ./test/hostile'
func FuzzFunctions(f *testing.F) {
	signatures := template.Signatures()
	for i := range 4 {
		f.Add([]byte{byte(i), byte(i >> 8), byte(3 * i), byte(7 * i), byte(11 * i), byte(i), byte(2 * i), byte(5 * i), byte(13 * i)})
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		text := program(signatures, data)
		err := RenderChart(t.Context(), map[string]string{"templates/x.yaml": text})
		if err != nil && !typed(err) {
			t.Fatalf("%T: %v, of %s", err, err, text)
		}
	})
}

// program makes a template of bytes: a few calls, each of which may be given
// what those before returned.
func program(signatures []template.Signature, data []byte) string {
	next := func(n int) int {
		if len(data) == 0 {
			return 0
		}
		c := int(data[0])
		data = data[1:]
		return c % n
	}
	first := shapes[next(len(shapes))]
	b := strings.Builder{}
	b.WriteString(first.setup + part)
	for i := range 1 + next(4) {
		f := signatures[(next(256)+256*next(256))%len(signatures)]
		n := len(f.Params)
		if f.Variadic {
			n += next(3)
		}
		call := f.Name
		for j := range n {
			switch {
			case i > 0 && next(2) == 0:
				call += fmt.Sprintf(" $v%d", next(i))
			default:
				call += " " + first.argument(f, j)
			}
		}
		fmt.Fprintf(&b, "{{ $v%d := %s }}", i, call)
	}
	return b.String()
}
