package charts

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"testing/fstest"
	"time"

	"github.com/fairlead-dev/fairlead/render"
)

// versioned returns a chart of a version.
func versioned(t *testing.T, version string) *render.Chart {
	t.Helper()
	chart, err := render.LoadFS(fstest.MapFS{"Chart.yaml": {Data: []byte("apiVersion: v2\nname: shop\nversion: " + version + "\n")}})
	if err != nil {
		t.Fatal(err)
	}
	return chart
}

func TestRefresher(t *testing.T) {
	changed := make(chan string, 16)
	r := NewRefresher(RefresherOptions{OnChange: func(user string) { changed <- user }, RetryAfter: time.Nanosecond})
	at := Location{Ref: "oci://example.com/shop"}
	type loaded struct {
		chart *render.Chart
		err   error
	}
	source := make(chan loaded)
	var loads atomic.Int32
	load := func(context.Context) (*render.Chart, error) {
		loads.Add(1)
		l := <-source
		return l.chart, l.err
	}
	version := func(user string, every time.Duration) (string, error) {
		chart, _, err := r.Chart(user, at, every, load)
		if err != nil {
			return "", err
		}
		return chart.Info().Version, nil
	}

	for range 3 {
		if _, err := version("a", time.Hour); !errors.Is(err, ErrLoading) {
			t.Fatal(err)
		}
	}
	if _, err := version("b", time.Hour); !errors.Is(err, ErrLoading) {
		t.Fatal(err)
	}
	source <- loaded{versioned(t, "1.0.0"), nil}
	if got := <-changed + <-changed; got != "ab" && got != "ba" {
		t.Errorf("changed %s", got)
	}
	if v, err := version("a", time.Hour); v != "1.0.0" || err != nil || loads.Load() != 1 {
		t.Errorf("%s, %v after %d loads", v, err, loads.Load())
	}

	// It is looked for again, and stays what it is if that fails.
	version("a", time.Nanosecond)
	source <- loaded{nil, errors.New("unreachable")}
	if v, err := version("b", time.Hour); v != "1.0.0" || err != nil {
		t.Errorf("%s, %v", v, err)
	}
	for attempts := loads.Load(); loads.Load() == attempts; { // until the failure is recorded, and tried again
		version("a", time.Hour)
	}
	source <- loaded{versioned(t, "1.1.0"), nil}
	<-changed
	<-changed
	if v, err := version("b", time.Hour); v != "1.1.0" || err != nil {
		t.Errorf("%s, %v", v, err)
	}

	// One that no one uses is dropped; another login is another location.
	r.Forget("a")
	r.Forget("b")
	if len(r.found)+len(r.uses) != 0 {
		t.Errorf("left: %v, %v", r.found, r.uses)
	}
	at.Password = "x"
	if _, err := version("a", 0); !errors.Is(err, ErrLoading) {
		t.Fatal(err)
	}
	source <- loaded{nil, errors.New("refused")}
	<-changed
	if _, err := version("a", 0); err == nil || !strings.Contains(err.Error(), "refused") {
		t.Fatal(err)
	}
	source <- loaded{versioned(t, "1.0.0"), nil}
	<-changed
	count := loads.Load()
	if v, err := version("a", 0); v != "1.0.0" || err != nil || loads.Load() != count {
		t.Errorf("%s, %v", v, err)
	}
}
