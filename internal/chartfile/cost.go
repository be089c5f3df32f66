package chartfile

import (
	"bytes"
	"math/bits"
	"reflect"
	"strings"

	"helm.sh/helm/v3/pkg/chartutil"
)

// MethodCost returns what a method costs that templates may call on their data:
// memory in bytes, its result included, and steps of about 20 ns. ok is false for a
// method whose cost is not stated here; the caller must assume the worst.
func MethodCost(receiver any, method string, args []any) (memory, steps int64, ok bool) {
	switch r := receiver.(type) {
	case files:
		return r.cost(method, args)
	case *chartutil.Capabilities, chartutil.KubeVersion, *chartutil.KubeVersion:
		return 1 << 10, 10, method != "Copy"
	case chartutil.VersionSet:
		return 0, int64(len(r)), true
	case chartutil.Values:
		if method == "AsMap" || method == "PathValue" || method == "Table" {
			return 32 * int64(textLen(args)), int64(textLen(args)), true
		}
	}
	return 0, 0, false
}

func textLen(args []any) (n int) {
	for _, a := range args {
		if rv := reflect.ValueOf(a); rv.Kind() == reflect.String {
			n += rv.Len()
		}
	}
	return n
}

// fileEntry is what an entry of the map of files takes.
const fileEntry = 160

func (f files) cost(method string, args []any) (memory, steps int64, ok bool) {
	name := ""
	if len(args) > 0 {
		name, _ = args[0].(string)
	}
	switch method {
	case "GetBytes":
		return 0, 1, true
	case "Get":
		return int64(len(f[name])), int64(len(f[name])) / 64, true
	case "Lines":
		n := int64(bytes.Count(f[name], []byte("\n"))) + 1
		return int64(len(f[name])) + 16*n, int64(len(f[name])) / 32, true
	case "Glob":
		return fileEntry * int64(len(f)), f.globSteps(name), true
	case "AsConfig", "AsSecrets":
		for name, data := range f {
			memory += int64(len(name)) + 1024 + flatBytes(method, data)*int64(len(data))
		}
		return memory, memory / 8, true
	}
	return 0, 0, false
}

// flatBytes is what a byte of a file takes on its way into YAML, which leads
// through JSON: more if it must be escaped.
func flatBytes(method string, data []byte) int64 {
	if method == "AsSecrets" {
		return 16 // base64
	}
	for _, c := range data {
		if c != '\n' && (c < ' ' || c >= 0x7f) {
			return 40
		}
	}
	return 14
}

// globSteps bounds the matching of a pattern: each wildcard may be tried at each
// character, and they are tried by halves.
func (f files) globSteps(pattern string) (steps int64) {
	wildcards := strings.Count(pattern, "*") + strings.Count(pattern, "{") + strings.Count(pattern, ",") + strings.Count(pattern, "[")
	power := 1
	if wildcards > 1 {
		power += bits.Len(uint(wildcards - 1))
	}
	n := int64(len(pattern))
	steps = n * n / 8
	for name := range f {
		each := int64(1)
		for range power {
			each = min(each*int64(len(name)+1), 1<<40)
		}
		steps = min(steps+each/16+1, 1<<40)
	}
	return steps
}
