package render

import "time"

// Limits bound what an untrusted chart may cost. A zero field means the
// default named on it; a negative one means no limit. Every breach is a
// [*LimitError].
type Limits struct {
	// ArchiveBytes is the size of a packed chart. Default 20 MiB.
	ArchiveBytes int64
	// ChartBytes is the size of all files of a chart and of its subcharts,
	// unpacked. Default 100 MiB.
	ChartBytes int64
	// FileBytes is the size of one file. Default 5 MiB.
	FileBytes int64
	// Entries is the number of files and folders, those of packed subcharts
	// included. Default 20,000.
	Entries int
	// Ratio is how many times larger than the archive its content may be, once
	// that is past a mebibyte. Default 200.
	Ratio int
	// Depth is how deep charts may nest, and (at the same number) packed charts
	// inside packed charts. Default 16.
	Depth int
	// OutputBytes is the size of all rendered text of one render. Default 64 MiB.
	OutputBytes int64
	// TemplateDepth is how deep templates, include and tpl calls may nest.
	// Default 10,000. Helm's own bound of a name included 1,000 times inside of
	// itself holds besides.
	TemplateDepth int
	// MemoryBytes is what the larger results of template functions may take
	// together. Default 128 MiB.
	MemoryBytes int64
	// ResultBytes is what one template function may return. Default 16 MiB.
	ResultBytes int64
	// Steps is how many actions the templates may run, costly functions counted
	// by their work. Default 50 million.
	Steps int64
	// Keys is how many private keys, certificates and slow hashes one render
	// may make. Default 64.
	Keys int
	// Time is how long one render may take. Default 30 s.
	Time time.Duration
}

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

func (l Limits) withDefaults() Limits {
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
		ResultBytes:   limit(l.ResultBytes, 16<<20),
		Steps:         limit(l.Steps, 50_000_000),
		Keys:          limit(l.Keys, 64),
		Time:          limit(l.Time, 30*time.Second),
	}
}
