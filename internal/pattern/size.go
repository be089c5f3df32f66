// Package pattern measures regular expressions before they are compiled.
package pattern

import "regexp/syntax"

// InstructionBytes is what an instruction of a compiled expression takes, roughly.
const InstructionBytes = 256

// most is the largest size, so that no product of it overflows.
const most = 1 << 40

// Size returns how many instructions an expression compiles to, repetitions
// written out, roughly.
func Size(re *syntax.Regexp) int64 {
	size := int64(1 + len(re.Rune)/4)
	if re.Op == syntax.OpLiteral {
		size = int64(1 + len(re.Rune))
	}
	for _, sub := range re.Sub {
		size += Size(sub)
	}
	if re.Op == syntax.OpRepeat {
		size *= int64(max(re.Min, re.Max, 1))
	}
	return min(size, most)
}
