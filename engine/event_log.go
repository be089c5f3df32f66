package engine

import (
	"context"
	"log/slog"

	"github.com/fairlead-dev/fairlead/diff"
	"github.com/fairlead-dev/fairlead/internal/clean"
)

// Observers returns one function for [Options].OnEvent that passes each event
// to all receivers, in the order given. Nil receivers are left out.
func Observers(receivers ...func(Event)) func(Event) {
	return func(e Event) {
		for _, receive := range receivers {
			if receive != nil {
				receive(e)
			}
		}
	}
}

// LogEvents returns a function for [Options].OnEvent that writes events to a
// log. The message is the event's text; attributes are release, call, kind of
// the event, and object, revision, pod, cause, took and error where it has them.
// Failures have level error, Trouble, Skipped, Reverting and Warning have
// warn, frequent events (Waiting, LogLine, Applied of unchanged objects) and
// those of calls that only read have debug, and all others info. With a nil
// logger it returns nil.
func LogEvents(logger *slog.Logger) func(Event) {
	if logger == nil {
		return nil
	}
	return func(e Event) {
		level, attrs := logged(e)
		ctx := context.Background()
		if !logger.Enabled(ctx, level) {
			return
		}
		r := slog.NewRecord(e.Time(), level, e.String(), 0)
		r.AddAttrs(slog.String("release", e.Release().String()))
		if m := e.meta(); m.Call != "" {
			r.AddAttrs(slog.String("call", clean.Line(m.Call)))
		}
		r.AddAttrs(attrs...)
		// There is no one to return the handler's error to.
		_ = logger.Handler().Handle(ctx, r)
	}
}

// logged returns an event's level and attributes.
func logged(e Event) (slog.Level, []slog.Attr) {
	attrs := func(kind string, more ...any) []slog.Attr {
		return slog.Group("", append([]any{"event", kind}, more...)...).Value.Group()
	}
	failedIf := func(err error) slog.Level {
		if err != nil {
			return slog.LevelError
		}
		return slog.LevelInfo
	}
	withError := func(as []slog.Attr, err error) []slog.Attr {
		if err != nil {
			as = append(as, slog.String("error", clean.Text(err.Error())))
		}
		return as
	}
	switch e := e.(type) {
	case Started:
		return slog.LevelInfo, attrs("started", "operation", clean.Line(string(e.Operation)))
	case Ended:
		return failedIf(e.Err), withError(attrs("ended", "operation", clean.Line(string(e.Operation)), "revision", e.Revision, "took", e.Took), e.Err)
	case Planned:
		level := slog.LevelInfo
		if !e.Applied {
			level = slog.LevelDebug
		}
		return level, attrs("planned", "changes", e.Changes)
	case LockWaited:
		return slog.LevelInfo, attrs("lock waited", "holder", clean.Line(e.Holder))
	case Reverting:
		return slog.LevelWarn, attrs("reverting", "failed", e.Failed, "target", e.Target)
	case Recorded:
		return slog.LevelInfo, attrs("recorded", "revision", e.Revision, "status", clean.Line(string(e.Status)))
	case Applied:
		level := slog.LevelInfo
		if e.Action == diff.Unchanged {
			level = slog.LevelDebug
		}
		return level, attrs("applied", "object", e.Object.String(), "action", clean.Line(string(e.Action)), "took", e.Took)
	case Kept:
		return slog.LevelInfo, attrs("kept", "object", e.Object.String(), "reason", clean.Line(e.Reason))
	case Failed:
		return slog.LevelError, withError(attrs("failed", "object", e.Object.String()), e.Err)
	case Skipped:
		return slog.LevelWarn, attrs("skipped", "object", e.Object.String(), "reason", clean.Line(e.Reason))
	case Waiting:
		return slog.LevelDebug, attrs("waiting", "object", e.Object.String(), "ready", e.Ready, "updated", e.Updated, "desired", e.Desired, "reason", clean.Line(e.Reason))
	case Trouble:
		as := attrs("trouble", "object", e.Object.String(), "cause", clean.Line(string(e.Cause)), "reason", clean.Line(e.Reason))
		if e.Pod != nil {
			as = append(as, slog.String("pod", clean.Line(e.Pod.Name)), slog.String("container", clean.Line(e.Pod.Container)))
		}
		return slog.LevelWarn, as
	case LogLine:
		return slog.LevelDebug, attrs("log line", "object", e.Object.String(), "pod", clean.Line(e.Pod), "container", clean.Line(e.Container))
	case Ready:
		return slog.LevelInfo, attrs("ready", "object", e.Object.String(), "state", clean.Line(string(e.State)))
	case Unready:
		return slog.LevelError, attrs("unready", "object", e.Object.String(), "cause", clean.Line(string(e.Diagnosis.Cause)), "reason", clean.Line(e.Diagnosis.Reason))
	case HookStarted:
		return slog.LevelInfo, attrs("hook started", "object", e.Object.String(), "hook", clean.Line(e.Event))
	case HookEnded:
		return failedIf(e.Err), withError(attrs("hook ended", "object", e.Object.String(), "hook", clean.Line(e.Event), "took", e.Took), e.Err)
	case Warning:
		return slog.LevelWarn, attrs("warning")
	}
	return slog.LevelInfo, nil
}
