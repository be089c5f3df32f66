//go:build linux

package hostile

import (
	"context"
	"fmt"
	"strings"
	"testing"
)

// TestTemplates runs single templates, each for a kind of attack.
func TestTemplates(t *testing.T) {
	Run(t, templates)
}

// limited is a case of a template that exceeds the limit.
func limited(limit, name, text string) Case {
	c := Template(name, text)
	c.Limit = limit
	return c
}

var sixteen = `{{ $s := repeat 16000000 "x" }}`

var templates = []Case{
	limited("TemplateDepth", "recursion", `{{ define "a" }}{{ template "a" . }}{{ end }}{{ template "a" . }}`),
	limited("TemplateDepth", "recursion through many blocks", `{{ define "a" }}`+strings.Repeat("{{ if true }}", 3000)+`{{ template "a" . }}`+strings.Repeat("{{ end }}", 3000)+`{{ end }}{{ template "a" . }}`),
	limited("TemplateDepth", "recursion through many loops", `{{ define "a" }}`+strings.Repeat("{{ range 1 }}", 3000)+`{{ template "a" . }}`+strings.Repeat("{{ end }}", 3000)+`{{ end }}{{ template "a" . }}`),
	limited("TemplateDepth", "recursion through parentheses", `{{ define "a" }}{{ `+strings.Repeat("(", 3000)+`include "a" .`+strings.Repeat(")", 3000)+` }}{{ end }}{{ template "a" . }}`),
	limited("TemplateDepth", "recursion through tpl", `{{ $t := "{{ tpl .t . }}" }}{{ tpl $t (dict "t" $t) }}`),
	Template("recursion of include", `{{ define "a" }}{{ include "a" . }}{{ end }}{{ include "a" . }}`),
	Template("recursion of include with a long call", `{{ define "a" }}{{ include "a" (list `+strings.Repeat("1 ", 100_000)+`) }}{{ end }}{{ include "a" . }}`),
	Template("errors in nested long tpl", `{{ $t := printf "%s{{ tpl .t . }}" (repeat 100000 "\"x\\n") }}{{ $e := printf "%s{{ fail .t }}" (repeat 100000 "\"x\\n") }}{{ tpl $t (dict "t" $e) }}`),
	Template("many errors in nested long tpl", `{{ define "n" }}{{ tpl .t . }}{{ end }}{{ $t := printf "%s{{ if lt (len .l) 300 }}{{ $_ := set . \"l\" (append .l 1) }}{{ include \"n\" . }}{{ else }}{{ fail .t }}{{ end }}" (repeat 100000 "\"x\\n") }}{{ tpl $t (dict "t" $t "l" list) }}`),
	Template("parentheses", `{{ `+strings.Repeat("(", 2_000_000)+`1`+strings.Repeat(")", 2_000_000)+` }}`),
	Template("blocks", strings.Repeat("{{ if true }}", 300_000)+strings.Repeat("{{ end }}", 300_000)),
	Template("else if", "{{ if false }}"+strings.Repeat("{{ else if false }}", 200_000)+"{{ end }}"),
	Template("pipeline", `{{ 1`+strings.Repeat(" | add 1", 500_000)+` }}`),
	Template("fields", `{{ .`+strings.Repeat("A.", 2_000_000)+`A }}`),
	Template("arguments", `{{ $x := dig `+strings.Repeat(`"a" `, 1_000_000)+` dict }}`),
	Template("factors", `{{ $x := mulf `+strings.Repeat("1e308 ", 800_000)+` }}`),
	Template("actions", strings.Repeat("{{1}}", 900_000)),
	Template("definitions", func() string {
		b := strings.Builder{}
		for i := range 100_000 {
			fmt.Fprintf(&b, `{{ define "d%d" }}x{{ end }}`, i)
		}
		return b.String()
	}()),
	limited("MemoryBytes", "repeated string", `{{ $x := repeat 8000000 "x" }}{{ range until 100 }}{{ $y := $x | upper }}{{ end }}`),

	Template("int of a cycle", `{{ $d := dict }}{{ $_ := set $d "x" $d }}{{ int $d }}`),
	Template("index of a slice that is a cycle", `{{ $d := dict }}{{ $_ := set $d "x" $d }}{{ slice (list 1) $d }}`),
	Template("printing a cycle", `{{ $d := dict }}{{ $_ := set $d "x" $d }}{{ $d }}`),
	Template("cycle in an error", `{{ $d := dict }}{{ $_ := set $d "x" $d }}{{ eq $d $d }}`),
	Template("merge of a cycle with itself", `{{ $d := dict }}{{ $_ := set $d "x" $d }}{{ $e := dict }}{{ $_ := set $e "x" $e }}{{ $m := merge $d $e }}`),
	Template("two deep lists", `{{ $x := list 1 }}{{ $y := list 1 }}{{ range 4000000 }}{{ $x = list $x }}{{ $y = list $y }}{{ end }}{{ deepEqual $x $y }}`),
	limited("TemplateDepth", "two lists of 100,000 levels", `{{ $x := list 1 }}{{ $y := list 1 }}{{ range 100000 }}{{ $x = list $x }}{{ $y = list $y }}{{ end }}{{ deepEqual $x $y }}`),
	limited("TemplateDepth", "a deep list in a list", `{{ $x := list 1 }}{{ $y := list 1 }}{{ range 100000 }}{{ $x = list $x }}{{ $y = list $y }}{{ end }}{{ has $x (list $y) }}`),
	limited("TemplateDepth", "brackets of TOML", `{{ fromToml (printf "a = %s" (repeat 2000000 "[")) }}`),
	Template("dots of TOML", `{{ $x := fromToml (printf "a%s = 1" (repeat 2000000 ".a")) }}`),
	Template("headers of TOML", `{{ $h := repeat 900 ".a" }}{{ $t := list }}{{ range $i, $_ := until 4000 }}{{ $t = append $t (printf "[b%d%s]\n" $i $h) }}{{ end }}{{ $x := fromToml (join "" $t) }}`),
	Template("keys below a long header of TOML", `{{ $x := fromToml (printf "[%s]\n%s" (repeat 1000000 "a") (regexReplaceAll "([0-9]+)" (until 100000 | join "\n") "k$1=1")) }}`),
	Template("inline tables of TOML", `{{ $x := fromToml (printf "a = %s" (repeat 900 "{aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa=")) }}`),
	limited("ResultBytes", "printf of an argument many times", sixteen+`{{ $y := printf (repeat 300 "%[1]s") $s }}`),
	limited("ResultBytes", "printf of a list many times", `{{ $s := until 10000 }}{{ $y := printf (repeat 30000 "%[1]v") $s }}`),
	Template("printf of a width from an argument", `{{ $y := printf (repeat 100 "%[1]*d") 999999 }}`),
	Template("printf of a width for each element", `{{ $y := printf "%999999d" (until 1000) }}`),
	Template("printf of a precision for each element", `{{ $l := list }}{{ range 1000 }}{{ $l = append $l 1.5 }}{{ end }}{{ $y := printf "%.999999f" $l }}`),
	Template("printf of more arguments", sixteen+`{{ $y := printf "" `+strings.Repeat("$s ", 300)+`}}`),
	Template("printf of a wrong verb", sixteen+`{{ $y := printf "%d %d %d %d %d %d" $s $s $s $s $s $s }}`),
	limited("ResultBytes", "print", sixteen+`{{ $y := print `+strings.Repeat("$s ", 300)+`}}`),
	limited("ResultBytes", "println", sixteen+`{{ $y := println `+strings.Repeat("$s ", 300)+`}}`),
	limited("ResultBytes", "quote", sixteen+`{{ $y := quote `+strings.Repeat("$s ", 300)+`}}`),
	limited("ResultBytes", "squote", sixteen+`{{ $y := squote `+strings.Repeat("$s ", 300)+`}}`),
	limited("ResultBytes", "cat", sixteen+`{{ $y := cat `+strings.Repeat("$s ", 300)+`}}`),
	limited("ResultBytes", "html", sixteen+`{{ $y := html `+strings.Repeat("$s ", 300)+`}}`),
	limited("ResultBytes", "join of a shared text", sixteen+`{{ $l := list $s $s $s $s $s $s $s $s }}{{ $l = concat $l $l $l $l $l $l $l }}{{ $y := join "" $l }}`),
	limited("ResultBytes", "indent of many lines", `{{ $y := repeat 16000000 "\n" | indent 64 }}`),
	Template("toPrettyJson of deep lists", `{{ $x := until 1000 }}{{ range 990 }}{{ $x = append (until 1000) $x }}{{ end }}{{ $y := toPrettyJson $x }}`),
	Template("toYamlPretty of deep lists", `{{ $x := until 1000 }}{{ range 990 }}{{ $x = append (until 1000) $x }}{{ end }}{{ $y := toYamlPretty $x }}`),
	Template("toToml of deep maps", `{{ $x := dict }}{{ range 990 }}{{ $x = dict (repeat 1000 "k") $x "b" 1 }}{{ end }}{{ $y := toToml $x }}`),
	Template("toYaml of control characters", `{{ $y := repeat 4000000 "\x01\n" | toYaml }}`),
	Template("many small maps", `{{ $l := dict }}{{ range 1000000 }}{{ $_ := set $l (print .) (dict "a" 1) }}{{ end }}`),
	Template("many small lists", `{{ $l := list }}{{ range 5000000 }}{{ $l = list $l 1 }}{{ end }}`),
	Template("many small texts", `{{ $l := list }}{{ range 5000000 }}{{ $l = list $l (print . "x") }}{{ end }}`),
	Template("many entries of one map", `{{ $d := dict }}{{ range 5000000 }}{{ $_ := set $d (print .) . }}{{ end }}`),
	Template("many appended elements", `{{ $l := list }}{{ range 100000 }}{{ $l = append $l . }}{{ end }}`),
	Template("many variables", strings.Repeat("{{ $x := 1 }}", 200_000)),
	Template("trimAll of many letters", `{{ $y := trimAll (print (repeat 1000000 "à") "é") (repeat 1000000 "é") }}`),
	Template("sort of long equal texts", `{{ $a := repeat 1000000 "x" }}{{ $b := print (repeat 1000000 "x") "" }}{{ $l := list $a $b $a $b $a $b $a $b }}{{ $l = concat $l $l $l $l $l $l $l $l }}{{ $l = concat $l $l $l $l $l $l $l $l }}{{ $l = concat $l $l $l $l $l $l $l $l }}{{ $y := sortAlpha $l }}`),
	Template("large regular expression", `{{ $y := regexMatch "(?:(?:a|b|c|d){30}){30}x" (repeat 1000000 "abcd") }}`),
	Template("repeated regular expression", `{{ $y := regexReplaceAll "(?:a{1,30}){1,30}" (repeat 2000000 "a") "${0}${0}${0}" }}`),
	Template("long regular expression", `{{ $y := regexMatch (repeat 200000 "(a|b)?") (repeat 100000 "ab") }}`),
	Template("character classes", `{{ $y := regexMatch (repeat 100000 "[\\pL\\pN\\x{100}-\\x{10000}]") "x" }}`),
	Template("matches of nothing", `{{ $y := regexFindAll "" (repeat 900000 "a") -1 }}`),
	Template("private keys", `{{ range 100 }}{{ $y := genPrivateKey "ed25519" }}{{ end }}`),
	Template("derived passwords", `{{ range 100 }}{{ $y := derivePassword 1 "long" "p" "u" "s" }}{{ end }}`),
	Template("large private key", `{{ $y := genSignedCertWithKey "a" nil nil 1 (genCA "b" 1) (printf "-----BEGIN RSA PRIVATE KEY-----\n%s\n-----END RSA PRIVATE KEY-----\n" (repeat 1000000 "AAAA")) }}`),

	Template("YAML aliases of a long text", `{{ $y := printf "a: &a \"%s\"\nb: [%s]" (repeat 1000000 "x") (repeat 3000 "*a,") | fromYaml }}`),
	Template("YAML aliases of a long text in a list", `{{ $y := printf "- &a \"%s\"\n- [%s]" (repeat 1000000 "x") (repeat 3000 "*a,") | fromYamlArray }}`),
	Template("many YAML documents", `{{ range 6000 }}---{{ "\n" }}a: &a [x,x,x,x,x,x,x,x,x,x]{{ "\n" }}b: [{{ repeat 96 "*a," }}]{{ "\n" }}{{ end }}`),
	Template("aliases of a long text in the output", `{a: &a "{{ repeat 1000000 "x" }}", b: [{{ repeat 3000 "*a," }}]}`),
	Template("empty maps in the output", `[{{ repeat 5000000 "{}," }}]`),
	Template("brackets in the output", `{{ repeat 15000000 "[" }}`),
	Template("line breaks in the output", `{{ repeat 16000000 "\n" }}`),
	Template("output", `{{ range 1000 }}{{ range 1000 }}0123456789012345678901234567890123456789012345678901234567890123456789{{ end }}{{ end }}`),
	Template("output inside of include", `{{ define "a" }}{{ range 1000000 }}0123456789012345678901234567890123456789{{ end }}{{ end }}{{ $x := include "a" . }}`),
	Template("output inside of nested include", `{{ define "a" }}{{ repeat 4000000 "x" }}{{ if lt (len .) 100 }}{{ include "a" (append . 1) }}{{ end }}{{ end }}{{ $x := include "a" list }}`),
}

