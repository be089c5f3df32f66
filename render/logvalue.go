package render

import "log/slog"

// LogValue returns [Values.String], for logs in any format. A struct of the
// caller's with values in it is written by encoding/json where the log is JSON:
// give the log the values themselves, or their String.
func (v Values) LogValue() slog.Value { return slog.StringValue(v.String()) }

// LogValue returns [Layer.String].
func (l Layer) LogValue() slog.Value { return slog.StringValue(l.String()) }

// LogValue returns [Input.String].
func (in Input) LogValue() slog.Value { return slog.StringValue(in.String()) }
