package template

import (
	"maps"
	"reflect"
	"slices"
)

// Signature is a function that templates may call.
type Signature struct {
	Name     string
	Params   []reflect.Type // reflect.Value stands for anything
	Variadic bool           // the last parameter takes any number of arguments
}

// Signatures lists the functions by name.
func Signatures() []Signature {
	table := functions()
	list := make([]Signature, 0, len(table))
	for _, name := range slices.Sorted(maps.Keys(table)) {
		f := table[name]
		s := Signature{Name: name, Variadic: f.variadic}
		for _, p := range f.params {
			s.Params = append(s.Params, p.typ)
		}
		list = append(list, s)
	}
	return list
}
