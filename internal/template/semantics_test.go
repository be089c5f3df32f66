package template

import (
	"encoding/base64"
	"errors"
	"fmt"
	"iter"
	"strings"
	"testing"
	"time"
)

func b64(data []byte) string { return base64.StdEncoding.EncodeToString(data) }

type inner struct {
	Name   string
	hidden int
	Fn     func(int) int
}

func (i *inner) Pointer() string             { return "ptr " + i.Name }
func (i inner) Value(n int, s string) string { return fmt.Sprint(i.Name, n, s) }
func (i inner) Fails() (string, error)       { return "x", errors.New("it fails") }
func (i inner) Panics() string               { panic("it panics") }
func (i inner) Many(s string, n ...int) int  { return len(s) + len(n) }
func (i inner) Two() (int, int)              { return 1, 2 }
func (i inner) String() string               { return "inner " + i.Name }

type outer struct {
	inner
	In    inner
	Ptr   *inner
	Nil   *inner
	Iface fmt.Stringer
	NilIf fmt.Stringer
	Err   error
	M     map[string]int
	Arr   [3]int
	Any   any
	Names namedMap
}

type namedMap map[string]any

func (n namedMap) Size() int { return len(n) }

type namedString string

func (n namedString) Shout() string { return strings.ToUpper(string(n)) }

// sampleValues has a value of every shape.
func sampleValues() map[string]any {
	ch := make(chan int, 3)
	ch <- 7
	ch <- 8
	close(ch)
	in := inner{Name: "in", hidden: 1, Fn: func(i int) int { return i * 2 }}
	num := 5
	return map[string]any{
		"s": "text", "empty": "", "i": 3, "i64": int64(-4), "u": uint(9), "u8": uint8(200), "f": 1.5, "f2": 3.0, "big": 1e21, "b": true, "no": false,
		"nil": nil, "list": []any{"a", 1, nil, map[string]any{"x": "y"}}, "strs": []string{"q", "p"}, "ints": []int{3, 1, 2},
		"map":  map[string]any{"k": "v", "n": map[string]any{"deep": 1}, "z": nil, "list": []any{1, 2}},
		"mss":  map[string]string{"a": "b", "c": "d"},
		"mii":  map[int]string{2: "two", 1: "one"},
		"mai":  map[any]any{"s": 1, 2: "two", true: "yes", 1.5: "f"},
		"mb":   map[bool]int{true: 1, false: 0},
		"ptr":  &outer{inner: inner{Name: "emb"}, In: in, Ptr: &in, Iface: in, Err: errors.New("err"), M: map[string]int{"a": 1}, Arr: [3]int{1, 2, 3}, Any: in, Names: namedMap{"n": 1}},
		"val":  outer{In: in, Ptr: &in, Any: nil},
		"nilp": (*outer)(nil), "num": &num, "named": namedMap{"a": 1, "list": []any{1}}, "ns": namedString("shy"),
		"fn": func(s string, n int) string { return strings.Repeat(s, n) }, "fnv": func(n ...int) int { return len(n) },
		"fnerr": func() (int, error) { return 0, errors.New("fn err") }, "fn2": func() (int, int) { return 1, 2 }, "fn0": func() {},
		"ch": ch, "cplx": complex(1, 2), "time": time.Unix(0, 0).UTC(), "dur": time.Minute, "bytes": []byte("by"), "err": errors.New("an error"),
		"seq":  iter.Seq[int](func(y func(int) bool) { _ = y(1) && y(2) && y(3) }),
		"seq2": iter.Seq2[string, int](func(y func(string, int) bool) { _ = y("a", 1) && y("b", 2) }),
		"arr":  [2]string{"x", "y"}, "structs": []inner{{Name: "s1"}, {Name: "s2"}}, "ptrs": []*inner{{Name: "p1"}, nil},
		"stringers": map[string]fmt.Stringer{"a": in, "n": nil}, "nan": map[float64]int{1: 1, 0.5: 2},
		"tpl": "{{ .Values.s }}-{{ template \"one\" . }}", "noval": "a<no value>b",
	}
}

