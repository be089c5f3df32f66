package readiness

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
)

// NotReady is returned by Wait and lists the objects that did not become ready,
// and why. It unwraps to the context's error when the wait was cut short, and to
// a *FeedError when the API server could not be watched.
type NotReady struct {
	Objects []Diagnosis // not ready, those with a cause first
	Total   int         // objects waited for
	Waited  time.Duration
	Err     error // why the wait ended; nil: an object will not become ready
}

func (e *NotReady) Unwrap() error { return e.Err }

// Error prints what is wrong, where, and what to try: one line for all, then
// a paragraph for each object with a cause, and a line for each of the rest.
func (e *NotReady) Error() string {
	var b strings.Builder
	b.WriteString(e.headline())
	for _, d := range e.Objects {
		b.WriteString("\n")
		d.write(&b)
	}
	return b.String()
}

func (e *NotReady) headline() string {
	waited := e.Waited.Round(100 * time.Millisecond)
	first := fmt.Sprintf("%d of %d objects not ready", len(e.Objects), e.Total)
	if e.Total == 1 {
		first = "not ready"
	}
	var feed *FeedError
	switch {
	case errors.Is(e.Err, ErrInProgress):
		return fmt.Sprintf("%s after %v", first, waited)
	case e.Err == nil:
		return fmt.Sprintf("%s after %v, and waiting longer will not help", first, waited)
	case errors.Is(e.Err, context.DeadlineExceeded) && errors.As(e.Err, &feed):
		return fmt.Sprintf("%s by the last known state: timed out after %v: %v", first, waited, feed)
	case errors.Is(e.Err, context.DeadlineExceeded):
		return fmt.Sprintf("%s: timed out after %v", first, waited)
	case errors.As(e.Err, &feed):
		return fmt.Sprintf("%s by the last known state after %v: %v", first, waited, feed)
	}
	return fmt.Sprintf("%s: the wait was stopped after %v: %v", first, waited, e.Err)
}

// String returns the diagnosis as text, without a final newline.
func (d Diagnosis) String() string {
	var b strings.Builder
	d.write(&b)
	return b.String()
}

func (d Diagnosis) object() string {
	return Target{Kind: d.Kind, Namespace: d.Namespace, Name: d.Name}.String()
}

func (d Diagnosis) write(b *strings.Builder) {
	fmt.Fprintf(b, "%s: ", d.object())
	if d.Desired > 0 {
		fmt.Fprintf(b, "%d of %d ready: ", d.Ready, d.Desired)
	}
	b.WriteString(summary(d.Cause, d.Reason, d.Message))
	same := d.Message
	for _, p := range d.Pods {
		b.WriteString("\n  ")
		p.write(b, same)
	}
	for _, ev := range d.Events {
		if repeats(ev.Message, same) || mentions(d.Pods, ev.Message) {
			continue
		}
		fmt.Fprintf(b, "\n  event of %s: %s: %s", ev.Object, ev.Reason, oneLine(ev.Message))
		if ev.Count > 1 {
			fmt.Fprintf(b, " (%d times)", ev.Count)
		}
	}
	if d.Hint != "" {
		fmt.Fprintf(b, "\n  try: %s", d.Hint)
	}
}

func (p PodDiagnosis) write(b *strings.Builder, same string) {
	fmt.Fprintf(b, "pod %s", p.Name)
	if p.Node != "" {
		fmt.Fprintf(b, " on %s", p.Node)
	}
	if p.Container != "" {
		what := "container"
		if p.Init {
			what = "init container"
		}
		fmt.Fprintf(b, ", %s %s", what, p.Container)
	}
	if p.Old {
		b.WriteString(", of the old revision")
	}
	fmt.Fprintf(b, ": %s", p.Reason)
	if p.Message != "" && p.Message != same {
		fmt.Fprintf(b, ": %s", oneLine(p.Message))
	}
	var facts []string
	if p.ExitCode != 0 {
		facts = append(facts, fmt.Sprintf("exit code %d", p.ExitCode))
	}
	if p.Restarts > 0 {
		facts = append(facts, counted(p.Restarts, "restart", "restarts"))
	}
	if p.Image != "" && (p.Cause == CauseImagePull || p.Cause == CauseImageRefused) {
		facts = append(facts, "image "+p.Image)
	}
	if len(facts) > 0 {
		fmt.Fprintf(b, " (%s)", strings.Join(facts, ", "))
	}
	for _, line := range p.Logs {
		fmt.Fprintf(b, "\n    | %s", line)
	}
}

// summary returns the headline of one object.
func summary(c Cause, reason, message string) string {
	words := map[Cause]string{
		CauseImagePull:      "its image cannot be pulled at the moment",
		CauseImageRefused:   "its image cannot be pulled",
		CauseCrashLoop:      "a container keeps crashing",
		CauseOutOfMemory:    "a container runs out of memory",
		CauseConfig:         "an object that its pods need is missing",
		CauseUnschedulable:  "its pods cannot be scheduled",
		CauseClaim:          "a volume claim is not bound",
		CauseClaimRefused:   "a volume claim cannot be bound",
		CauseQuota:          "a quota does not allow its pods",
		CauseLimits:         "a limit range does not allow its pods",
		CauseAdmission:      "its pods are not admitted",
		CauseServiceAccount: "its service account does not exist",
		CauseUnready:        "its pods run but do not become ready",
		CauseEvicted:        "a pod was evicted",
		CausePodFailed:      "a pod has failed",
		CauseDeadline:       "its progress deadline is exceeded",
		CauseFinal:          "it has failed",
		CauseStalled:        "it is stalled",
		CauseGone:           "it was deleted or replaced",
		CauseGated:          "a scheduling gate blocks its pods",
		CauseTimeout:        "still in progress",
	}[c]
	parts := make([]string, 0, 3)
	for _, s := range []string{words, reason, oneLine(message)} {
		if s != "" {
			parts = append(parts, s)
		}
	}
	return strings.Join(parts, ": ")
}

func mentions(pods []PodDiagnosis, message string) bool {
	for _, p := range pods {
		if repeats(message, p.Message) {
			return true
		}
	}
	return false
}

// repeats reports whether an event only repeats a message, as events often do
// with a few more words.
func repeats(event, message string) bool {
	return message != "" && strings.Contains(event, message)
}

// counted returns a number with its noun.
func counted(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

// podsOf returns "2 of 3 pods are ready", or "0 of 1 pod is ready", where do is
// "are ready".
func podsOf(some, all int, do string) string {
	if all == 1 {
		do = strings.NewReplacer("are ", "is ", "exist", "exists").Replace(do)
	}
	return fmt.Sprintf("%d of %s %s", some, counted(all, "pod", "pods"), do)
}

// oneLine returns a message with its line breaks replaced by spaces.
func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }
