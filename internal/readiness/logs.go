package readiness

import (
	"context"
	"errors"
	"io"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	typedcore "k8s.io/client-go/kubernetes/typed/core/v1"
)

const (
	maxLogBytes = 64 << 10
	maxLogLine  = 400
)

// maxCrashLogs bounds the containers whose logs are read during a wait.
const maxCrashLogs = 5

// crashLog returns the last log lines of a crashing container. They are read
// once, in the background, when the first crash is seen; nil until then.
func (w *waiter) crashLog(namespace string, t trouble) []string {
	lines, requested := w.logs[t.key]
	if requested || len(w.logs) == maxCrashLogs || w.o.Logs == nil || !crashes(t.cause) || t.pod.Container == "" {
		return lines
	}
	w.logs[t.key] = nil
	pod := *t.pod
	w.background(func() {
		r := reader{ctx: w.ctx, o: w.o}
		if r.logs(namespace, &pod); len(pod.Logs) == 0 {
			return
		}
		select {
		case w.notes <- note{learned: func() { w.logs[t.key] = pod.Logs }}:
		case <-w.ctx.Done():
		}
	})
	return nil
}

// Bounds of reading logs, for all containers together: of a node that does not respond
// they would take as long as the API server tries to connect.
const (
	lookLogsWithin     = time.Second
	diagnoseLogsWithin = 3 * time.Second
)

// within returns a reader all of whose calls together end within a duration from the
// first one.
func (read LogReader) within(d time.Duration) LogReader {
	if read == nil {
		return nil
	}
	deadline := sync.OnceValue(func() time.Time { return time.Now().Add(d) })
	return func(ctx context.Context, namespace, pod, container string, previous bool, lines int64) ([]string, error) {
		ctx, cancel := context.WithDeadline(ctx, deadline())
		defer cancel()
		return read(ctx, namespace, pod, container, previous, lines)
	}
}

// PodLogs reads logs through the API server, bounded in lines and bytes.
func PodLogs(client typedcore.PodsGetter) LogReader {
	return func(ctx context.Context, namespace, pod, container string, previous bool, lines int64) ([]string, error) {
		limit := int64(maxLogBytes)
		body, err := client.Pods(namespace).GetLogs(pod, &corev1.PodLogOptions{
			Container: container, Previous: previous, TailLines: &lines, LimitBytes: &limit,
		}).Stream(ctx)
		if err != nil {
			return nil, err
		}
		data, err := io.ReadAll(io.LimitReader(body, maxLogBytes))
		if err = errors.Join(err, body.Close()); err != nil {
			return nil, err
		}
		return lastLines(string(data), int(lines)), nil
	}
}

// lastLines returns the last n lines of a text, with long lines truncated and
// control characters removed.
func lastLines(s string, n int) []string {
	s = strings.TrimRight(s, "\r\n")
	if s == "" {
		return nil
	}
	out := strings.Split(s, "\n")
	out = out[max(0, len(out)-n):]
	for i, line := range out {
		line = strings.Map(func(r rune) rune {
			if r < ' ' && r != '\t' || r == 0x7f {
				return -1
			}
			return r
		}, line)
		if r := []rune(line); len(r) > maxLogLine {
			line = string(r[:maxLogLine]) + "…"
		}
		out[i] = line
	}
	return out
}
