package template

import (
	"maps"
	"reflect"
	"strings"
)

// costs states what each function costs. A function that is not in it does not
// exist for templates, and a test fails: deny by default.
//
//	nil        little, whatever the arguments
//	texts(...) in proportion to the texts among the arguments
//	shows(...) as long as its arguments written out
//
// Functions that return an argument, or a part of one, are in sharing.
func costs() map[string]cost {
	table := make(map[string]cost)
	for _, part := range costTables {
		maps.Copy(table, part())
	}
	return table
}

// costTables are the parts of costs, by subject.
var costTables = [...]func() map[string]cost{
	plainCosts, textCosts, numberCosts, listCosts, mapCosts, writtenCosts, decodeCosts, regexCosts, keyCosts, helm4Costs,
}

// sharing lists the functions whose result takes no memory of its own.
var sharing = []string{
	"and", "or", "index", "slice", "mustSlice", "default", "coalesce", "ternary", "required", "fail", "first", "mustFirst",
	"last", "mustLast", "get", "set", "unset", "dig", "trunc", "trim", "trimAll", "trimall", "trimSuffix", "trimPrefix",
	"substr", "plural", "merge", "mustMerge", "mergeOverwrite", "mustMergeOverwrite", "call",
}

// plainCosts are functions that take little, and those that see to themselves.
func plainCosts() map[string]cost {
	table := map[string]cost{
		// These charge what they do while they do it.
		"include": nil, "tpl": nil, "toYaml": nil, "deepEqual": nil, "has": nil, "mustHas": nil, "uniq": nil, "mustUniq": nil,
		"without": nil, "mustWithout": nil, "lookup": nil, "call": nil,
		"dig": func(r *Run, a []value) price { return price{scratch: 1024 * int64(len(a))} }, // it recurses
	}
	for _, name := range strings.Fields(`and or not index len default empty coalesce all any ternary required fail
		typeOf kindOf get hasKey first mustFirst last mustLast hello getHostByName now unixEpoch uuidv4 randInt plural
		ago htmlDate trunc substr semver semverCompare`) {
		table[name] = nil
	}
	for _, name := range strings.Fields("eq ne lt le gt ge") {
		table[name] = compares
	}
	return table
}

// textOf is a text argument, or empty.
func textOf(v value) string {
	s, _ := v.v.(string)
	return s
}

// textLen adds up the text arguments.
func textLen(a []value) (n int64) {
	for i := range a {
		switch t := a[i].v.(type) {
		case string:
			n += int64(len(t))
		case reflect.Value:
			if t.Kind() == reflect.String {
				n += int64(t.Len())
			}
		}
	}
	return n
}

// texts is the cost of a function that takes time and memory in proportion to
// its texts: a result of at most that many bytes for each byte, and scratch.
func texts(result, scratch int64) cost {
	return func(r *Run, a []value) price {
		n := textLen(a)
		if n <= 64 {
			return price{}
		}
		// Most results are about as long as the text.
		return price{result: min(result, 1) * n, scratch: (scratch + max(result-1, 0)) * n, work: n / 32}
	}
}

// quoting is the cost of a function whose error quotes its text: line breaks take
// four bytes each there, in every copy of the message.
var quoting = texts(0, 20)

// reads is the cost of a function that reads its texts and returns little, or a
// part of them.
func reads(_ *Run, a []value) price { return price{work: textLen(a) / 16} }

// compares is the cost of the operators: texts are compared, and what cannot be
// compared is shown in the error.
func compares(r *Run, a []value) price {
	for i := range a {
		switch a[i].v.(type) {
		case nil, bool, int, int64, float64:
		case string:
		default:
			return price{scratch: 3 * r.taken(&shown, a).bytes}
		}
	}
	return price{work: textLen(a) / 16}
}

