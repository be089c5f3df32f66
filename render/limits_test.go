package render

import (
	"bytes"
	"errors"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"
)

func TestDefaultLimitsAreAllSetAndRaisedOneByOne(t *testing.T) {
	defaults := reflect.ValueOf(DefaultLimits())
	for i := range defaults.NumField() {
		name := defaults.Type().Field(i).Name
		if defaults.Field(i).Int() <= 0 {
			t.Errorf("%s has no default", name)
		}
		var own Limits
		reflect.ValueOf(&own).Elem().Field(i).SetInt(7)
		raised := reflect.ValueOf(own.WithDefaults())
		for j := range raised.NumField() {
			want := defaults.Field(j).Int()
			if i == j {
				want = 7
			}
			if raised.Field(j).Int() != want {
				t.Errorf("with %s set, %s is %d, want %d", name, defaults.Type().Field(j).Name, raised.Field(j).Int(), want)
			}
		}
	}
}

func TestLimitErrorsHaveUnits(t *testing.T) {
	for want, e := range map[string]*LimitError{
		"limit ResultBytes (16 MiB) exceeded by x.yaml":           {Limit: "ResultBytes", Max: 16 << 20, Subject: "x.yaml"},
		"limit FileBytes (1000 bytes) exceeded":                   {Limit: "FileBytes", Max: 1000},
		"limit Time (30s) exceeded":                               {Limit: "Time", Max: int64(30 * time.Second)},
		"limit Entries (20000 files and folders) exceeded by a/b": {Limit: "Entries", Max: 20000, Subject: "a/b"},
		"limit Ratio (200 times the archive) exceeded":            {Limit: "Ratio", Max: 200},
		"limit Depth (16 levels) exceeded":                        {Limit: "Depth", Max: 16},
		"limit SchemaSteps (10 steps) exceeded":                   {Limit: "SchemaSteps", Max: 10},
	} {
		if e.Error() != want {
			t.Errorf("%q, want %q", e.Error(), want)
		}
	}
	fields := reflect.TypeFor[Limits]()
	for i := range fields.NumField() {
		if name := fields.Field(i).Name; limitText(name, 3) == "3" {
			t.Errorf("the value of %s has no unit", name)
		}
	}
}

// The hint names the limit, not an option of another function.
func TestLimitHintNamesTheLimit(t *testing.T) {
	_, err := Loader{Limits: Limits{FileBytes: 10}}.Archive(t.Context(), bytes.NewReader(packed(t, entry{name: "web/Chart.yaml", text: hostileChart})))
	var breach *LimitError
	if !errors.As(err, &breach) || !strings.Contains(err.Error(), "raise FileBytes") || strings.Contains(err.Error(), "Loader") {
		t.Errorf("%v", err)
	}
}

// docs/rendering.md has one table of all limits.
func TestLimitsAreDocumented(t *testing.T) {
	text, err := os.ReadFile("../docs/rendering.md")
	if err != nil {
		t.Fatal(err)
	}
	fields := reflect.TypeFor[Limits]()
	for i := range fields.NumField() {
		if name := fields.Field(i).Name; strings.Count(string(text), "\n| `"+name+"` |") != 1 {
			t.Errorf("docs/rendering.md has no row for %s", name)
		}
	}
}
