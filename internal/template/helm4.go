package template

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"reflect"
	"strconv"
	"strings"
	texttemplate "text/template"
	"time"

	"github.com/BurntSushi/toml"
)

// helm4Functions are the functions that Helm 4 has beyond those of Helm 3.
func helm4Functions() texttemplate.FuncMap {
	return texttemplate.FuncMap{
		"mustToYaml":           func(any) (string, error) { return "", nil }, // see lateFunctions
		"mustToToml":           mustToTOML,
		"mustToDuration":       toDuration,
		"durationSeconds":      func(v any) float64 { return orZero(toDuration(v)).Seconds() },
		"durationMilliseconds": func(v any) int64 { return orZero(toDuration(v)).Milliseconds() },
		"durationMicroseconds": func(v any) int64 { return orZero(toDuration(v)).Microseconds() },
		"durationNanoseconds":  func(v any) int64 { return orZero(toDuration(v)).Nanoseconds() },
		"durationMinutes":      func(v any) float64 { return orZero(toDuration(v)).Minutes() },
		"durationHours":        func(v any) float64 { return orZero(toDuration(v)).Hours() },
		"durationDays":         func(v any) float64 { return orZero(toDuration(v)).Hours() / 24 },
		"durationWeeks":        func(v any) float64 { return orZero(toDuration(v)).Hours() / 24 / 7 },
		"durationRoundTo":      func(v, multiple any) time.Duration { return toMultiple(v, multiple, time.Duration.Round) },
		"durationTruncateTo":   func(v, multiple any) time.Duration { return toMultiple(v, multiple, time.Duration.Truncate) },
	}
}

// helm4Costs are their costs. A text that is no duration is quoted in an error.
func helm4Costs() map[string]cost {
	table := map[string]cost{"mustToYaml": nil, "mustToToml": encodes(&tomlForm, 4, 256)}
	for name := range helm4Functions() {
		if strings.Contains(strings.ToLower(name), "duration") {
			table[name] = quoting
		}
	}
	return table
}

var errNotYAML = errors.New("the value cannot be written as YAML")

func mustToTOML(v any) (string, error) {
	var b bytes.Buffer
	if err := toml.NewEncoder(&b).Encode(v); err != nil {
		return "", err
	}
	return b.String(), nil
}

func orZero(d time.Duration, err error) time.Duration {
	if err != nil {
		return 0
	}
	return d
}

// toMultiple is zero for what is no duration, and v itself if multiple is none.
func toMultiple(v, multiple any, to func(d, multiple time.Duration) time.Duration) time.Duration {
	d, err := toDuration(v)
	if err != nil {
		return 0
	}
	m, err := toDuration(multiple)
	if err != nil {
		return d
	}
	return to(d, m)
}

// toDuration reads a duration such as "1h30m", or a number of seconds, as a number
// or a text.
func toDuration(v any) (time.Duration, error) {
	switch t := v.(type) {
	case time.Duration:
		return t, nil
	case nil:
		return 0, errors.New("invalid duration")
	case string:
		text := strings.TrimSpace(t)
		if text == "" {
			return 0, errors.New("empty duration")
		}
		if d, err := time.ParseDuration(text); err == nil {
			return d, nil
		}
		if seconds, err := strconv.ParseFloat(text, 64); err == nil {
			return ofSeconds(seconds)
		}
		return 0, fmt.Errorf("could not parse duration %q", t)
	}
	const most = int64(math.MaxInt64 / int64(time.Second))
	switch n := reflect.ValueOf(v); {
	case n.CanInt() && (n.Int() > most || n.Int() < -most):
		return 0, fmt.Errorf("duration seconds overflow: %d", n.Int())
	case n.CanInt():
		return time.Duration(n.Int()) * time.Second, nil
	case n.CanUint() && n.Uint() > uint64(most):
		return 0, fmt.Errorf("duration seconds overflow: %d", n.Uint())
	case n.CanUint():
		return time.Duration(n.Uint()) * time.Second, nil
	case n.CanFloat():
		return ofSeconds(n.Float())
	}
	return 0, fmt.Errorf("unsupported duration type %T", v)
}

func ofSeconds(seconds float64) (time.Duration, error) {
	if math.IsNaN(seconds) || math.IsInf(seconds, 0) {
		return 0, fmt.Errorf("invalid duration seconds: %v", seconds)
	}
	if nanoseconds := seconds * float64(time.Second); math.Abs(nanoseconds) < math.MaxInt64 {
		return time.Duration(nanoseconds), nil
	}
	return 0, fmt.Errorf("duration seconds overflow: %v", seconds)
}
