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
	// TemplateDepth is how deep include and template calls may nest. Default
	// 1,000, which is Helm's.
	TemplateDepth int
	// Time is how long one render may take. Default 30 s.
	Time time.Duration
}

func limit[T int | int64 | time.Duration](set, otherwise T) T {
	const none = 1<<63 - 1
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
		TemplateDepth: limit(l.TemplateDepth, 1000),
		Time:          limit(l.Time, 30*time.Second),
	}
}
