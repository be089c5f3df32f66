package template

import (
	"reflect"
	"sync"
	texttemplate "text/template"
	"time"

	"github.com/Masterminds/sprig/v3"
)

// functions is all that templates may call, by name. It is made once and never
// changed.
var functions = sync.OnceValue(func() map[string]*function {
	table := make(map[string]*function)
	for _, f := range builtins() {
		table[f.name] = f
	}
	for name, fn := range goFunctions() {
		table[name] = newFunction(name, reflect.TypeOf(fn), adapt(fn))
	}
	for name, call := range lateFunctions() {
		table[name].call = call
	}
	for name, look := range guards() {
		if f := table[name]; f != nil {
			call := f.call
			f.call = func(r *Run, a []value) (value, error) {
				look(r, a)
				return call(r, a)
			}
		}
	}
	for _, name := range slowFunctions {
		table[name].call = slow(name, table[name].call)
	}
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
		"fromYaml":      fromYAML,
		"fromYamlArray": fromYAMLArray,
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

func required(msg string, v any) (any, error) {
	if v == nil || v == "" {
		return v, warn(msg)
	}
	return v, nil
}

// lateFunctions are the functions that answer to the run.
func lateFunctions() map[string]impl {
	return map[string]impl{
		"now": func(r *Run, _ []value) (value, error) { return concrete(r.now()), nil },
		"toYaml": func(r *Run, a []value) (v value, err error) {
			defer protect(&err)
			return concrete(r.yaml(a[0].any())), nil
		},
		"lookup": func(r *Run, a []value) (v value, err error) {
			if r.lookup == nil {
				return concrete(map[string]any{}), nil
			}
			defer protect(&err)
			found, err := r.lookup(take[string](a[0]), take[string](a[1]), take[string](a[2]), take[string](a[3]))
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
