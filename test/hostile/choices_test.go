//go:build linux

package hostile

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/fairlead-dev/fairlead/render"
)

// choices makes inputs out of bytes: each byte is a choice.
type choices struct{ data []byte }

func (c *choices) pick(n int) int {
	if len(c.data) == 0 {
		return 0
	}
	b := int(c.data[0])
	c.data = c.data[1:]
	return b % n
}

func (c *choices) one(of ...string) string { return of[c.pick(len(of))] }

// count is small mostly, and sometimes large.
func (c *choices) count() int {
	return []int{1, 2, 3, 1, 2, 10, 30, 100, 300, 1000}[c.pick(10)]
}

// many writes up to so many parts.
func (c *choices) many(most int, separator string, part func() string) string {
	var parts []string
	for range c.pick(most) + 1 {
		parts = append(parts, part())
	}
	return strings.Join(parts, separator)
}

// times repeats a format with the numbers from 0, up to a thousand times.
func (c *choices) times(format string) string {
	return numbered(format, c.count())()
}

// fuzzLimits are small, so that an input is refused or done in a moment.
var fuzzLimits = render.Limits{MemoryBytes: 24 << 20, OutputBytes: 4 << 20, ResultBytes: 2 << 20, Steps: 4_000_000, SchemaSteps: 4_000_000, Time: 30 * time.Second}

// fuzzTime is far more than so many steps take.
const fuzzTime = 8 * time.Second

// within fails for an error without a type, and for what took much longer than
// the limits are meant to allow, in processor time.
func within(t *testing.T, input fmt.Stringer, run func() error) {
	t.Helper()
	begin := processorTime()
	err := run()
	if took := processorTime() - begin; took > fuzzTime {
		t.Fatalf("took %s (%v): %s", took, err, input)
	}
	if err != nil && !typed(err) {
		t.Fatalf("%T: %v: %s", err, err, input)
	}
}

// chartFiles prints itself only when it is needed.
type chartFiles map[string]string

func (f chartFiles) String() string {
	var b strings.Builder
	for name, text := range f {
		fmt.Fprintf(&b, "\n-- %s --\n%s", name, shorten(text))
	}
	return b.String()
}
