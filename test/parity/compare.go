package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"
	"time"

	"github.com/google/go-cmp/cmp"
	"helm.sh/helm/v3/pkg/chartutil"

	"github.com/fairlead-dev/fairlead/internal/oracle"
	"github.com/fairlead-dev/fairlead/internal/template"
	"github.com/fairlead-dev/fairlead/render"
)

// verdict is the comparison of one render by both.
type verdict int

const (
	same       verdict = iota
	bothFail           // with the same text if a template failed
	bothRefuse         // each with its own text: charts that cannot be loaded, values, schemas, invalid output
	stricter           // only Helm accepts it
	mismatch
)

// result is one chart rendered with one set of values.
type result struct {
	verdict verdict
	text    string // what differs, or why it failed
	// random and timed report whether templates use functions that are random or
	// read the clock; byShape whether the output differed between two renders
	// even with a seed, so that only shapes were compared.
	random, timed, byShape bool
	// The time of helm template, with loading; then of loading and the first
	// render, and of a second one. Zero if one of them failed.
	helm, first, again time.Duration
	// The engines alone, without loading.
	helmEngine time.Duration
}

const seeds = 7

// outcome is the result of a render by one of them.
type outcome struct {
	files   map[string]string
	printed string
	notes   string
	err     error
}

var release = oracle.Options{Name: "parity", Namespace: "parity-ns", Revision: 1}

// compare renders a chart by both, with the values of a file, or none for "".
func compare(ctx context.Context, s *subject, valuesFile string) result {
	var r result
	values := map[string]any{}
	var layers []render.Layer
	if valuesFile != "" {
		v, err := chartutil.ReadValuesFile(valuesFile)
		if err != nil {
			_, own := render.MergeValues(render.FromFile(valuesFile))
			return refused(own, err)
		}
		values = v.AsMap()
		layers = append(layers, render.FromFile(valuesFile))
	}
	helm := r.renderHelm(s, values)
	own := r.renderOwn(ctx, s, layers)
	r.random, r.timed = s.chance()
	r.judge(s, values, helm, own)
	if r.verdict != same {
		r.helm, r.first, r.again, r.helmEngine = 0, 0, 0, 0
	}
	return r
}

func (r *result) renderHelm(s *subject, values map[string]any) outcome {
	var o outcome
	begin := time.Now()
	c, err := s.loadHelm()
	loading := time.Since(begin)
	if err != nil {
		return outcome{err: &refusal{err}}
	}
	restore := oracle.Seed(seeds)
	begin = time.Now()
	o.files, o.err = oracle.Files(c, chartutil.Values(values), release)
	r.helmEngine = time.Since(begin)
	restore()
	if c, err = s.loadHelm(); err != nil {
		return outcome{err: &refusal{err}}
	}
	defer oracle.Seed(seeds)()
	begin = time.Now()
	printed, err := oracle.Template(c, chartutil.Values(values), release)
	r.helm = loading + time.Since(begin)
	if err != nil {
		if o.err == nil {
			o.err = &refusal{err}
		}
		return o
	}
	o.printed, o.notes = oracle.Printed(printed), printed.Info.Notes
	return o
}

// refusal is an error that is not from a template.
type refusal struct{ error }

func (e *refusal) Unwrap() error { return e.error }

func (r *result) renderOwn(ctx context.Context, s *subject, layers []render.Layer) outcome {
	begin := time.Now()
	c, err := s.load()
	if err != nil {
		return outcome{err: err}
	}
	values, err := render.MergeValues(layers...)
	if err != nil {
		return outcome{err: err}
	}
	in := render.Input{Name: release.Name, Namespace: release.Namespace, Values: values}
	defer oracle.Seed(seeds)()
	first, err := c.Render(ctx, in)
	r.first = time.Since(begin)
	if err != nil {
		return outcome{err: err}
	}
	oracle.Seed(seeds)
	begin = time.Now()
	m, err := c.Render(ctx, in)
	r.again = time.Since(begin)
	if err != nil {
		return outcome{err: fmt.Errorf("the second render failed: %w", err)}
	}
	var b bytes.Buffer
	if err := m.WriteYAML(&b); err != nil {
		return outcome{err: err}
	}
	if !maps.Equal(m.Files, first.Files) && !maps.Equal(shapes(m.Files), shapes(first.Files)) {
		return outcome{err: errors.New("the second render differs from the first")}
	}
	return outcome{files: m.Files, printed: b.String(), notes: m.Notes}
}

