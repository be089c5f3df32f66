package engine

import (
	"encoding/json"
	"fmt"
	"io"
	"log/slog"

	"github.com/fairlead-dev/fairlead/internal/clean"
)

// String returns the release and its cause, without its values.
func (r Release) String() string {
	s := fmt.Sprintf("release %s, %s", r.Key, r.Values)
	if r.Cause != "" {
		s += ": " + r.Cause
	}
	return clean.Line(s)
}

// GoString returns [Release.String].
func (r Release) GoString() string { return "engine.Release{ " + r.String() + " }" }

// Format writes [Release.String] for every verb.
func (r Release) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, r.String()) }

// LogValue returns [Release.String].
func (r Release) LogValue() slog.Value { return slog.StringValue(r.String()) }

// MarshalJSON writes the release without its values and its source, for logs: a
// release is not stored.
func (r Release) MarshalJSON() ([]byte, error) {
	return json.Marshal(map[string]any{"namespace": r.Namespace, "name": r.Name, "cause": r.Cause, "values": r.Values.String()})
}

// Format writes the options without PlanKey.
func (o Options) Format(f fmt.State, verb rune) {
	type options Options
	o.PlanKey = nil
	fmt.Fprintf(f, fmt.FormatString(f, verb), options(o))
}

// LogValue returns what [Options.Format] writes.
func (o Options) LogValue() slog.Value { return slog.StringValue(fmt.Sprintf("%+v", o)) }

// Format writes nothing of what the engine holds, such as Options.PlanKey.
func (e *Engine) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "engine.Engine") }

// String returns the release and the object, without what is in it.
func (a Access) String() string { return clean.Line(fmt.Sprintf("release %s, %s", a.Key, a.Object)) }

// LogValue returns [Access.String].
func (a Access) LogValue() slog.Value { return slog.StringValue(a.String()) }
