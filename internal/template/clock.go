package template

import (
	"time"
)

// clockFunctions are the functions of dates that read the clock, also where their
// argument is no time, and those of local time. In a run with a fixed time they
// use that instead, and UTC.
func clockFunctions(table map[string]*function) map[string]impl {
	fixed := map[string]impl{
		"ago": ago, "durationRound": roundSince(table["durationRound"].call),
		"date": func(r *Run, a []value) (value, error) { return r.dated(textOf(a[0]), a[1], "UTC"), nil },
		"htmlDate": func(r *Run, a []value) (value, error) {
			return r.dated(time.DateOnly, a[0], "UTC"), nil
		},
		"htmlDateInZone": func(r *Run, a []value) (value, error) {
			return r.dated(time.DateOnly, a[0], textOf(a[1])), nil
		},
		"toDate": func(_ *Run, a []value) (value, error) {
			t, _ := time.Parse(textOf(a[0]), textOf(a[1]))
			return concrete(t), nil
		},
		"mustToDate": func(_ *Run, a []value) (value, error) {
			t, err := time.Parse(textOf(a[0]), textOf(a[1]))
			return concrete(t), err
		},
	}
	for _, name := range []string{"dateInZone", "date_in_zone"} {
		fixed[name] = func(r *Run, a []value) (value, error) { return r.dated(textOf(a[0]), a[1], textOf(a[2])), nil }
	}
	for name, call := range fixed {
		clock := table[name].call
		fixed[name] = func(r *Run, a []value) (value, error) {
			if r.fixed.IsZero() {
				return clock(r, a)
			}
			return call(r, a)
		}
	}
	return fixed
}

// dated formats a time in a zone. What is no time is that of the run; a zone that
// is unknown or local is UTC.
func (r *Run) dated(layout string, v value, zone string) value {
	at := r.fixed
	switch t := v.any().(type) {
	case time.Time:
		at = t
	case *time.Time:
		if t != nil {
			at = *t
		}
	case int64:
		at = time.Unix(t, 0)
	case int:
		at = time.Unix(int64(t), 0)
	case int32:
		at = time.Unix(int64(t), 0)
	}
	location, err := time.LoadLocation(zone)
	if err != nil || location == time.Local {
		location = time.UTC
	}
	return concrete(at.In(location).Format(layout))
}

// ago is how long ago an argument was, as a duration.
func ago(r *Run, a []value) (value, error) {
	then := r.fixed
	switch t := a[0].any().(type) {
	case time.Time:
		then = t
	case int64:
		then = time.Unix(t, 0)
	case int:
		then = time.Unix(int64(t), 0)
	}
	return concrete(r.fixed.Sub(then).Round(time.Second).String()), nil
}

// roundSince calls durationRound with how long ago its argument was, if that is a
// time.
func roundSince(round impl) impl {
	return func(r *Run, a []value) (value, error) {
		if t, ok := a[0].any().(time.Time); ok {
			a = []value{of(int64(r.fixed.Sub(t)))}
		}
		return round(r, a)
	}
}
