package chartfile

import "strings"

// SetPaths returns the paths that a values expression assigns to, in order and as
// they are written. The expression is one that ApplySet accepts; of another one
// they may be parts of values.
func SetPaths(kind SetKind, expr string) []string {
	var paths []string
	for expr != "" {
		end := pathEnd(expr)
		paths = append(paths, strings.TrimSpace(expr[:end]))
		if kind == SetLiteral || end == len(expr) {
			break
		}
		expr = expr[end+1:]
		expr = expr[valueEnd(kind, expr):]
	}
	return paths
}

// pathEnd is the index of the equals sign behind a path, or the length.
func pathEnd(expr string) int {
	for i := 0; i < len(expr); i++ {
		switch expr[i] {
		case '\\':
			i++
		case '=':
			return i
		}
	}
	return len(expr)
}

// valueEnd is the index behind a value and its comma.
func valueEnd(kind SetKind, expr string) int {
	nesting := jsonNesting{}
	list := kind != SetJSON && strings.HasPrefix(expr, "{")
	for i := 0; i < len(expr); i++ {
		char := expr[i]
		switch {
		case kind == SetJSON:
			if nesting.next(char); char == ',' && nesting.depth == 0 && !nesting.quoted {
				return i + 1
			}
		case char == '\\':
			i++
		case list && char == '}':
			list = false
		case !list && char == ',':
			return i + 1
		}
	}
	return len(expr)
}
