// Screenshot renders the pictures of the documentation with headless Chromium: a
// report (JSON) as text on a terminal and as an HTML page, or any text with ANSI
// colours as on a terminal:
//
//	go run ./internal/screenshot -report docs/report.json docs
//	go run ./internal/screenshot -terminal frames.txt docs/progress.png
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"html"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/fairlead-dev/fairlead/diff"
)

func main() {
	report := flag.String("report", "", "`file` with a report as JSON; the argument is the folder for its pictures")
	text := flag.String("terminal", "", "`file` with ANSI text; the argument is the picture's file")
	flag.Parse()
	if flag.NArg() != 1 || (*report == "") == (*text == "") {
		flag.Usage()
		os.Exit(2)
	}
	if err := run(*report, *text, flag.Arg(0)); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(report, text, to string) error {
	folder, err := os.MkdirTemp("", "screenshot")
	if err != nil {
		return err
	}
	defer os.RemoveAll(folder)
	if report == "" {
		data, err := os.ReadFile(text)
		if err != nil {
			return err
		}
		return shootTerminal(folder, string(data), to)
	}
	return shootReport(folder, report, to)
}

func shootReport(folder, from, to string) error {
	data, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	var report diff.Report
	if err := json.Unmarshal(data, &report); err != nil {
		return err
	}
	var text, page strings.Builder
	if err := report.WriteText(&text, diff.TextOptions{Color: true, Width: 110}); err != nil {
		return err
	}
	if err := report.WriteHTML(&page, diff.HTMLOptions{}); err != nil {
		return err
	}
	return errors.Join(
		shootTerminal(folder, text.String(), filepath.Join(to, "report-text.png")),
		shoot(folder, page.String(), filepath.Join(to, "report-html.png"), "1180,900"),
	)
}

// shootTerminal takes a picture of text with ANSI colours.
func shootTerminal(folder, text, target string) error {
	columns := 0
	for line := range strings.Lines(escape.ReplaceAllString(text, "")) {
		columns = max(columns, utf8.RuneCountInString(line))
	}
	// A column of the font is 8.43 px wide; the page has a margin of 16 px.
	size := fmt.Sprintf("%d,%d", columns*843/100+40, 19*strings.Count(text, "\n")+40)
	return shoot(folder, terminal(text), target, size)
}

// browsers are the names of Chromium's executable.
var browsers = []string{"chromium", "chromium-browser", "google-chrome", "chrome"}

var errNoBrowser = errors.New("no Chromium found: apt-get install chromium, or put one of " + strings.Join(browsers, ", ") + " on the PATH")

// browse opens a page in headless Chromium, and returns its output: the log on
// stderr, and what args request on stdout.
func browse(folder, address string, args ...string) (stdout, stderr string, err error) {
	browser := ""
	for _, name := range browsers {
		if path, err := exec.LookPath(name); err == nil {
			browser = path
			break
		}
	}
	if browser == "" {
		return "", "", errNoBrowser
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	args = append([]string{"--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--enable-logging=stderr",
		"--user-data-dir=" + filepath.Join(folder, "profile")}, args...)
	command := exec.CommandContext(ctx, browser, append(args, address)...)
	var out, log strings.Builder
	command.Stdout, command.Stderr = &out, &log
	if err := command.Run(); err != nil {
		return "", "", fmt.Errorf("%s: %w\n%s", browser, err, log.String())
	}
	return out.String(), log.String(), nil
}

func shoot(folder, page, target, size string) error {
	target, err := filepath.Abs(target)
	if err != nil {
		return err
	}
	source := filepath.Join(folder, filepath.Base(target)+".html")
	if err := os.WriteFile(source, []byte(page), 0o600); err != nil {
		return err
	}
	if _, _, err = browse(folder, "file://"+source, "--window-size="+size, "--screenshot="+target); err != nil {
		return err
	}
	return shrink(target)
}

// colours are the styles of a report's ANSI codes, for a dark background.
var colours = map[string]string{
	"1": "font-weight:bold", "2": "color:#8b949e", "31": "color:#ff7b72", "32": "color:#56d364",
	"33": "color:#e3b341", "35": "color:#d2a8ff", "36": "color:#76e3ea",
}

var escape = regexp.MustCompile("\x1b\\[([0-9;]*)m")

// terminal returns a page that shows text with its colours.
func terminal(text string) string {
	open := 0
	body := escape.ReplaceAllStringFunc(html.EscapeString(text), func(s string) string {
		code := escape.FindStringSubmatch(s)[1]
		if colours[code] == "" { // resets all styles
			end := strings.Repeat("</span>", open)
			open = 0
			return end
		}
		open++
		return `<span style="` + colours[code] + `">`
	})
	return `<!doctype html><meta charset="utf-8"><body style="margin:0;background:#0d1117;color:#e6edf3">` +
		`<pre style="margin:16px;font:14px/19px 'DejaVu Sans Mono',monospace">` + body + `</pre>`
}
