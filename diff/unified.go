package diff

// textLine is a line of a difference: ' ' in both, '-' in the old text, '+' in
// the new one, '@' for omitted lines.
type textLine struct {
	op   byte
	text string
}

// maxLines bounds what is compared line by line; beyond, all old lines are
// shown removed and all new ones added.
const maxLines = 2000

// unified returns the difference of two texts with context lines around each
// change.
func unified(old, now []string, context int) []textLine {
	all := lineDiff(old, now)
	keep := make([]bool, len(all))
	for i, l := range all {
		if l.op == ' ' {
			continue
		}
		for j := max(0, i-context); j <= min(len(all)-1, i+context); j++ {
			keep[j] = true
		}
	}
	var out []textLine
	for i, l := range all {
		switch {
		case keep[i]:
			out = append(out, l)
		case i == 0 || keep[i-1]:
			out = append(out, textLine{op: '@'})
		}
	}
	return out
}

// lineDiff returns the shortest difference of two texts, by the longest common
// subsequence of what is between their common prefix and suffix.
func lineDiff(old, now []string) []textLine {
	var out, tail []textLine
	for len(old) > 0 && len(now) > 0 && old[0] == now[0] {
		out = append(out, textLine{' ', old[0]})
		old, now = old[1:], now[1:]
	}
	for len(old) > 0 && len(now) > 0 && old[len(old)-1] == now[len(now)-1] {
		tail = append(tail, textLine{' ', old[len(old)-1]})
		old, now = old[:len(old)-1], now[:len(now)-1]
	}
	if len(old) <= maxLines && len(now) <= maxLines {
		out = append(out, lcs(old, now)...)
	} else {
		for _, l := range old {
			out = append(out, textLine{'-', l})
		}
		for _, l := range now {
			out = append(out, textLine{'+', l})
		}
	}
	for i := len(tail) - 1; i >= 0; i-- {
		out = append(out, tail[i])
	}
	return out
}

func lcs(old, now []string) []textLine {
	w := len(now) + 1
	// common[i*w+j] is the length of the longest common subsequence of
	// old[i:] and now[j:].
	common := make([]uint16, (len(old)+1)*w)
	for i := len(old) - 1; i >= 0; i-- {
		for j := len(now) - 1; j >= 0; j-- {
			if old[i] == now[j] {
				common[i*w+j] = common[(i+1)*w+j+1] + 1
			} else {
				common[i*w+j] = max(common[(i+1)*w+j], common[i*w+j+1])
			}
		}
	}
	var out []textLine
	i, j := 0, 0
	for i < len(old) || j < len(now) {
		switch {
		case i < len(old) && j < len(now) && old[i] == now[j]:
			out = append(out, textLine{' ', old[i]})
			i, j = i+1, j+1
		case i < len(old) && (j == len(now) || common[(i+1)*w+j] >= common[i*w+j+1]):
			out = append(out, textLine{'-', old[i]})
			i++
		default:
			out = append(out, textLine{'+', now[j]})
			j++
		}
	}
	return out
}
