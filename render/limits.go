package render

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/fairlead-dev/fairlead/internal/chartfile"
	"github.com/fairlead-dev/fairlead/internal/yamlread"
)

// Limits bound what an untrusted chart may cost. A zero field means the
// default named on it, a negative one no limit; [Limits.WithDefaults] returns
// the values in effect. Exceeding one is a [*LimitError].
type Limits struct {
	// ArchiveBytes is the size of a packed chart. Default 20 MiB.
	ArchiveBytes int64
	// ChartBytes is the size of all files of a chart and of its subcharts,
	// unpacked, and of the templates of all enabled subcharts, those of one
	// under several aliases counted for each. Default 100 MiB.
	ChartBytes int64
	// FileBytes is the size of one file. Default 5 MiB.
	FileBytes int64
	// Entries is the number of files and folders, including those of packed
	// subcharts. Default 20,000.
	Entries int
	// Ratio is how many times larger than the archive its content may be, once
	// the content is larger than 1 MiB. Default 200.
	Ratio int
	// Depth is how deep charts may nest, and (separately) packed charts inside
	// packed charts. Default 16.
	Depth int
	// OutputBytes is the size of all rendered text of one render. Default 64 MiB.
	OutputBytes int64
	// TemplateDepth is how deep templates, include and tpl calls may nest; values
	// that functions walk through may nest a tenth as deep, but 1,000 levels.
	// Default 10,000. Helm's own bound of a name included 1,000 times inside of
	// itself applies as well.
	TemplateDepth int
	// MemoryBytes is what the results of template functions, the output and the
	// documents of one render may take together; what the YAML of a chart's files, of its output and of values
	// may take, with aliases expanded; what combining the values of the chart and its subcharts may
	// take; and what a compiled schema and its errors may take. Default 128 MiB.
	MemoryBytes int64
	// Documents is the number of YAML documents in one render, or in a folder of
	// plain manifests. Default 20,000.
	Documents int
	// DocumentDepth is how deep a YAML document may nest, with its aliases
	// expanded. Default 1,000.
	DocumentDepth int
	// ResultBytes is what one template function may return. Default 16 MiB.
	ResultBytes int64
	// Steps is how many actions the templates may run, costly functions counted
	// by their work, and how many steps processing dependencies and combining
	// values may take. Default 50 million.
	Steps int64
	// SchemaSteps is how many steps compiling the schemas of a chart and
	// validating the values against them may take, patterns counted by the
	// length of the text and the size of the pattern. Default 50 million.
	SchemaSteps int64
	// Keys is how many private keys, certificates and slow hashes one render
	// may make. Default 64.
	Keys int
	// Time is how long one render may take. Default 30 s.
	Time time.Duration
}

// limit returns what a field set to a value means.
func limit[T int | int64 | time.Duration](set, otherwise T) T {
	const none = 1 << 62 // leaves room for sums
	switch {
	case set == 0:
		return otherwise
	case set < 0:
		return T(none)
	}
	return set
}

// DefaultLimits returns the limits that zero [Limits] mean.
func DefaultLimits() Limits { return Limits{}.WithDefaults() }

// WithDefaults returns the limits in effect: zero fields replaced by their
// defaults, negative ones by a number that nothing reaches.
func (l Limits) WithDefaults() Limits {
	return Limits{
		ArchiveBytes:  limit(l.ArchiveBytes, 20<<20),
		ChartBytes:    limit(l.ChartBytes, 100<<20),
		FileBytes:     limit(l.FileBytes, 5<<20),
		Entries:       limit(l.Entries, 20_000),
		Ratio:         limit(l.Ratio, 200),
		Depth:         limit(l.Depth, 16),
		OutputBytes:   limit(l.OutputBytes, 64<<20),
		TemplateDepth: limit(l.TemplateDepth, 10_000),
		MemoryBytes:   limit(l.MemoryBytes, 128<<20),
		Documents:     limit(l.Documents, 20_000),
		DocumentDepth: limit(l.DocumentDepth, yamlread.DefaultDepth),
		ResultBytes:   limit(l.ResultBytes, 16<<20),
		Steps:         limit(l.Steps, 50_000_000),
		SchemaSteps:   limit(l.SchemaSteps, 50_000_000),
		Keys:          limit(l.Keys, 64),
		Time:          limit(l.Time, 30*time.Second),
	}
}

// meter counts the cost of using a chart, its memory on an account if there is
// one. All limits must be set.
func (l Limits) meter(ctx context.Context, spent yamlread.Account) *chartfile.Meter {
	return chartfile.NewMeter(ctx, chartfile.Limits{
		Steps: l.Steps, SchemaSteps: l.SchemaSteps, MemoryBytes: l.MemoryBytes, ChartBytes: l.ChartBytes,
	}, spent)
}

// reserve takes what the render may use of the budget.
func (in Input) reserve(ctx context.Context) (inside context.Context, release func(), err error) {
	bytes := in.Limits.MemoryBytes
	if len(in.PostRender) > 0 {
		bytes *= 2
	}
	return in.Share.Acquire(ctx, bytes)
}

// limitText writes the value of a limit with its unit.
func limitText(name string, value int64) string {
	switch {
	case value >= 1<<62:
		return "unlimited"
	case name == "Time", strings.HasSuffix(name, " time"):
		return time.Duration(value).String()
	case strings.HasSuffix(name, "Bytes"), strings.HasPrefix(name, "sandbox "), name == limitBudget:
		return bytesText(value)
	}
	units := map[string]string{
		"Entries": "files and folders", "Ratio": "times the archive", "Depth": "levels", "TemplateDepth": "levels", "DocumentDepth": "levels", "Documents": "documents",
		"Steps": "steps", "SchemaSteps": "steps", "Keys": "keys",
	}
	if unit, ok := units[name]; ok {
		return fmt.Sprintf("%d %s", value, unit)
	}
	return fmt.Sprint(value)
}

func bytesText(n int64) string {
	for _, unit := range []struct {
		name string
		size int64
	}{{"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}} {
		if n >= unit.size && n%unit.size == 0 {
			return fmt.Sprintf("%d %s", n/unit.size, unit.name)
		}
	}
	return fmt.Sprintf("%d bytes", n)
}
