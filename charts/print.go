package charts

import (
	"fmt"
	"io"
	"log/slog"

	"github.com/fairlead-dev/fairlead/charts/internal/fetch"
)

// hiddenText stands for what is not printed.
const hiddenText = "[secret]"

// String returns no values.
func (v WebAppValues) String() string { return "values of a web app" }

// String returns no values.
func (v DatabaseValues) String() string {
	return fmt.Sprintf("values of a database with engine %q", v.Engine)
}

// String returns neither user nor password.
func (a DatabaseAuth) String() string { return "login to a database" }

// String returns neither user nor password.
func (r Registry) String() string { return "login to a registry" }

// String returns no values.
func (c WebAppConfig) String() string {
	return fmt.Sprintf("%d variables and %d files", len(c.Env), len(c.Files))
}

// Format writes [WebAppValues.String] for every verb.
func (v WebAppValues) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, v.String()) }

// Format writes [DatabaseValues.String] for every verb.
func (v DatabaseValues) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, v.String()) }

// Format writes [DatabaseAuth.String] for every verb.
func (a DatabaseAuth) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, a.String()) }

// Format writes [Registry.String] for every verb.
func (r Registry) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, r.String()) }

// Format writes [WebAppConfig.String] for every verb.
func (c WebAppConfig) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, c.String()) }

// LogValue returns [WebAppValues.String].
func (v WebAppValues) LogValue() slog.Value { return slog.StringValue(v.String()) }

// LogValue returns [DatabaseValues.String].
func (v DatabaseValues) LogValue() slog.Value { return slog.StringValue(v.String()) }

// LogValue returns [DatabaseAuth.String].
func (a DatabaseAuth) LogValue() slog.Value { return slog.StringValue(a.String()) }

// LogValue returns [Registry.String].
func (r Registry) LogValue() slog.Value { return slog.StringValue(r.String()) }

// LogValue returns [WebAppConfig.String].
func (c WebAppConfig) LogValue() slog.Value { return slog.StringValue(c.String()) }

// Format writes the options without the password, and without those of URLs.
func (o LoadOptions) Format(f fmt.State, verb rune) {
	type options LoadOptions
	if o.Password != "" {
		o.Password = hiddenText
	}
	o.Repository = fetch.RedactText(o.Repository)
	fmt.Fprintf(f, fmt.FormatString(f, verb), options(o))
}

// LogValue returns what [LoadOptions.Format] writes.
func (o LoadOptions) LogValue() slog.Value { return slog.StringValue(fmt.Sprintf("%+v", o)) }
