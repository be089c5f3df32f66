package chartfile

import (
	"errors"
	"regexp"
	"regexp/syntax"

	"github.com/santhosh-tekuri/jsonschema/v6"

	patterns "github.com/fairlead-dev/fairlead/internal/pattern"
)

// maxPattern is how long a pattern may be: a class such as \pL takes more than a
// thousand times its length already when it is parsed.
const maxPattern = 32 << 10

// compilePattern compiles a pattern after its size, repetitions written out, is
// charged.
func (c *compiledSchema) compilePattern(text string) (jsonschema.Regexp, error) {
	if c.meter.err != nil {
		return nil, c.meter.err
	}
	if len(text) > maxPattern {
		return nil, errors.New("the pattern is too long")
	}
	parsed, err := syntax.Parse(text, syntax.Perl)
	if err != nil {
		return nil, err
	}
	size := patterns.Size(parsed)
	if !c.meter.schemaStep(size) || !c.meter.schemaTake(size*patterns.InstructionBytes) {
		return nil, c.meter.err
	}
	compiled, err := regexp.Compile(text)
	if err != nil {
		return nil, err
	}
	return &pattern{Regexp: compiled, size: size, of: c}, nil
}

// pattern charges the time that matching may take before it does.
type pattern struct {
	*regexp.Regexp
	size int64
	of   *compiledSchema
}

// MatchString reports whether the text has a match.
func (p *pattern) MatchString(text string) bool {
	if !p.of.meter.schemaStep(1 + int64(len(text)+1)*p.size/4) {
		panic(stopped{})
	}
	return p.Regexp.MatchString(text)
}
