package clean

import (
	"html"
	"regexp"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

// TestAttackLine has what was tried against terminals, readers and CI systems.
func TestAttackLine(t *testing.T) {
	for name, c := range map[string]struct{ in, want string }{
		"colour":                    {"\x1b[31mred", `\u001b[31mred`},
		"title of the window":       {"\x1b]0;owned\x07", `\u001b]0;owned\u0007`},
		"C1 introducer":             {"\u009b31m", `\u009b31m`},
		"C1 as a bare byte":         {"\x9b31m", "\ufffd31m"},
		"device control":            {"\x1bP+q\x1b\\", `\u001bP+q\u001b\`},
		"link of a terminal":        {"\x1b]8;;http://a\x07b", `\u001b]8;;http://a\u0007b`},
		"backspace":                 {"ok\b\bno", `ok\u0008\u0008no`},
		"delete":                    {"a\x7fb", `a\u007fb`},
		"overwriting":               {"failed\rok", "failed ok"},
		"new line":                  {"a\nb", "a b"},
		"new lines of other kinds":  {"a\u2028b\u2029c\u0085d\vf\fg", "a b c d f g"},
		"NUL":                       {"a\x00b", `a\u0000b`},
		"right to left":             {"a\u202eb\u202c", `a\u202eb\u202c`},
		"isolates":                  {"\u2066a\u2067b\u2068c\u2069", `\u2066a\u2067b\u2068c\u2069`},
		"marks of direction":        {"\u200ea\u200fb\u061c", `\u200ea\u200fb\u061c`},
		"zero width":                {"a\u200bb\u200cc\u200dd\u2060\ufeff", `a\u200bb\u200cc\u200dd\u2060\ufeff`},
		"soft hyphen":               {"pass\u00adword", `pass\u00adword`},
		"invisible letters":         {"a\u3164b\u115f\uffa0", `a\u3164b\u115f\uffa0`},
		"tags":                      {"a\U000e0041", `a\U000e0041`},
		"variation selectors":       {"a\U000e0100", `a\U000e0100`},
		"private use":               {"\ue000", `\ue000`},
		"annotation anchors":        {"\ufff9a\ufffa", `\ufff9a\ufffa`},
		"command":                   {"::error::x", ": :error::x"},
		"command behind space":      {" \t ::set-env name=x::y", "   : :set-env name=x::y"},
		"command behind odd space":  {"\u00a0\u3000::add-mask::x", "\u00a0\u3000: :add-mask::x"},
		"command behind a break":    {"\r\n::stop-commands::x", " : :stop-commands::x"},
		"command behind zero width": {"\u200b::error::x", `\u200b::error::x`},
		"older command":             {"a ##[error]x", "a ## [error]x"},
		"Azure":                     {"a ##vso[task.setvariable variable=x]y", "a ## vso[task.setvariable variable=x]y"},
		"TeamCity":                  {"##teamcity[buildStop]", "## teamcity[buildStop]"},
		"more number signs":         {"###[group]", "### [group]"},
		"section of GitLab":         {"section_start:1:x\r\x1b[0K", `section_start:1:x \u001b[0K`},
		"an address is none":        {"listens on ::1", "listens on ::1"},
		"plain":                     {"Grüße, 日本 ⚠️", "Grüße, 日本 ⚠️"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := Line(c.in); got != c.want {
				t.Errorf("Line(%q) = %q, want %q", c.in, got, c.want)
			}
		})
	}
}

func TestText(t *testing.T) {
	for in, want := range map[string]string{
		"a\r\nb\n":           "a\nb\n",
		"a\rb":               `a\rb`,
		"\tat f()\n\t::x::y": "\tat f()\n\t: :x::y",
		"a\n ##[group]b":     "a\n ## [group]b",
		"a\x1b[2J\n":         "a\\u001b[2J\n",
		"a\u2028::b":         `a\u2028::b`,
	} {
		if got := Text(in); got != want {
			t.Errorf("Text(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestAttackMarkdown(t *testing.T) {
	for name, c := range map[string]struct{ in, want string }{
		"mention":            {"by @admin", "by @&#8203;admin"},
		"team":               {"@org/team", "@&#8203;org/team"},
		"mail":               {"a@b.example", "a@&#8203;b.example"},
		"link":               {"[x](http://a)", `\[x\](http:&#8203;//a)`},
		"bare address":       {"see https://a.example/x", "see https:&#8203;//a.example/x"},
		"bare address, www":  {"WWW.a.example", "WWW&#8203;.a.example"},
		"ftp":                {"ftp://a", "ftp:&#8203;//a"},
		"angle brackets":     {"<https://a>", "&lt;https:&#8203;//a&gt;"},
		"image":              {"![x](//a/b.png)", `\!\[x\](//a/b.png)`},
		"HTML":               {"<img src=x onerror=y>", "&lt;img src=x onerror=y&gt;"},
		"comment":            {"<!-- x", "&lt;\\!&#8203;-- x"},
		"entity":             {"&lt;b&gt;", "&amp;&#8203;lt;b&amp;&#8203;gt;"},
		"reference":          {"closes #12", `closes \#&#8203;12`},
		"reference, GH":      {"gh-12", "gh-&#8203;12"},
		"merge request":      {"!12", `\!&#8203;12`},
		"label":              {`~"bug"`, `\~&#8203;"bug"`},
		"quick action":       {"/close", `\/close`},
		"heading":            {"a\n# b", `a \# b`},
		"code":               {"`x`", "\\`x\\`"},
		"emphasis":           {"*a* _b_ ~c~", `\*a\* \_b\_ \~&#8203;c\~`},
		"table":              {"a|b", `a\|b`},
		"list":               {"- a", `\- a`},
		"numbered list":      {"1. a", `1\. a`},
		"rule":               {"---", `\---`},
		"quote":              {"> a", "&gt; a"},
		"mathematics":        {"$x$", `\$&#8203;x\$`},
		"code by indenting":  {"     a", "a"},
		"a break of a block": {"a\n\n<script>", "a &lt;script&gt;"},
		"backslash":          {`\<a>`, `\\&lt;a&gt;`},
		"direction":          {"\u202ea", `\\u202ea`},
	} {
		t.Run(name, func(t *testing.T) {
			if got := Markdown(c.in); got != c.want {
				t.Errorf("Markdown(%q) = %q, want %q", c.in, got, c.want)
			}
		})
	}
	if got, want := MarkdownHTML("<b> @a #1 https://x\n"), "&lt;b&gt; @&#8203;a #&#8203;1 https:&#8203;//x "; got != want {
		t.Errorf("MarkdownHTML: %q, want %q", got, want)
	}
}

var command = regexp.MustCompile(`(?i)##[a-z]*\[`)

var reference = regexp.MustCompile(`[@#!][\pL\d]`)

func FuzzClean(f *testing.F) {
	for _, s := range []string{"", "a\nb", "::error::", "\r\n ::x", "##[x]", "###vso[", "\x1b[0m\u202e", "\u200b::", "@a <b> https://c", "\u2028::x\u0085::y", "\xff", "a\r\r\n::b", "&#64;", "1. a", "::::", "#\r#[x]"} {
		f.Add(s)
	}
	safe := func(t *testing.T, what, out string, lines bool) {
		t.Helper()
		if !utf8.ValidString(out) {
			t.Errorf("%s: invalid UTF-8: %q", what, out)
		}
		for _, r := range out {
			if unicode.IsControl(r) && (!lines || r != '\n' && r != '\t') || unicode.In(r, unicode.Cf, unicode.Zl, unicode.Zp, unicode.Co) {
				t.Errorf("%s: %U in %q", what, r, out)
			}
		}
		for line := range strings.Lines(out) {
			if strings.HasPrefix(strings.TrimLeftFunc(line, unicode.IsSpace), "::") || command.MatchString(line) {
				t.Errorf("%s: a command in %q", what, out)
			}
		}
	}
	f.Fuzz(func(t *testing.T, s string) {
		line, text := Line(s), Text(s)
		safe(t, "Line", line, false)
		safe(t, "Text", text, true)
		if Line(line) != line || Text(text) != text {
			t.Errorf("cleaned again: %q, %q", Line(line), Text(text))
		}
		md, in := Markdown(s), MarkdownHTML(s)
		safe(t, "Markdown", md, false)
		safe(t, "MarkdownHTML", in, false)
		for _, out := range []string{md, in} {
			// What a renderer makes of it, in which it looks for references.
			shown := html.UnescapeString(out)
			if strings.ContainsAny(out, "<>") || strings.Contains(shown, "://") || reference.MatchString(shown) {
				t.Errorf("markup, a link or a mention: %q", out)
			}
		}
	})
}

func TestShort(t *testing.T) {
	for name, c := range map[string]struct{ text, want string }{
		"short":    {"web", "web"},
		"long":     {strings.Repeat("é", 30), strings.Repeat("é", 10) + "…"},
		"just":     {strings.Repeat("é", 10), strings.Repeat("é", 10)},
		"huge":     {strings.Repeat("a", 1<<20), strings.Repeat("a", 10) + "…"},
		"lines":    {"a\nb", "a b"},
		"cut rune": {strings.Repeat("a", 39) + "é", strings.Repeat("a", 10) + "…"},
		"invalid":  {"a\xff", "a\uFFFD"},
	} {
		if got := Short(c.text, 10); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}