// TestSemantics compares single expressions and statements with Helm's engine.
func TestSemantics(t *testing.T) {
	const shared = `{{define "one"}}one:{{.}}{{end}}{{define "rec"}}{{include "rec" .}}{{end}}` +
		`{{define "bad"}}{{ .Values.nil.x }}{{end}}{{define "outer"}}<{{ template "bad" . }}>{{end}}` +
		`{{define "vals"}}{{ .Values.map.k }}{{end}}{{define "empty"}} {{/* c */}}{{end}}`
	for _, text := range semantics {
		same(t, map[string]string{"a.yaml": text, "_h.tpl": shared}, sampleValues)
	}
}

var semantics = strings.Split(strings.TrimSpace(`
plain <no value> text
{{ .Values.s }} {{ .Values.empty }} {{ .Values.i }} {{ .Values.i64 }} {{ .Values.u }} {{ .Values.u8 }} {{ .Values.f }} {{ .Values.f2 }} {{ .Values.big }}
{{ .Values.b }} {{ .Values.nil }} {{ .Values.absent }} {{ .Values.list }} {{ .Values.map }} {{ .Values.mii }} {{ .Values.cplx }}
{{ .Values.nil.x }}
{{ .Values.absent.x }}
{{ .Values.absent.x.y }}
{{ .Values.map.n.deep.er }}
{{ .Values.map.k.x }}
{{ .Values.s.x }}
{{ .Values.list.x }}
{{ .Values.map.z.y }}
{{ (.Values.absent).x }}
{{ (.Values.nil).x.y }}
{{ ((.Values.absent).x).y }}
{{ .Values.map.k "arg" }}
{{ .Values.map.k | .Values.map.n }}
{{ "x" | .Values.map.k }}
{{ .Absent }} {{ .Absent.x }}
{{ $.Values.s }} {{ $ | len }}
{{ .Values.ptr.Name }} {{ .Values.ptr.In.Name }} {{ .Values.ptr.Ptr.Name }}
{{ .Values.ptr.Nil.Name }}
{{ .Values.ptr.Nil.Absent }}
{{ .Values.ptr.Absent }}
{{ .Values.ptr.In.hidden }}
{{ .Values.ptr.In.Pointer }} {{ .Values.ptr.Ptr.Pointer }}
{{ .Values.val.In.Pointer }}
{{ .Values.val.In.Name }} {{ .Values.val.In }} {{ .Values.ptr.In }} {{ .Values.val.Any }}
{{ .Values.ptr.In.Value 3 "x" }} {{ "x" | .Values.ptr.In.Value 3 }}
{{ .Values.ptr.In.Value "a" "x" }}
{{ .Values.ptr.In.Value 3 }}
{{ .Values.ptr.In.Value 3 nil }}
{{ .Values.ptr.In.Many "s" 1 2 3 }} {{ .Values.ptr.In.Many "s" }} {{ 4 | .Values.ptr.In.Many "s" }}
{{ .Values.ptr.In.Many }}
{{ .Values.ptr.In.Many "s" "t" }}
{{ .Values.ptr.In.Fails }}
{{ .Values.ptr.In.Panics }}
{{ .Values.ptr.In.Two }}
{{ .Values.ptr.In.Fn 3 }}
{{ call .Values.ptr.In.Fn 3 }} {{ 3 | call .Values.ptr.In.Fn }}
{{ .Values.ptr.Iface.Name }} {{ .Values.ptr.Iface }} {{ .Values.ptr.Err }}
{{ .Values.ptr.NilIf }}
{{ .Values.ptr.NilIf.Name }}
{{ .Values.ptr.NilIf.String }}
{{ .Values.ptr.M.a }} {{ .Values.ptr.M.b }} {{ .Values.ptr.Arr }} {{ index .Values.ptr.Arr 1 }} {{ .Values.ptr.Any.Name }}
{{ .Values.val.Any.Name }}
{{ .Values.ptr.Names.Size }} {{ .Values.ptr.Names.n }} {{ .Values.named.Size }} {{ .Values.named.a }} {{ .Values.named.zz }}
{{ .Values.named.Size 1 }}
{{ .Values.named.a 1 }}
{{ .Values.nilp.Name }}
{{ .Values.nilp }}
{{ .Values.num }} {{ .Values.ns }} {{ .Values.ns.Shout }} {{ .Values.ns | upper }}
{{ .Values.fn }}
{{ .Values.ch }}
{{ .Values.fn "a" 3 }}
{{ call .Values.fn "a" 3 }}
{{ call .Values.fn "a" }}
{{ call .Values.fn 1 2 }}
{{ call .Values.fnv 1 2 3 }} {{ call .Values.fnv }}
{{ call .Values.fnv "x" }}
{{ call .Values.fnerr }}
{{ call .Values.fn2 }}
{{ call .Values.fn0 }}
{{ call nil }}
{{ call .Values.s }}
{{ call .Values.absent 1 }}
{{ .Values.s | call }}
{{ call }}
{{ "a" | nope }}
{{ nil }}
{{ nil | quote }}
{{ .Values.s "x" }}
{{ "a" "b" }}
{{ 1 2 }}
{{ . 1 }}
{{ $x := 1 }}{{ $x 2 }}
{{ (1) 2 }}
{{ (.Values.map).k "x" }}
{{ true }} {{ false }} {{ 1 }} {{ 1.5 }} {{ 1e3 }} {{ 0x1F }} {{ 'a' }} {{ 1i }} {{ 0b101 }} {{ 1_000 }} {{ -3 }} {{ 0x1p-2 }} {{ 07 }} {{ 1.0 }}
{{ 99999999999999999999 }}
{{ 18446744073709551615 }}
{{ until 18446744073709551615 }}
{{ until 1.0 }} {{ until 'a' | len }}
{{ until 1.5 }}
{{ until "a" }}
{{ until .Values.f }}
{{ until .Values.absent }}
{{ until .Values.nil }}
{{ until nil }}
{{ upper 1 }}
{{ upper .Values.i }}
{{ upper .Values.nil }}
{{ upper .Values.absent }}
{{ upper (.Values.absent) }}
{{ .Values.nil | upper }}
{{ .Values.i | upper }}
{{ upper nil }}
{{ upper }}
{{ upper "a" "b" }}
{{ "c" | upper "a" }}
{{ hasKey .Values "s" }} {{ hasKey .Values.map "q" }} {{ hasKey .Values.named "a" }}
{{ hasKey .Values.s "s" }}
{{ hasKey .Values.nil "s" }}
{{ hasKey nil "s" }}
{{ hasKey .Values.mss "a" }}
{{ if .Values.s }}yes{{ else }}no{{ end }}{{ if .Values.nil }}yes{{ else if .Values.b }}b{{ else }}no{{ end }}
{{ if .Values.absent }}1{{ end }}{{ if .Values.list }}2{{ end }}{{ if .Values.map }}3{{ end }}{{ if .Values.f }}4{{ end }}{{ if .Values.nilp }}5{{ end }}{{ if .Values.fn }}6{{end}}{{ if .Values.time}}7{{end}}{{ if .Values.cplx }}8{{end}}{{if .Values.u}}9{{end}}
{{ with .Values.map }}{{ .k }}{{ $.Values.s }}{{ else }}no{{ end }}{{ with .Values.nil }}x{{ else with .Values.s }}{{ . }}{{ end }}
{{ with $x := .Values.i }}{{ $x }}{{ end }}
{{ with $x := .Values.i }}{{ end }}{{ $x }}
{{ $x := 1 }}{{ if true }}{{ $x = 2 }}{{ $x := 3 }}{{ $x }}{{ end }}{{ $x }}
{{ $x := 1 }}{{ range .Values.ints }}{{ $x = add $x . }}{{ end }}{{ $x }}
{{ $y := 1 }}{{ and false ($y := 2) }}{{ $y }}
{{ and false ($y := 2) }}{{ $y }}
{{ and true ($y := 2) }}{{ $y }}
{{ $ := 3 }}{{ $ }}
{{ range .Values.list }}[{{ . }}]{{ end }}{{ range $i, $e := .Values.list }}{{ $i }}={{ $e }},{{ end }}
{{ range .Values.list }}{{ .x }}{{ end }}
{{ range .Values.strs }}{{ . | upper }}{{ end }}{{ range $i, $e := .Values.strs }}{{ $i }}{{ $e }}{{ end }}
{{ range $k, $v := .Values.map }}{{ $k }}:{{ $v }};{{ end }}{{ range .Values.map }}{{ . }};{{ end }}{{ range $v := .Values.mss }}{{ $v }}{{ end }}
{{ range $k, $v := .Values.mii }}{{ $k }}:{{ $v }};{{ end }}{{ range $k, $v := .Values.mb }}{{ $k }}:{{ $v }};{{ end }}{{ range $k, $v := .Values.nan }}{{ $k }}:{{ $v }};{{ end }}
{{ range $k, $v := .Values.named }}{{ $k }}{{ $v }}{{ end }}{{ range .Values }}{{ break }}{{ end }}
{{ range .Values.nil }}x{{ else }}none{{ end }}{{ range .Values.absent }}x{{ else }}none{{ end }}{{ range list }}x{{ else }}none{{ end }}{{ range dict }}x{{ else }}none{{ end }}
{{ range 3 }}{{ . }}{{ end }}{{ range $i := .Values.i }}{{ $i }}{{ end }}{{ range .Values.u8 }}{{ if gt . 3 }}{{ break }}{{ end }}{{ . }}{{ end }}{{ range 0 }}{{ else }}zero{{ end }}
{{ range $i, $j := 3 }}{{ $i }}{{ end }}
{{ range .Values.seq }}{{ . }}{{ end }}{{ range $k, $v := .Values.seq2 }}{{ $k }}{{ $v }}{{ end }}{{ range .Values.seq2 }}{{ . }}{{ end }}{{ range $x := .Values.seq }}{{ if eq $x 2 }}{{ continue }}{{ end }}{{ $x }}{{ end }}
{{ range $a, $b := .Values.seq }}{{ end }}
{{ range .Values.ch }}{{ . }}{{ end }}
{{ range $i, $c := .Values.ch }}{{ $i }}{{ $c }}{{ end }}
{{ range .Values.arr }}{{ . }}{{ end }}{{ range .Values.structs }}{{ .Name }}{{ .Pointer }}{{ . }}{{ end }}
{{ range .Values.ptrs }}{{ .Name }}{{ end }}
{{ range .Values.s }}{{ end }}
{{ range .Values.f }}{{ end }}
{{ range .Values.b }}{{ end }}
{{ range .Values.val }}{{ end }}
{{ range .Values.fn }}{{ end }}
{{ range .Values.num }}{{ . }}{{ end }}
{{ range .Values.nilp }}x{{ else }}nil{{ end }}
{{ range .Values.ints }}{{ if eq . 1 }}{{ continue }}{{ end }}{{ . }}{{ if eq . 2 }}{{ break }}{{ end }}{{ end }}
{{ $a := 0 }}{{ $b := 0 }}{{ range $a, $b = .Values.ints }}{{ end }}{{ $a }}{{ $b }}{{ range $a = .Values.strs }}{{ end }}{{ $a }}
{{ range $i, $e := .Values.ints }}{{ $t := $e }}{{ range $j, $f := .Values.list }}{{ end }}{{ end }}
{{ range $k, $v := .Values.stringers }}{{ $k }}{{ $v }}{{ end }}
{{ range $k, $v := .Values.stringers }}{{ $v.Name }}{{ end }}
{{ template "one" . }}
{{ template "one" }}{{ template "one" .Values.s }}{{ template "one" nil }}
{{ template "one" nil | quote }}
{{ template "nope" . }}
{{ template "bad" . }}
{{ template "outer" . }}
{{ include "one" "x" }}{{ include "one" .Values.nil }}{{ "x" | include "one" }}{{ include "empty" . | quote }}
{{ include "nope" . }}
{{ include "bad" . }}
{{ include "outer" . | indent 2 }}
{{ include "rec" . }}
{{ include "one" }}
{{ include 1 . }}
{{ include .Values.nil . }}
{{ include "vals" . }}{{ include "vals" (dict "Values" .Values) }}
{{ include "vals" (dict "Values" nil) }}
{{ include "vals" 1 }}
{{ include "vals" nil }}
{{ block "blk" .Values.s }}b{{ . }}{{ end }}{{ template "blk" 3 }}
{{ define "later" }}L{{ end }}{{ template "later" }}
{{ define "empty" }}  {{ end }}{{ include "empty" . | quote }}
{{ define "one" }}redefined{{ end }}{{ include "one" . }}
{{ define "x" }}1{{ end }}{{ define "x" }}2{{ end }}
{{ tpl .Values.tpl . }}
{{ tpl "{{ .Values.nil.x }}" . }}
{{ tpl "{{ include \"bad\" . }}" . }}
{{ tpl "{{ if }}" . }}
{{ tpl "{{ nofunc }}" . }}
{{ tpl "" . }}|{{ tpl "plain <no value>" . }}|{{ tpl "{{ .Values.absent }}" . }}|{{ tpl .Values.noval . }}
{{ tpl "{{ define \"n\" }}N{{ end }}" . }}{{ include "n" . }}
{{ tpl "{{ define \"n\" }}N{{ . }}{{ end }}{{ include \"n\" 1 }}{{ template \"n\" 2 }}" . }}
{{ tpl "{{ define \"one\" }}over{{ end }}{{ include \"one\" 1 }}{{ tpl \"{{ include \\\"one\\\" 1 }}\" . }}" . }}{{ include "one" 1 }}
{{ tpl "{{ define \"one\" }} {{ end }}{{ include \"one\" 1 }}" . }}
{{ tpl "{{ define \"gotpl\" }}x{{ end }}" . }}|{{ tpl "{{ define \"gotpl\" }}x{{ end }}y" . }}
{{ tpl "{{ if . }}{{ include \"gotpl\" nil }}1{{ else }}0{{ end }}" . }}
{{ include "gotpl" . }}
{{ tpl "{{ tpl \"{{ .Values.nil.x }}\" . }}" . }}
{{ tpl 1 . }}
{{ tpl .Values.nil . }}
{{ tpl "{{ $ }}{{ . }}" "x" }}{{ . | tpl "{{ .Values.s }}" }}
{{ tpl "{{ fail \"in tpl\" }}" . }}
{{ tpl "a: b" . }}: {{ tpl "{{ required \"need: it\" .Values.nil }}" . }}
{{ fail "plain" }}
{{ fail "multi\nline: with colon" }}
{{ required "need" .Values.s }}{{ required "need" .Values.no }}{{ required "need" 0 }}
{{ required "need" .Values.nil }}
{{ required "need" .Values.empty }}
{{ .Values.absent | required "it: is" }}
{{ required .Values.nil 1 }}
{{ include "one" (fail "in arg") }}
{{ define "f" }}{{ fail "nested" }}{{ end }}{{ include "f" . }}
{{ define "f" }}{{ fail "HELM_ERR_START x HELM_ERR_END y" }}{{ end }}{{ include "f" . }}
{{ eq 1 1 }} {{ eq "a" "b" "a" }} {{ eq .Values.i 3 }} {{ eq .Values.u 9 }} {{ eq 9 .Values.u }} {{ eq .Values.i64 -4 }} {{ eq .Values.f 1.5 }} {{ eq true .Values.b }} {{ eq .Values.cplx 1+2i }} {{ eq .Values.ns "shy" }}
{{ eq 1 1.0 }}
{{ eq "a" 1 }}
{{ eq .Values.nil nil }} {{ eq .Values.nil "a" }} {{ eq nil nil }} {{ eq .Values.absent "" }} {{ ne .Values.nil "a" }} {{ eq .Values.nilp nil }} {{ eq nil .Values.map }}
{{ eq .Values.list .Values.list }}
{{ eq .Values.list "a" }}
{{ eq .Values.map .Values.list }}
{{ eq .Values.time .Values.time }} {{ eq .Values.val.In .Values.val.In }}
{{ eq .Values.arr .Values.arr }}
{{ eq 1 }}
{{ eq }}
{{ 1 | eq 1 }} {{ ne 1 2 }} {{ ne "a" "a" }}
{{ ne 1 2 3 }}
{{ lt 1 2 }} {{ lt "a" "b" }} {{ le 2 2 }} {{ gt 2 1 }} {{ ge 1 2 }} {{ lt .Values.i64 .Values.u }} {{ gt .Values.u .Values.i64 }} {{ lt 1.5 2.5 }} {{ le .Values.u 9 }} {{ ge .Values.u8 .Values.i }}
{{ lt 1 "a" }}
{{ lt true false }}
{{ lt nil 1 }}
{{ gt .Values.list 1 }}
{{ le .Values.nil 1 }}
{{ gt 1 1.5 }}
{{ ge .Values.cplx .Values.cplx }}
{{ and 1 0 2 }} {{ and 1 2 }} {{ or 0 "" nil 3 }} {{ or 0 "" }} {{ and }}
{{ or }}
{{ and .Values.nil .Values.nil.x }} {{ or .Values.s .Values.nil.x }} {{ .Values.s | and 1 }} {{ .Values.s | or 0 }} {{ .Values.nil | or 0 }} {{ and 1 nil }} {{ and nil }} {{ or .Values.absent "d" | quote }}
{{ and 1 .Values.nil.x }}
{{ (and .Values.map .Values.map.n).deep }} {{ (or .Values.nil .Values.map).k }} {{ or .Values.nil .Values.nil | quote }}
{{ (and .Values.map .Values.nil).deep }}
{{ not 1 }} {{ not nil }} {{ not .Values.absent }} {{ not .Values.list }} {{ 0 | not }}
{{ not }}
{{ len .Values.s }} {{ len .Values.list }} {{ len .Values.map }} {{ len .Values.arr }} {{ len .Values.mss }} {{ len .Values.strs }} {{ .Values.bytes | len }}
{{ len 1 }}
{{ len nil }}
{{ len .Values.nil }}
{{ len .Values.absent }}
{{ len .Values.nilp }}
{{ len (.Values.nil) }}
{{ index .Values.list 0 }} {{ index .Values.map "k" }} {{ index .Values.map "n" "deep" }} {{ index .Values.map "q" }} {{ index .Values "map" "list" 1 }} {{ index .Values.s 0 }} {{ index .Values.mii 2 }} {{ index .Values.mss "zz" }} {{ index .Values.list }} {{ "k" | index .Values.map }} {{ index .Values.named "a" }} {{ index .Values.mii .Values.u }}
{{ index .Values.list 4 }}
{{ index .Values.list 9 }}
{{ index .Values.list -1 }}
{{ index .Values.list "a" }}
{{ index .Values.list nil }}
{{ index .Values.map 1 }}
{{ index .Values.map nil }}
{{ index .Values.nil 1 }}
{{ index nil 1 }}
{{ index .Values.map "z" "y" }}
{{ index .Values.map "q" "y" }}
{{ index .Values.i 1 }}
{{ index .Values.ptr 1 }}
{{ index .Values.nilp 1 }}
{{ index }}
{{ (index .Values.list 3).x }} {{ (index .Values.map "n").deep }} {{ (index .Values.structs 0).Pointer }}
{{ (index .Values.list 0).x }}
{{ (index .Values.list 2).x }}
{{ index .Values.list 2 | upper }}
{{ slice .Values.list 1 2 }} {{ slice .Values.strs 1 }} {{ slice .Values.list }}
{{ slice .Values.s 1 2 }}
{{ print 1 "a" 2 3 "b" nil }} {{ printf "%s-%d-%v-%q" "a" 1 .Values.map "x" }} {{ println "x" 1 }} {{ printf "%d" "a" }} {{ printf "%s" .Values.nil }} {{ printf "%v %T" .Values.absent .Values.i }} {{ .Values.s | printf "%s" }}
{{ printf 1 }}
{{ printf }}
{{ html "<a href='x'>" }} {{ js "it's \"<>&=\" \u00e9" }} {{ urlquery "a b&c" 1 }} {{ html .Values.ptr .Values.nil }} {{ html .Values.num }}
{{ .Chart.Name }} {{ .Chart.Version }} {{ .Chart.IsRoot }} {{ .Chart.Keywords }} {{ .Chart.Annotations.k }} {{ (index .Chart.Maintainers 0).Name }} {{ range .Chart.Maintainers }}{{ .Name }}<{{ .Email }}>{{ end }} {{ .Chart.AppVersion | quote }} {{ .Chart.Metadata.Name }}
{{ .Chart.Nope }}
{{ .Chart.name }}
{{ .Release.Name }} {{ .Release.IsInstall }} {{ .Release.Revision }} {{ .Release.Nope }} {{ .Template.Name }}
{{ .Files.Get "conf/a.txt" }} {{ .Files.Get "nope" }} {{ range .Files.Lines "conf/a.txt" }}<{{ . }}>{{ end }} {{ (.Files.Glob "conf/*").AsConfig }} {{ (.Files.Glob "conf/*").AsSecrets }} {{ range $p, $b := .Files.Glob "conf/**" }}{{ $p }}{{ $b | toString }}{{ end }} {{ index .Files "empty" | len }}
{{ .Files.Get }}
{{ .Files.Get 1 }}
{{ .Files.GetBytes "bin" }} {{ .Files.nope }}
{{ .Capabilities.KubeVersion }} {{ .Capabilities.KubeVersion.Version }} {{ .Capabilities.KubeVersion.Minor }} {{ .Capabilities.KubeVersion.GitVersion }} {{ .Capabilities.APIVersions.Has "apps/v1" }} {{ .Capabilities.APIVersions.Has "nope/v1" }} {{ .Capabilities.HelmVersion.Version }} {{ semverCompare ">=1.0-0" .Capabilities.KubeVersion.Version }} {{ .Capabilities.KubeVersion | toString }} {{ len .Capabilities.APIVersions | lt 10 }}
{{ .Capabilities.Nope }}
{{ .Capabilities.APIVersions.Has 1 }}
{{ .Capabilities.KubeVersion.version }}
{{ .Values.AsMap | len | lt 5 }} {{ (.Values.Table "map").k }}
{{ .Values.Table "nope" }}
{{ .Values.PathValue "map.k" }} {{ typeOf .Values }} {{ typeOf .Values.map }} {{ kindOf .Values.named }}
{{ .Values.Nope }} {{ .Values.Nope.x }}
{{ now.Year | lt 2000 }} {{ (now).IsZero }} {{ (toDate "2006" "2020").Year }} {{ .Values.time.Year }} {{ .Values.time.Format "2006" }} {{ .Values.dur }} {{ .Values.dur.Seconds }} {{ .Values.time }}
{{ semver "1.2.3" }} {{ (semver "1.2.3-a+b").Major }} {{ (semver "1.2.3").Compare (semver "1.3.0") }} {{ (semver "1.2.3").IncMinor }}
{{ semver "x" }}
{{ (semver "x").Major }}
{{ dict "a" 1 "b" (list 1 2) }} {{ (dict "a" 1).a }} {{ (dict "a" 1).b }} {{ (list 1 2) }} {{ ((dict "a" (dict "b" 2)).a).b }}
{{ (dict "a" 1).a.b }}
{{- /* c */ -}} x {{- " y " -}} z
{{ "quoted" }} {{ `+"`raw`"+` }} {{ "\u00e9\n" }}
{{ if .Values.s -}} a {{- end }} {{ if and .Values.s (eq .Values.i 3) (not .Values.nil) }}all{{ end }}
{{ .Values.noval }} {{ len .Values.noval }} {{ include "one" .Values.absent | len }} {{ print .Values.absent }} {{ .Values.absent | quote }} {{ .Values.absent | toString }} {{ .Values.absent | default "d" }} {{ tpl (include "one" .Values.absent) . }}
{{ add 1 2 | mul 3 | toString | upper | printf "%s!" }} {{ 5 | div 10 }}
{{ div 1 0 }}
{{ mod 1 0 }}
{{ repeat -1 "x" }}
{{ substr 3 1 "abc" }}
{{ first "x" }}
{{ first nil }}
{{ first .Values.nil }}
{{ regexFind "(" "x" }}
{{ mustRegexFind "(" "x" }}
{{ b64dec "!!" }} {{ fromJson "{" }} {{ fromYaml "a: [" }} {{ fromYamlArray "a: b" }} {{ fromJsonArray "{}" }} {{ fromToml "=" }} {{ toToml .Values.map.n }} {{ toToml 1 }}
{{ mustFromJson "{" }}
{{ merge (dict "a" 1) (dict "b" 2) }} {{ get .Values.map "k" }} {{ set (dict) "a" 1 }} {{ unset (dict "a" 1) "a" }} {{ keys .Values.map | sortAlpha }} {{ pick .Values.map "k" }} {{ omit .Values.map "k" "n" "list" }} {{ values (dict "a" 1) }} {{ dig "n" "deep" "d" .Values.map }} {{ dig "q" "deep" "d" .Values.map }}
{{ dig "k" "deep" "d" .Values.map }}
{{ dig "a" }}
{{ lookup "v1" "Secret" "ns" "name" }} {{ (lookup "v1" "Secret" "" "").items }} {{ getHostByName "localhost" }}
{{ env "HOME" }}
{{ ternary 1 2 true }} {{ true | ternary 1 2 }}
{{ ternary 1 2 "x" }}
{{ ternary 1 2 .Values.nil }}
{{ coalesce nil "" 0 "x" }} {{ list 1 nil "a" | compact }} {{ concat (list 1) (list 2) }} {{ without (list 1 2) 1 }} {{ has 1 (list 1) }} {{ uniq (list 1 1) }} {{ chunk 2 (list 1 2 3) }} {{ reverse (list 1 2) }} {{ join "," (list 1 "a" nil) }} {{ join "-" .Values.ints }} {{ untilStep 1 9 3 }} {{ seq 1 3 }} {{ initial (list 1 2) }} {{ last (list 1 2) }} {{ rest (list 1 2) }} {{ append (list 1) 2 }} {{ prepend (list 1) 0 }}
{{ .Values.list | toYaml | nindent 2 }}{{ .Values.map | toJson }}{{ toPrettyJson .Values.map }}{{ toRawJson "<" }}{{ toYamlPretty .Values.map }}{{ .Values.mss | toYaml }}{{ toYaml .Values.nil }}{{ toYaml .Values.fn }}{{ toJson .Values.fn }}
{{ toYaml .Values.absent }}{{ .Values.absent | toYaml }}{{ toYaml (dict) }}{{ toYaml (list) }}{{ toYaml "a: b" }}{{ toYaml .Values.time }}{{ toYaml .Values.bytes }}
{{ .Values.s | b64enc | b64dec | sha256sum | trunc 8 }} {{ quote 1 "a" nil }} {{ squote "a" }} {{ cat 1 "a" nil }} {{ indent 2 "a\nb" }} {{ replace "a" "b" "aa" }} {{ trimSuffix "-" "a-" }} {{ snakecase "AbC" }} {{ title "ab cd" }} {{ plural "one" "many" 2 }} {{ wrap 3 "abc def" }} {{ splitList "," "a,b" }} {{ (split "," "a,b")._1 }} {{ regexReplaceAll "a(b)" "ab" "${1}x" }} {{ atoi "3" }} {{ int "4" }} {{ float64 "1.5" }} {{ int64 2.9 }} {{ toDecimal "777" }} {{ round 1.255 2 }} {{ ceil 1.1 }} {{ max 1 5 3 }} {{ min 1 5 }} {{ addf 1.5 2 }} {{ kindIs "map" .Values.map }} {{ typeIs "string" .Values.s }} {{ deepEqual .Values.list .Values.list }} {{ deepCopy .Values.map }} {{ urlParse "http://u:p@h:1/p?q#f" }} {{ adler32sum "a" }} {{ derivePassword 1 "long" "p" "u" "s" }} {{ duration 65 }} {{ date "2006" 0 }} {{ dateInZone "2006-01-02" 0 "UTC" }} {{ htmlDateInZone 0 "UTC" }} {{ dateModify "1h" .Values.time }} {{ unixEpoch .Values.time }} {{ durationRound "2h3m" }}
{{ break }}
{{ end }}
{{ if }}
{{ $undefined }}
{{ .Values.s | }}
{{ range }}{{ end }}
{{ "unclosed }}
{{ .Values.s
{{ if true }}
{{ template }}
{{ . | 1 }}
{{ include "one" . | 3 }}
{{ 1.x }}
{{ nil.x }}
{{ $x, $y := 1 }}
{{ ( }}
{{ define "a" }}
{{ /* c }}
{{ else }}
`), "\n")