func textCosts() map[string]cost {
	table := map[string]cost{
		"repeat": func(r *Run, a []value) price {
			n := times(int64(take[int](a[0])), int64(len(textOf(a[1]))))
			return price{result: n, work: n / 64}
		},
		"indent":  indents,
		"nindent": indents,
		"replace": func(r *Run, a []value) price {
			old, repl, src := textOf(a[0]), textOf(a[1]), textOf(a[2])
			if len(src) <= 64 && len(repl) <= 64 {
				return price{}
			}
			n := int64(len(src))
			if grow := len(repl) - len(old); grow > 0 {
				n += times(int64(grow), int64(strings.Count(src, old)))
			}
			return price{result: n, work: int64(len(src))/4 + n/64}
		},
		"wrap":     wraps,
		"wrapWith": wraps,
		"abbrev":   texts(1, 1), "abbrevboth": texts(1, 1),
		"upper": texts(3, 0), "lower": texts(3, 0), "title": texts(3, 0), "untitle": texts(3, 5), "swapcase": texts(3, 5),
		"initials": texts(3, 5), "nospace": texts(2, 4), "shuffle": texts(3, 5),
		"snakecase": texts(4, 8), "camelcase": texts(4, 8), "kebabcase": texts(4, 8),
		"b64enc": texts(2, 1), "b64dec": texts(1, 2), "b32enc": texts(2, 1), "b32dec": texts(1, 2),
		"encryptAES": texts(2, 3), "decryptAES": texts(1, 3),
		"base": texts(1, 0), "dir": texts(1, 0), "clean": texts(1, 1), "ext": texts(1, 0),
		"osBase": texts(1, 0), "osDir": texts(1, 0), "osClean": texts(1, 1), "osExt": texts(1, 0),
		"regexQuoteMeta": texts(2, 0),
		"date":           texts(4, 4), "date_in_zone": texts(4, 8), "dateInZone": texts(4, 8), "htmlDateInZone": texts(0, 8),
		"date_modify": quoting, "dateModify": quoting, "must_date_modify": quoting, "mustDateModify": quoting,
		"toDate": quoting, "mustToDate": quoting, "duration": texts(0, 2), "durationRound": quoting,
		"atoi": texts(0, 2), "typeIs": texts(0, 1), "typeIsLike": texts(0, 1), "kindIs": texts(0, 1),
		"sha1sum": digests, "sha256sum": digests, "sha512sum": digests, "adler32sum": digests,
		"urlParse": texts(2, 16),
		"urlJoin": func(r *Run, a []value) price {
			m, n := take[map[string]any](a[0]), int64(0)
			for _, key := range []string{"scheme", "host", "path", "query", "opaque", "fragment", "userinfo"} {
				s, _ := m[key].(string)
				n += int64(len(s))
			}
			return price{result: 3 * n, scratch: 8 * n, work: n / 4}
		},
	}
	for _, name := range strings.Fields(`contains hasPrefix hasSuffix isAbs osIsAbs trim trimAll trimall trimSuffix trimPrefix`) {
		table[name] = reads
	}
	return table
}

func indents(r *Run, a []value) price {
	spaces, s := int64(max(0, take[int](a[0]))), textOf(a[1])
	if spaces <= 64 && len(s) <= 64 {
		return price{}
	}
	lines := int64(strings.Count(s, "\n")) + 1
	n := int64(len(s)) + 1 + times(spaces, lines)
	return price{result: n, scratch: n + spaces, work: n / 16}
}

// wraps is the cost of wrap and wrapWith: a line is at least half of the width.
func wraps(r *Run, a []value) price {
	width, s, sep := int64(max(1, take[int](a[0]))), a[len(a)-1], int64(1)
	if len(a) == 3 {
		sep = max(1, int64(len(textOf(a[1]))))
	}
	n := int64(len(textOf(s)))
	lines := min(n, 2*(n/width)+2)
	return price{result: n + times(lines, sep), scratch: 2 * (n + times(lines, sep)), work: n / 4}
}

func digests(_ *Run, a []value) price {
	n := textLen(a)
	if n <= 1024 {
		return price{}
	}
	return price{scratch: n, work: n / 4}
}

// isNumber reports a value whose conversion to a number needs no look at it.
func isNumber(v value) bool {
	switch v.v.(type) {
	case nil, bool, int, int64, float64:
		return true
	}
	return false
}

// converts is the cost of functions of numbers: what is no number is shown in
// full in an error that is dropped.
func converts(r *Run, a []value) price {
	p := price{}
	for i := range a {
		if !isNumber(a[i]) {
			p.scratch += 2 * r.taken(&goSyntax, a[i:i+1]).bytes
		}
	}
	return p
}

// decimals is the cost of functions of decimals, whose digits grow with each.
func decimals(r *Run, a []value) price {
	p := converts(r, a)
	n := int64(len(a))
	p.work = 8 * times(n, n)
	return p
}

func numberCosts() map[string]cost {
	table := map[string]cost{
		"toDecimal": func(r *Run, a []value) price { return price{scratch: 3 * r.taken(&shown, a).bytes} },
		"until": func(r *Run, a []value) price {
			n := take[int](a[0])
			return span(r, 0, n, sign(n), 8)
		},
		"untilStep": func(r *Run, a []value) price {
			return span(r, take[int](a[0]), take[int](a[1]), take[int](a[2]), 8)
		},
		"seq": seqCost,
	}
	for _, name := range strings.Fields("int int64 float64 add add1 sub div mod mul max min biggest maxf minf ceil floor round") {
		table[name] = converts
	}
	for _, name := range strings.Fields("add1f addf subf divf mulf") {
		table[name] = decimals
	}
	return table
}

func sign(n int) int {
	if n < 0 {
		return -1
	}
	return 1
}
