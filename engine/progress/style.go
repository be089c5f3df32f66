package progress

import (
	"io"
	"os"

	"golang.org/x/term"
)

// Style is a way to show progress.
type Style int

const (
	// Auto is Live on a terminal, otherwise GitHub or GitLab by the environment,
	// otherwise Plain.
	Auto   Style = iota
	Live         // an animated tree
	Plain        // a line for each event
	GitHub       // lines in groups of GitHub Actions
	GitLab       // lines in sections of GitLab CI
)

// Options configures a view. The zero value adapts to the output.
type Options struct {
	Style Style
	// Getenv returns environment variables: GITHUB_ACTIONS, GITLAB_CI, NO_COLOR,
	// TERM. Nil: os.Getenv.
	Getenv func(string) string
	// Width of a live view in columns. 0: the terminal's, or 80.
	Width int
	// Rows is the maximum height of a live view; rows that do not fit are
	// counted. 0: 16.
	Rows int
}

func (o Options) getenv(name string) string {
	if o.Getenv == nil {
		return os.Getenv(name)
	}
	return o.Getenv(name)
}

func (o Options) style(w io.Writer) Style {
	switch {
	case o.Style != Auto:
		return o.Style
	case isTerminal(w) && o.getenv("TERM") != "dumb":
		return Live
	case o.getenv("GITHUB_ACTIONS") == "true":
		return GitHub
	case o.getenv("GITLAB_CI") == "true":
		return GitLab
	}
	return Plain
}

func (o Options) colour(w io.Writer) bool {
	return isTerminal(w) && o.getenv("NO_COLOR") == "" && o.getenv("TERM") != "dumb"
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(interface{ Fd() uintptr })
	return ok && term.IsTerminal(int(f.Fd()))
}
