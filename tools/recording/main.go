// Recording runs a program in a terminal and keeps what it showed: the frame
// with the most rows, and the last one, as text and as a picture.
//
//	recording -text docs/progress.txt -png docs/progress.png -- go run ./examples/progress
//
// It needs tmux.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"regexp"
	"strings"
	"time"
)

const (
	columns = 96
	lines   = 24
	every   = 100 * time.Millisecond
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "recording:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	text := flag.String("text", "", "`file` for the text")
	png := flag.String("png", "", "`file` for the picture")
	wanted := flag.String("frame", "├─", "`text` that the frame to keep contains")
	flag.Parse()
	if *text == "" || *png == "" || flag.NArg() == 0 {
		return errors.New("usage: recording -text FILE -png FILE -- COMMAND ARGS…")
	}
	best, last, err := record(ctx, *wanted, flag.Args())
	if err != nil {
		return err
	}
	both := append(append(append([]string(nil), best...), ""), last...)
	if err := os.WriteFile(*text, []byte(colours.ReplaceAllString(strings.Join(both, "\n"), "")+"\n"), 0o644); err != nil {
		return err
	}
	return save(*png, both)
}

// record answers the fullest frame that contains wanted, and the last frame.
func record(ctx context.Context, wanted string, command []string) (best, last []string, err error) {
	session := fmt.Sprintf("recording-%d", os.Getpid())
	tmux := func(args ...string) (string, error) {
		out, err := exec.CommandContext(ctx, "tmux", args...).Output()
		return string(out), err
	}
	// The session outlives the command, so that its last frame can be read.
	shell := strings.Join(command, " ") + "; echo; echo recording-has-ended; sleep 60"
	if _, err := tmux("new-session", "-d", "-s", session, "-x", fmt.Sprint(columns), "-y", fmt.Sprint(lines), shell); err != nil {
		return nil, nil, fmt.Errorf("start tmux: %w", err)
	}
	defer func() {
		_, killed := tmux("kill-session", "-t", session)
		err = errors.Join(err, killed)
	}()
	for {
		screen, err := tmux("capture-pane", "-p", "-e", "-t", session)
		if err != nil {
			return nil, nil, fmt.Errorf("read the screen: %w", err)
		}
		rows := strings.Split(strings.TrimRight(screen, "\n "), "\n")
		if plain := colours.ReplaceAllString(screen, ""); strings.Contains(plain, "recording-has-ended") {
			last = rows
			break
		}
		if strings.Contains(screen, wanted) && len(rows) >= len(best) {
			best = rows
		}
		select {
		case <-ctx.Done():
			return nil, nil, ctx.Err()
		case <-time.After(every):
		}
	}
	for len(last) > 0 && (last[len(last)-1] == "" || strings.Contains(last[len(last)-1], "recording-has-ended")) {
		last = last[:len(last)-1]
	}
	if best == nil {
		return nil, nil, fmt.Errorf("no frame contained %q; the last was\n%s", wanted, strings.Join(last, "\n"))
	}
	return best, last, nil
}

// colours are the sequences that set a colour.
var colours = regexp.MustCompile("\x1b\\[([0-9;]*)m")
