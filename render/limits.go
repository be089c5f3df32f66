package render

import "time"

// Limits bound what a chart, which is not trusted, can cost. The zero value gives the defaults said at each field; a
// negative number lifts that limit. A breach gives a *LimitError.
type Limits struct {
	ArchiveBytes     int64         // packed bytes read from an archive; 32 MiB
	ChartBytes       int64         // unpacked bytes of all files, those of packed subcharts included; 100 MiB, as Helm
	FileBytes        int64         // bytes of one file; 5 MiB, as Helm
	Entries          int           // files of a chart, those of packed subcharts included; 10,000
	CompressionRatio int           // unpacked to packed bytes, counted from the first MiB on; 200
	ChartDepth       int           // charts within charts; 32
	YAMLNodes        int           // nodes of one YAML document after its aliases are followed; 1,000,000
	OutputBytes      int64         // rendered bytes of all files together; 64 MiB
	RenderTime       time.Duration // of one rendering, post-renderers apart; 30 s
}

func (l Limits) withDefaults() Limits {
	setDefault(&l.ArchiveBytes, 32<<20)
	setDefault(&l.ChartBytes, 100<<20)
	setDefault(&l.FileBytes, 5<<20)
	setDefault(&l.Entries, 10_000)
	setDefault(&l.CompressionRatio, 200)
	setDefault(&l.ChartDepth, 32)
	setDefault(&l.YAMLNodes, 1_000_000)
	setDefault(&l.OutputBytes, 64<<20)
	setDefault(&l.RenderTime, 30*time.Second)
	return l
}

func setDefault[T int | int64 | time.Duration](field *T, value T) {
	if *field == 0 {
		*field = value
	}
}

// over says whether n is past max, where a negative max never is.
func over[T int | int64 | time.Duration](n, max T) bool { return max >= 0 && n > max }