func refused(own, helm error) result {
	if own == nil {
		return result{verdict: mismatch, text: fmt.Sprintf("only Helm fails: %v", helm)}
	}
	return result{verdict: bothRefuse, text: fmt.Sprintf("%v\nHelm: %v", own, helm)}
}

func (r *result) judge(s *subject, values map[string]any, helm, own outcome) {
	var fromTemplate *template.Error
	var notHelms *refusal
	switch {
	case helm.err == nil && own.err != nil:
		r.verdict, r.text = mismatch, fmt.Sprintf("Helm renders it, but: %v", own.err)
		if deliberate(own.err) {
			r.verdict = stricter
		}
		return
	case helm.err != nil && own.err == nil:
		r.verdict, r.text = mismatch, fmt.Sprintf("only Helm fails: %v", helm.err)
		return
	case helm.err != nil && (errors.As(helm.err, &notHelms) || !errors.As(own.err, &fromTemplate)):
		*r = refused(own.err, helm.err)
		return
	case helm.err != nil:
		r.verdict, r.text = bothFail, fromTemplate.Error()
		if r.text != helm.err.Error() {
			r.verdict = mismatch
			r.text = "the texts of the error differ (-helm +render):\n" + cmp.Diff(helm.err.Error(), fromTemplate.Error())
		}
		return
	}
	diff := compareOutcomes(helm, own)
	if diff == "" {
		return
	}
	// Keys, certificates, the order of maps and the clock differ every time.
	if r.random || r.timed || !s.repeats(values) {
		if diff = compareOutcomes(shaped(helm), shaped(own)); diff == "" {
			r.byShape = true
			return
		}
	}
	r.verdict, r.text = mismatch, diff
}

func compareOutcomes(helm, own outcome) string {
	if diff := cmp.Diff(helm.files, own.files); diff != "" {
		return "files differ (-helm +render):\n" + diff
	}
	if diff := cmp.Diff(helm.printed, own.printed); diff != "" {
		return "the output differs (-helm +render):\n" + diff
	}
	return cmp.Diff(helm.notes, own.notes)
}

func shaped(o outcome) outcome {
	return outcome{files: shapes(o.files), printed: oracle.Outline(o.printed), notes: oracle.Outline(o.notes)}
}

func shapes(files map[string]string) map[string]string {
	out := make(map[string]string, len(files))
	for name, text := range files {
		out[name] = oracle.Outline(text)
	}
	return out
}

// deliberate reports whether an error is intended although Helm has none.
func deliberate(err error) bool {
	var duplicate *render.DuplicateError
	var limit *render.LimitError
	if errors.As(err, &duplicate) || errors.As(err, &limit) {
		return true
	}
	var e *render.Error
	return errors.As(err, &e) && e.Op == "parse"
}

// chance reports whether a chart uses functions whose result varies.
func (s *subject) chance() (random, timed bool) {
	c, err := s.load()
	if err != nil {
		return false, false
	}
	for _, f := range c.Info().Files {
		if strings.Contains(f.Name, "templates/") {
			r, t := oracle.Chance(string(f.Data))
			random, timed = random || r, timed || t
		}
	}
	return random, timed
}

// repeats reports whether Helm renders the chart to the same bytes again.
func (s *subject) repeats(values map[string]any) bool {
	var before map[string]string
	for i := range 3 {
		c, err := s.loadHelm()
		if err != nil {
			return true
		}
		restore := oracle.Seed(seeds)
		files, err := oracle.Files(c, values, release)
		restore()
		if err != nil || i > 0 && !maps.Equal(files, before) {
			return err != nil
		}
		before = files
	}
	return true
}
