package template

import (
	"maps"
	"reflect"
	"sync"
	texttemplate "text/template"
	"time"

	"github.com/Masterminds/sprig/v3"
)

// functions is all that templates may call, by name. It is made once and never
// changed. A function whose cost is not stated is left out.
var functions = sync.OnceValue(func() map[string]*function {
	table := make(map[string]*function)
	for _, f := range builtins() {
		table[f.name] = f
	}
	for name, fn := range goFunctions() {
		table[name] = newFunction(name, reflect.TypeOf(fn), adapt(fn))
	}
	for name, fn := range helm4Functions() {
		table[name] = newFunction(name, reflect.TypeOf(fn), adapt(fn))
		table[name].helm4 = true
	}
	for _, replacing := range []map[string]impl{lateFunctions(), ownFunctions(), equalFunctions(table), regexFunctions(table), clockFunctions(table)} {
		for name, call := range replacing {
			table[name].call = call
		}
	}
	seeded := seededFunctions(table)
	for _, name := range slowFunctions {
		table[name].call = slow(table[name].call)
	}
	for name, call := range seeded {
		table[name].call = orSeeded(name, table[name].call, call)
	}
	for _, name := range sharing {
		table[name].shares = true
	}
	stated := costs()
	for name, f := range table {
		cost, ok := stated[name]
		if !ok {
			delete(table, name)
			continue
		}
		f.cost = cost
	}
	return table
})

// helm3 is functions without those that Helm 4 alone has.
var helm3 = sync.OnceValue(func() map[string]*function {
	table := maps.Clone(functions())
	maps.DeleteFunc(table, func(_ string, f *function) bool { return f.helm4 })
	return table
})

func newFunction(name string, t reflect.Type, call impl) *function {
	f := &function{name: name, variadic: t.IsVariadic(), call: call}
	for i := range t.NumIn() {
		f.params = append(f.params, paramOf(paramType(t, i)))
	}
	return f
}

// goFunctions is sprig's functions without those that read the environment or
// ask name servers, and Helm's own.
func goFunctions() texttemplate.FuncMap {
	table := sprig.TxtFuncMap()
	delete(table, "env")
	delete(table, "expandenv")
	own := texttemplate.FuncMap{
		"toYaml":        toYAML,
		"toYamlPretty":  toYAMLPretty,
		"fromYaml":      func(string) map[string]any { return nil }, // see lateFunctions
		"fromYamlArray": func(string) []any { return nil },
		"toToml":        toTOML,
		"fromToml":      fromTOML,
		"toJson":        toJSON,
		"fromJson":      fromJSON,
		"fromJsonArray": fromJSONArray,
		"getHostByName": func(string) string { return "" },
		// These depend on the run: see lateFunctions, includeExpr and tplExpr.
		"include":  func(string, any) (string, error) { return "", nil },
		"tpl":      func(string, any) (string, error) { return "", nil },
		"required": required,
		"fail":     func(msg string) (string, error) { return "", warn(msg) },
		"lookup":   func(_, _, _, _ string) (map[string]any, error) { return nil, nil },
		"now":      time.Now,
	}
	for name, fn := range own {
		table[name] = fn
	}
	return table
}

// lookupSteps is what a request to the cluster counts as.
const lookupSteps = 1000

func required(msg string, v any) (any, error) {
	if v == nil || v == "" {
		return v, warn(msg)
	}
	return v, nil
}

// lateFunctions are the functions that depend on the run.
func lateFunctions() map[string]impl {
	return map[string]impl{
		"now": func(r *Run, _ []value) (value, error) { return concrete(r.now()), nil },
		"toYaml": func(r *Run, a []value) (v value, err error) {
			defer protect(&err)
			r.function = "toYaml"
			return concrete(r.yaml(a[0].any())), nil
		},
		"mustToYaml": func(r *Run, a []value) (v value, err error) {
			defer protect(&err)
			r.function = "mustToYaml"
			text := r.yaml(a[0].any())
			if text == "" { // nothing encodes to it
				return value{}, errNotYAML
			}
			return concrete(text), nil
		},
		"fromYaml": func(r *Run, a []value) (v value, err error) {
			defer protect(&err)
			return concrete(fromYAML(r, textOf(a[0]))), nil
		},
		"fromYamlArray": func(r *Run, a []value) (v value, err error) {
			defer protect(&err)
			return concrete(fromYAMLArray(r, textOf(a[0]))), nil
		},
		"lookup": func(r *Run, a []value) (v value, err error) {
			if r.lookup == nil {
				return concrete(map[string]any{}), nil
			}
			defer protect(&err)
			r.function = "lookup"
			r.work(lookupSteps)
			found, err := r.lookup(take[string](a[0]), take[string](a[1]), take[string](a[2]), take[string](a[3]))
			r.charge(r.taken(&copied, []value{of(found)}).bytes)
			return concrete(found), err
		},
		"required": func(_ *Run, a []value) (value, error) {
			v := a[1].any()
			if s, ok := v.(string); v == nil || ok && s == "" {
				return value{}, warn(take[string](a[0]))
			}
			return of(v), nil
		},
	}
}
