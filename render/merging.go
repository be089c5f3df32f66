package render

import (
	"errors"
	"io"
	"io/fs"
	"os"

	"github.com/fairlead-dev/fairlead/internal/chartfile"
	"github.com/fairlead-dev/fairlead/internal/yamlread"
)

// merging reads the layers of values within one budget.
type merging struct {
	limits  Limits
	decoder yamlread.Decoder
	steps   int64
}

// mapEntryBytes is what an entry of a map or a list takes, kept by its layer and by
// the merged values.
const mapEntryBytes = 256

// fileCost is what a byte of a file takes while it is read and made a text.
const fileCost = 4

func newMerging(limits Limits) *merging {
	return &merging{limits: limits, decoder: limits.newDecoder()}
}

// read gives the layer's values, owned by the caller. It keeps the text of a
// file for the layer's origins.
func (m *merging) read(l *Layer) (map[string]any, error) {
	switch l.kind {
	case layerValues, layerMap:
		own, err := ownMap(l.content.get().m, func() error { return m.charge(mapEntryBytes) })
		if err != nil {
			err.File, err.Op = l.name, "values"
			return nil, err
		}
		if l.kind == layerValues { // which are not shared
			return own, nil
		}
		l.content = hide(layerContent{m: own})
		return copyMap(own), nil
	case layerFile:
		text, err := m.file(l.name)
		if l.optional && errors.Is(err, fs.ErrNotExist) {
			text, err = nil, nil
		}
		if err != nil {
			return nil, fileError(l.name, err)
		}
		l.content = hide(layerContent{text: text})
	}
	values, err := parseValues(m.decoder, l.content.get().text)
	if err != nil {
		err.File, err.Op = l.name, "values"
		return nil, err
	}
	return values, nil
}

// file reads a file, or what a shell substitutes for one, within the limits.
func (m *merging) file(name string) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, saturated(m.limits.FileBytes)))
	if err != nil {
		return nil, err
	}
	if int64(len(text)) > m.limits.FileBytes {
		return nil, &LimitError{Limit: "FileBytes", Max: m.limits.FileBytes}
	}
	return text, m.charge(fileCost * int64(len(text)))
}

func (m *merging) charge(bytes int64) error {
	if m.decoder.Account.Charge(bytes) != nil {
		return &LimitError{Limit: "MemoryBytes", Max: m.limits.MemoryBytes}
	}
	return nil
}

func fileError(name string, err error) error {
	e := &Error{Op: "values", File: name, Err: unwrapPath(err), Hint: "check its permissions"}
	var limit *LimitError
	switch {
	case errors.As(err, &limit):
		e.Hint = limitHint(limit.Limit)
	case errors.Is(err, fs.ErrNotExist):
		e.Hint = "check the path; it is relative to the working directory"
	}
	return e
}

// apply changes merged, which the caller owns, by a set expression.
func (m *merging) apply(l *Layer, merged map[string]any) error {
	expr := string(l.content.get().text)
	if err := m.allow(chartfile.CostOfSet(l.set, expr)); err != nil {
		return &Error{Op: "values", File: l.name, Err: err, Hint: limitHint(err.Limit)}
	}
	err := chartfile.ApplySet(l.set, expr, merged, m.file)
	if err == nil {
		return nil
	}
	hint := "write path=value, with commas between several and a backslash before a literal comma, dot or bracket in a key"
	var limit *LimitError
	switch {
	case errors.As(err, &limit):
		return &Error{Op: "values", File: l.name, Err: limit, Hint: limitHint(limit.Limit)}
	case l.set == chartfile.SetJSON:
		hint = `write path=JSON, strings in double quotes: a.b="text"`
	case l.set == chartfile.SetFile:
		hint = "write path=file, and check that the file can be read"
	case l.set == chartfile.SetLiteral:
		hint = "write path=text"
	}
	return &Error{Op: "values", File: l.name, Err: &setError{hideValues(err.Error(), expr), err}, Hint: hint}
}

// allow takes the cost of an expression before it is applied.
func (m *merging) allow(cost chartfile.SetCost) *LimitError {
	m.steps += cost.Steps
	switch {
	case cost.Depth > m.limits.DocumentDepth:
		return &LimitError{Limit: "DocumentDepth", Max: int64(m.limits.DocumentDepth), Subject: "the expression"}
	case m.steps > m.limits.Steps:
		return &LimitError{Limit: "Steps", Max: m.limits.Steps, Subject: "the expression"}
	case m.charge(cost.Memory) != nil:
		return &LimitError{Limit: "MemoryBytes", Max: m.limits.MemoryBytes, Subject: "the expression"}
	}
	return nil
}