// TestMethods calls the methods of what templates are given.
func TestMethods(t *testing.T) {
	Run(t, methods())
}

func methods() []Case {
	withFiles := func(name, text string) Case {
		return Case{Name: name, Run: func(ctx context.Context) error {
			return RenderChart(ctx, map[string]string{
				"templates/x.yaml": text, "plain.txt": strings.Repeat("x", 2<<20), "lines.txt": strings.Repeat("\n", 2<<20),
				"binary.bin": strings.Repeat("\x01", 2<<20), strings.Repeat("a", 200) + ".txt": "", "values.yaml": "a: {b: [" + strings.Repeat("1, ", 100_000) + "]}",
			})
		}}
	}
	keep := func(expr string) string {
		return `{{ $kept := dict }}{{ range $i := until 4000 }}{{ $_ := set $kept (print $i) (` + expr + `) }}{{ end }}`
	}
	return []Case{
		withFiles("Files.Get kept", keep(`$.Files.Get "plain.txt"`)),
		withFiles("Files.GetBytes kept", keep(`$.Files.GetBytes "plain.txt"`)),
		withFiles("Files.GetBytes as a text", keep(`$.Files.GetBytes "plain.txt" | toString`)),
		withFiles("Files.Lines kept", keep(`$.Files.Lines "lines.txt"`)),
		withFiles("Files.AsConfig kept", keep(`$.Files.AsConfig`)),
		withFiles("Files.AsSecrets kept", keep(`$.Files.AsSecrets`)),
		withFiles("Files.AsConfig of lines", keep(`($.Files.Glob "lines*").AsConfig`)),
		withFiles("Files.AsConfig of bytes", keep(`($.Files.Glob "binary*").AsConfig`)),
		withFiles("Files.Glob kept", keep(`$.Files.Glob "**"`)),
		withFiles("Files.Glob of many wildcards", `{{ $x := .Files.Glob (repeat 40 "*a") }}`),
		withFiles("Files.Glob of many more wildcards", `{{ $x := .Files.Glob (print (repeat 15 "*a*") "b") }}`),
		withFiles("Files.Glob of nested braces", `{{ $x := .Files.Glob (print (repeat 100000 "{a,") (repeat 100000 "}")) }}`),
		withFiles("Files.Glob of braces in a row", `{{ $x := .Files.Glob (repeat 30 "{a,b*,c?}") }}`),
		withFiles("Files.Glob of a long pattern", `{{ $x := .Files.Glob (repeat 4000000 "[a-z]") }}`),
		withFiles("Files printed", `{{ $x := print .Files }}`),
		withFiles("Files as YAML", `{{ $x := toYaml .Files }}`),
		withFiles("Values.YAML kept", keep(`$.Values.YAML`)),
		withFiles("Values.YAML of a cycle", `{{ $_ := set .Values "x" .Values }}{{ $x := .Values.YAML }}`),
		withFiles("Values.YAML of a graph", `{{ $d := dict "a" 1 }}{{ range until 40 }}{{ $d = dict "l" $d "r" $d }}{{ end }}{{ $_ := set .Values "x" $d }}{{ $x := .Values.YAML }}`),
		withFiles("Values.Table of a long path", `{{ $x := .Values.Table (repeat 8000000 "a.") }}`),
		withFiles("Values.PathValue of a long path", `{{ $x := .Values.PathValue (repeat 8000000 "a.") }}`),
		withFiles("Capabilities.APIVersions.Has of a long text", `{{ $x := .Capabilities.APIVersions.Has (repeat 16000000 "a") }}`),
		withFiles("Capabilities.Copy kept", keep(`$.Capabilities.Copy`)),
		withFiles("time format", `{{ $x := now.Format (repeat 4000000 "2006 ") }}`),
		withFiles("time formats kept", keep(`now.Format (repeat 100000 "2006 ")`)),
		withFiles("time append format", `{{ $x := now.AppendFormat (.Files.GetBytes "plain.txt") (repeat 4000000 "2006 ") }}`),
		withFiles("versions kept", keep(`(semver "1.2.3-alpha").String`)),
		withFiles("certificate of long names", keep(`(genSelfSignedCert (repeat 1000000 "a") nil (list (repeat 1000000 "b")) 1).Cert`)),
	}
}
