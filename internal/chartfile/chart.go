package chartfile

import (
	"errors"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"helm.sh/helm/v3/pkg/chart"

	"github.com/fairlead-dev/fairlead/internal/yamlread"
)

// File is a file of a chart, its name with forward slashes and relative to the
// chart.
type File struct {
	Name string
	Data []byte
}

// Error is what is wrong with a file of a chart.
type Error struct {
	Chart, File string // Chart is the path of the subchart, "" for the chart itself
	Line        int
	Hint        string
	Err         error
}

func (e *Error) Error() string { return e.File + ": " + e.Err.Error() }

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Err }

// Chart is a chart with its subcharts as they stand in its files. Immutable.
type Chart struct {
	root      *chart.Chart
	instances instances
	schemas   schemas
}

// ParseOptions says how to read packed subcharts and when to stop.
type ParseOptions struct {
	// Unpack reads a packed subchart, charts/NAME.tgz. It may keep count over
	// all calls.
	Unpack func(name string, data []byte) ([]File, error)
	// YAML decodes the files of the chart and of its subcharts.
	YAML yamlread.Decoder
	// Depth is how deep subcharts may nest before TooDeep is returned.
	Depth   int
	TooDeep func(name string) error
}

// Parse reads the files of a chart. Its errors are [*Error] or those of the
// options' functions.
func Parse(files []File, opts ParseOptions) (*Chart, error) {
	p := parser{opts: opts}
	root, err := p.chart(files, "", 0)
	if err != nil {
		return nil, err
	}
	return &Chart{root: root}, nil
}

type parser struct{ opts ParseOptions }

func (p *parser) chart(files []File, prefix string, depth int) (*chart.Chart, error) {
	if depth > p.opts.Depth {
		return nil, p.opts.TooDeep(prefix)
	}
	c := new(chart.Chart)
	if err := p.metadata(c, files, prefix); err != nil {
		return nil, err
	}
	var subcharts []File
	for _, f := range files {
		if err := p.file(c, f, prefix, &subcharts); err != nil {
			return nil, err
		}
	}
	if c.Metadata == nil {
		return nil, &Error{Chart: prefix, File: "Chart.yaml", Err: errors.New("the file is missing"), Hint: "a chart needs a Chart.yaml with apiVersion, name and version at its root; check that this is the chart's own folder"}
	}
	if err := c.Validate(); err != nil {
		return nil, &Error{Chart: prefix, File: "Chart.yaml", Err: trimValidation(err), Hint: metadataHint(err.Error())}
	}
	return c, p.subcharts(c, subcharts, prefix, depth)
}

// metadata reads Chart.yaml before the rest, because what other files mean
// depends on its apiVersion.
func (p *parser) metadata(c *chart.Chart, files []File, prefix string) error {
	for _, f := range files {
		if f.Name != "Chart.yaml" {
			continue
		}
		if c.Metadata == nil {
			c.Metadata = new(chart.Metadata)
		}
		if err := p.opts.YAML.Unmarshal(f.Data, c.Metadata); err != nil {
			return yamlError(prefix, f.Name, err)
		}
		if c.Metadata.APIVersion == "" {
			c.Metadata.APIVersion = chart.APIVersionV1
		}
	}
	return nil
}

func (p *parser) file(c *chart.Chart, f File, prefix string, subcharts *[]File) error {
	keep := &chart.File{Name: f.Name, Data: f.Data}
	switch {
	case f.Name == "Chart.yaml":
	case f.Name == "Chart.lock":
		c.Lock = new(chart.Lock)
		if err := p.opts.YAML.Unmarshal(f.Data, c.Lock); err != nil {
			return yamlError(prefix, f.Name, err)
		}
	case f.Name == "values.yaml":
		c.Raw = append(c.Raw, keep) // for the lines of values
		c.Values = map[string]any{}
		if err := p.opts.YAML.Unmarshal(f.Data, &c.Values); err != nil {
			return yamlError(prefix, f.Name, err)
		}
	case f.Name == "values.schema.json":
		c.Schema = f.Data
	case f.Name == "requirements.yaml" || f.Name == "requirements.lock":
		if c.Metadata == nil {
			c.Metadata = new(chart.Metadata)
		}
		into := any(c.Metadata)
		if f.Name == "requirements.lock" {
			c.Lock = new(chart.Lock)
			into = c.Lock
		}
		if err := p.opts.YAML.Unmarshal(f.Data, into); err != nil {
			return yamlError(prefix, f.Name, err)
		}
		if c.Metadata.APIVersion == chart.APIVersionV1 {
			c.Files = append(c.Files, keep)
		}
	case strings.HasPrefix(f.Name, "templates/"):
		c.Templates = append(c.Templates, keep)
	case strings.HasPrefix(f.Name, "charts/"):
		if path.Ext(f.Name) == ".prov" {
			c.Files = append(c.Files, keep)
			return nil
		}
		*subcharts = append(*subcharts, File{Name: strings.TrimPrefix(f.Name, "charts/"), Data: f.Data})
	default:
		c.Files = append(c.Files, keep)
	}
	return nil
}

