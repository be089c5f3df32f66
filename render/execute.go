package render

import (
	"context"
	"errors"
	"sync"

	"github.com/fairlead-dev/fairlead/internal/account"
	"github.com/fairlead-dev/fairlead/internal/chartfile"
	"github.com/fairlead-dev/fairlead/internal/template"
)

// compiledSets keeps the compiled templates of a chart, for each set of enabled
// subcharts that has been rendered.
type compiledSets struct {
	mu    sync.Mutex
	byKey map[string]*compiledSet
}

type compiledSet struct {
	once sync.Once
	set  *template.Set
	err  error
}

// maxCompiledSets bounds how many sets a chart keeps. One with ten optional
// subcharts has a thousand, but no user renders them all.
const maxCompiledSets = 32

// of returns the compiled templates of an instance, which may take that many
// bytes of memory. That they took more is not kept: the next render may allow it.
func (s *compiledSets) of(instance *chartfile.Instance, memory int64) (*template.Set, error) {
	s.mu.Lock()
	known, ok := s.byKey[instance.Key()]
	if !ok {
		known = &compiledSet{}
		if s.byKey == nil || len(s.byKey) >= maxCompiledSets {
			s.byKey = map[string]*compiledSet{}
		}
		s.byKey[instance.Key()] = known
	}
	s.mu.Unlock()
	known.once.Do(func() {
		var sources []template.Source
		for _, source := range instance.Sources() {
			sources = append(sources, template.Source(source))
		}
		known.set, known.err = template.Compile(sources, template.Options{
			AsMap: chartfile.AsMap, MethodCost: chartfile.MethodCost, Memory: memory, Helm4: instance.As() == chartfile.Helm4,
		})
	})
	var limit *template.LimitError
	if errors.As(known.err, &limit) {
		s.mu.Lock()
		if s.byKey[instance.Key()] == known {
			delete(s.byKey, instance.Key())
		}
		s.mu.Unlock()
	}
	return known.set, known.err
}

// execute executes the templates, each after the other in Helm's order: what
// one does to the values, those after it see.
func (c *Chart) execute(ctx context.Context, spent *account.Account, instance *chartfile.Instance, data chartfile.Data, in Input) (map[string]string, error) {
	set, err := c.sets.of(instance, in.Limits.MemoryBytes)
	if err != nil {
		return nil, c.templateError(err, in.layers())
	}
	env := template.Env{Account: spent, Strict: in.Strict, Seed: in.Seed.template(ctx), Now: in.Now}
	if in.Lookup != nil {
		env.Lookup = func(apiVersion, kind, namespace, name string) (map[string]any, error) {
			return in.Lookup(ctx, apiVersion, kind, namespace, name)
		}
	}
	run := set.NewRun(ctx, env)
	files := make(map[string]string, len(set.Names()))
	for _, name := range set.Names() {
		text, err := run.Execute(name, data.Of(name))
		if err != nil {
			if cause := context.Cause(ctx); cause != nil && ctx.Err() != nil {
				err = errors.Join(err, cause)
			}
			return nil, c.templateError(err, in.layers())
		}
		files[name] = text
	}
	return files, nil
}

// account is what one render is charged to.
func (l Limits) account(ctx context.Context) *account.Account {
	return account.New(ctx, account.Limits{
		MemoryBytes: l.MemoryBytes, OutputBytes: l.OutputBytes, ResultBytes: l.ResultBytes,
		Steps: l.Steps, TemplateDepth: l.TemplateDepth, Keys: l.Keys,
	})
}
