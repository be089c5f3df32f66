package storage

import "bytes"

// maxNumber is how many characters a number may have: what parses it copies it
// several times, and repeats it in its error.
const maxNumber = 1000

// hasLongNumber looks for a longer number in JSON, outside of its texts.
func hasLongNumber(text []byte) bool {
	digits := 0
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c == '"':
			digits = 0
			i = endOfText(text, i+1)
		case c >= '0' && c <= '9' || c == '.' || c == '-' || c == '+' || c == 'e' || c == 'E':
			if digits++; digits > maxNumber {
				return true
			}
		default:
			digits = 0
		}
	}
	return false
}

// endOfText returns where the text that begins at i has its closing quote.
func endOfText(text []byte, i int) int {
	for {
		n := bytes.IndexByte(text[i:], '"')
		if n < 0 {
			return len(text)
		}
		end := i + n
		escapes := 0
		for escapes < n && text[end-1-escapes] == '\\' {
			escapes++
		}
		if escapes%2 == 0 {
			return end
		}
		i = end + 1
	}
}
