package clean

import (
	"html"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

// apart is a space of no width. Between a sign and what follows, it keeps a
// renderer from making a mention or a link of both.
const apart = "&#8203;"

// Markdown returns s as plain text on one line of Markdown: nothing in it is
// markup, HTML, an image, a link, a mention, or a reference to an issue, for
// GitHub and GitLab, which look for these in rendered text too.
func Markdown(s string) string {
	s = strings.Join(strings.Fields(Line(s)), " ")
	var b strings.Builder
	for i, r := range s {
		switch r {
		case '&':
			b.WriteString("&amp;")
		case '<':
			b.WriteString("&lt;")
		case '>':
			b.WriteString("&gt;")
		case '\\', '`', '*', '_', '[', ']', '#', '|', '~', '!', '$', '^', '{', '}':
			b.WriteByte('\\')
			b.WriteRune(r)
		case '-', '+', '=', '/':
			if i == 0 {
				b.WriteByte('\\') // a list, a heading, or a quick action of GitLab
			}
			b.WriteRune(r)
		case '.', ')':
			if isNumber(s[:i]) {
				b.WriteByte('\\') // a numbered list
			}
			b.WriteRune(r)
		default:
			b.WriteRune(r)
		}
		if links(r, s[i+utf8.RuneLen(r):]) {
			b.WriteString(apart)
		}
	}
	return unlinked(b.String())
}

// MarkdownHTML returns s as text for HTML inside of Markdown, on one line.
func MarkdownHTML(s string) string {
	var b strings.Builder
	s = Line(s)
	for i, r := range s {
		b.WriteString(html.EscapeString(string(r)))
		if links(r, s[i+utf8.RuneLen(r):]) {
			b.WriteString(apart)
		}
	}
	return unlinked(b.String())
}

func isNumber(s string) bool {
	return s != "" && strings.Trim(s, "0123456789") == ""
}

// links reports whether a sign and what follows it become a mention or a
// reference: @user, #1, !1, $1, ~label, %milestone, &epic, ^alert.
func links(sign rune, rest string) bool {
	next, size := utf8.DecodeRuneInString(rest)
	return strings.ContainsRune("@#!$~%&^", sign) && size > 0 && (next == '"' || next == '_' || next == '-' || unicode.IsLetter(next) || unicode.IsDigit(next))
}

// addresses matches the beginning of what becomes a link by itself.
var addresses = regexp.MustCompile(`(?i)([a-z]:)(//)|(www)(\.)|(gh-)([0-9])`)

func unlinked(s string) string {
	return addresses.ReplaceAllString(s, "$1$3$5"+apart+"$2$4$6")
}