// subcharts reads the charts below charts/, sorted by the names of their
// folders or archives, so that what does not name an order has one all the same.
func (p *parser) subcharts(c *chart.Chart, files []File, prefix string, depth int) error {
	byName := map[string][]File{}
	var names []string
	for _, f := range files {
		name, _, _ := strings.Cut(f.Name, "/")
		if strings.IndexAny(name, "_.") == 0 {
			continue
		}
		if byName[name] == nil {
			names = append(names, name)
		}
		byName[name] = append(byName[name], f)
	}
	slices.Sort(names)
	for _, name := range names {
		at := path.Join(prefix, "charts", name)
		var inside []File
		if path.Ext(name) == ".tgz" {
			packed := byName[name][0]
			if packed.Name != name {
				return &Error{Chart: prefix, File: "charts/" + packed.Name, Err: errors.New("a folder has the name of a packed chart"), Hint: "rename the folder so that it does not end in .tgz"}
			}
			unpacked, err := p.opts.Unpack(at, packed.Data)
			if err != nil {
				return err
			}
			inside = unpacked
		} else {
			for _, f := range byName[name] {
				if _, rest, ok := strings.Cut(f.Name, "/"); ok {
					inside = append(inside, File{Name: rest, Data: f.Data})
				}
			}
		}
		sub, err := p.chart(inside, at, depth+1)
		if err != nil {
			return err
		}
		c.AddDependency(sub)
	}
	return nil
}

var (
	yamlLine   = regexp.MustCompile(`line (\d+): ?`)
	yamlPrefix = regexp.MustCompile(`^(error converting YAML to JSON: )?(error unmarshaling JSON: )?(while decoding JSON: )?(yaml: )?(json: )?`)
	goField    = regexp.MustCompile(`cannot unmarshal (\S+) into Go (?:struct field \w+\.(\S+)|value) of type \S+`)
)

func yamlError(prefix, file string, err error) *Error {
	e := &Error{Chart: prefix, File: file, Hint: "correct the YAML of this file"}
	text := yamlPrefix.ReplaceAllString(err.Error(), "")
	if m := yamlLine.FindStringSubmatch(text); m != nil {
		e.Line, _ = strconv.Atoi(m[1])
		text = strings.Replace(text, m[0], "", 1)
		e.Hint = "correct the YAML of this line or the one before"
	}
	if m := goField.FindStringSubmatch(text); m != nil {
		if m[2] == "" {
			text = "the file must be a mapping, it is of type " + m[1]
			e.Hint = "write key: value at the top level"
		} else {
			text = fmt.Sprintf("%s is of type %s", m[2], m[1])
			e.Hint = "give " + m[2] + " the type that charts have there; put texts that look like numbers in quotes"
		}
	}
	e.Err = &cause{text, err}
	return e
}

// cause says an error's text in other words.
type cause struct {
	text string
	err  error
}

func (c *cause) Error() string { return c.text }
func (c *cause) Unwrap() error { return c.err }

func trimValidation(err error) error {
	return &cause{strings.TrimPrefix(err.Error(), "validation: "), err}
}

func metadataHint(text string) string {
	switch {
	case strings.Contains(text, "metadata.name"):
		return "write name: and the chart's name, without slashes, in Chart.yaml"
	case strings.Contains(text, "metadata.version"):
		return "write version: and a semantic version such as 1.2.3 in Chart.yaml"
	case strings.Contains(text, "metadata.type"):
		return "write type: application or type: library in Chart.yaml"
	case strings.Contains(text, "dependenc"):
		return "correct dependencies: in Chart.yaml; two uses of one chart need an alias each"
	}
	return "correct Chart.yaml"
}
