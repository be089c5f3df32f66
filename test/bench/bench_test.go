package main

import (
	"encoding/xml"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestVerbs(t *testing.T) {
	for request, want := range map[string]string{
		"GET /api":                           "discovery",
		"GET /apis":                          "discovery",
		"GET /api/v1":                        "discovery",
		"GET /apis/apps/v1":                  "discovery",
		"GET /openapi/v3/apis/apps/v1":       "discovery",
		"GET /version":                       "discovery",
		"GET /api/v1/namespaces":             "list",
		"GET /api/v1/namespaces/shop":        "get",
		"GET /api/v1/namespaces/shop/pods":   "list",
		"GET /api/v1/namespaces/shop/pods/a": "get",
		"GET /apis/apps/v1/namespaces/shop/deployments?watch=1": "watch",
		"PATCH /apis/apps/v1/namespaces/shop/deployments/a":     "patch",
		"PATCH /api/v1/namespaces/shop/configmaps/a?dryRun=All": "dry-run",
		"POST /api/v1/namespaces/shop/secrets":                  "create",
		"PUT /api/v1/namespaces/shop/secrets/a":                 "update",
		"DELETE /api/v1/namespaces/shop/secrets/a":              "delete",
		"DELETE /api/v1/namespaces/shop/secrets":                "deletecollection",
	} {
		method, url, _ := strings.Cut(request, " ")
		req, err := http.NewRequest(method, "https://cluster"+url, nil)
		if err != nil {
			t.Fatal(err)
		}
		if got := verbOf(req); got != want {
			t.Errorf("%s: %s, want %s", request, got, want)
		}
	}
}

// oneRow is a run with one operation of a few peers.
func oneRow(section string, op operation, walls map[string]time.Duration) *report {
	var rows []*result
	for _, peer := range peerNames {
		if wall, ok := walls[peer]; ok {
			rows = append(rows, &result{Section: section, Operation: op, Peer: peer, Samples: []figures{
				{Wall: wall, Requests: map[string]int{"list": 1}}, {Round: 1, Wall: 3 * wall, Requests: map[string]int{"list": 2}}, {Round: 2, Wall: wall / 2, Requests: map[string]int{"list": 2}},
			}})
		}
	}
	return newReport(rows, "v1.0.0", time.Minute)
}

func TestGoals(t *testing.T) {
	for name, c := range map[string]struct {
		own   time.Duration
		holds bool
	}{
		"just":     {100 * time.Millisecond, true},
		"too slow": {101 * time.Millisecond, false},
	} {
		t.Run(name, func(t *testing.T) {
			r := oneRow("10 mixed objects", opInstall, map[string]time.Duration{fluxName: 100 * time.Millisecond, fairleadName: c.own})
			if len(r.Goals) != 1 || r.Goals[0].Holds != c.holds {
				t.Errorf("goals: %+v", r.Goals)
			}
		})
	}
}

func TestSummaryIsOfMedians(t *testing.T) {
	r := oneRow("s", opInstall, map[string]time.Duration{fairleadName: time.Second})
	s := r.Rows[0].Summary
	if s.N != 3 || s.Wall != time.Second || s.Min != time.Second/2 || s.Max != 3*time.Second || s.Requests != 2 {
		t.Errorf("summary: %+v", s)
	}
}

func TestChartsAreXML(t *testing.T) {
	r := oneRow("10 mixed objects", opInstall, map[string]time.Duration{fluxName: 3 * time.Millisecond, fairleadName: time.Second})
	charts := r.charts()
	if len(charts) != 1 {
		t.Fatalf("%d charts", len(charts))
	}
	in := xml.NewDecoder(strings.NewReader(charts[0].svg))
	rects := 0
	for {
		token, err := in.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if e, ok := token.(xml.StartElement); ok && e.Name.Local == "rect" {
			rects++
		}
	}
	if rects != 1+2+2 { // background, bars, legend
		t.Errorf("%d rectangles in %s", rects, charts[0].svg)
	}
}

// rounds is a row with these wall times, in milliseconds by round.
func rounds(section string, op operation, peer string, walls map[int]int) *result {
	r := &result{Section: section, Operation: op, Peer: peer}
	for round, wall := range walls {
		r.Samples = append(r.Samples, figures{Round: round, Wall: time.Duration(wall) * time.Millisecond})
	}
	return r
}

func TestPairsAreOfTheSameRound(t *testing.T) {
	own := rounds("s", opInstall, fairleadName, map[int]int{0: 100, 1: 400, 2: 30, 5: 1})
	other := rounds("s", opInstall, fluxName, map[int]int{2: 20, 1: 200, 0: 100, 4: 1})
	if got, want := pair(own, other, wallOf), (ratio{Median: 1.5, Low: 1.25, High: 1.75, N: 3}); got != want {
		t.Errorf("ratio %+v, want %+v", got, want)
	}
	if got := pair(own, rounds("s", opInstall, fluxName, map[int]int{7: 1}), wallOf); got != (ratio{}) {
		t.Errorf("without a pair: %+v", got)
	}
}

// A cache on disk has no part in the comparison of what has none.
func TestRivals(t *testing.T) {
	const section = "10 mixed objects, fresh process"
	r := newReport([]*result{
		rounds(section, opPlan, helm3Name, map[int]int{0: 100}),
		rounds(section, opPlan, helm3DiskName, map[int]int{0: 10}),
		rounds(section, opPlan, rawName, map[int]int{0: 1}),
		rounds(section, opPlan, fairleadName, map[int]int{0: 50}),
		rounds(section, opPlan, fairleadDiskName, map[int]int{0: 40}),
	}, "v1.0.0", time.Minute)
	for own, want := range map[string]string{fairleadName: "0.50 (0.50–0.50) Helm 3", fairleadDiskName: "4.00 (4.00–4.00) Helm 3, disk cache"} {
		if got := r.ofBest(section, opPlan, own); got != want {
			t.Errorf("%s: of best %s, want %s", own, got, want)
		}
	}
}

// An operation of Fairlead's that failed is no comparison, and misses the goal.
func TestFailedOperationMissesItsGoal(t *testing.T) {
	const section = "200 mixed objects"
	failed := rounds(section, opPlan, fairleadName, nil)
	failed.Error = "timed out"
	r := newReport([]*result{
		rounds(section, opInstall, fluxName, map[int]int{0: 100}), rounds(section, opInstall, fairleadName, map[int]int{0: 50}),
		rounds(section, opPlan, fluxName, map[int]int{0: 100}), failed,
	}, "v1.0.0", time.Minute)
	if len(r.Goals) != 1 || r.Goals[0].Holds || !strings.Contains(r.Goals[0].Found, string(opPlan)+" failed") {
		t.Errorf("%+v", r.Goals)
	}
}

func sectionOf(name string) section {
	return section{name: name, peers: peerNames, ops: []operation{opInstall, opPlan}}
}

func TestRowsThatMissAreMeasuredAgain(t *testing.T) {
	const section = "10 mixed objects"
	c := sectionOf(section)
	for name, test := range map[string]struct {
		own   map[int]int
		again bool
	}{
		"ahead":            {map[int]int{0: 50, 1: 50, 2: 50, 3: 50}, false},
		"behind":           {map[int]int{0: 120, 1: 120, 2: 120, 3: 120}, true},
		"ahead, by chance": {map[int]int{0: 90, 1: 90, 2: 120, 3: 120}, true},
	} {
		t.Run(name, func(t *testing.T) {
			s := &session{results: []*result{
				rounds(section, opInstall, fluxName, map[int]int{0: 100, 1: 100, 2: 100, 3: 100}),
				rounds(section, opInstall, helm3Name, map[int]int{0: 900, 1: 900, 2: 900, 3: 900}),
				rounds(section, opInstall, fairleadName, test.own),
				rounds(section, opPlan, helm3Name, map[int]int{0: 900, 1: 900, 2: 900, 3: 900}),
				rounds(section, opPlan, fairleadName, map[int]int{0: 1, 1: 1, 2: 1, 3: 1}),
			}}
			again, ok := s.missing(c)
			if ok != test.again {
				t.Fatalf("again: %v", ok)
			}
			if ok && (!slices.Equal(again.peers, []string{fluxName, fairleadName}) || !slices.Equal(again.ops, []operation{opInstall})) {
				t.Errorf("again: %v of %v", again.ops, again.peers)
			}
		})
	}
}

// A section is measured again until its rows that miss have been measured often
// enough, and no other peer is.
func TestRepeat(t *testing.T) {
	s := &session{out: io.Discard, repeats: 3, scale: 1}
	c := sectionOf("10 mixed objects")
	c.budget = time.Hour
	walls := map[string]time.Duration{helm3Name: 9, helm4Name: 8, fluxName: 4, rawName: 1, fairleadName: 5}
	err := s.repeat(c, func(c section, peer string) error {
		s.sample(s.row(c, opInstall, peer), figures{Wall: walls[peer]})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for peer, want := range map[string]int{helm3Name: 3, helm4Name: 3, rawName: 3, fluxName: closeRounds, fairleadName: closeRounds} {
		if got := len(s.row(c, opInstall, peer).Samples); got != want {
			t.Errorf("%s: measured %d times, want %d", peer, got, want)
		}
	}
}

func TestFleetGoals(t *testing.T) {
	row := func(peer string, op operation, wall time.Duration, lists int) fleetRow {
		return fleetRow{Peer: peer, Releases: 100, Operation: op, Figures: figures{Wall: wall, Requests: map[string]int{"list": lists}}}
	}
	drift := fleetRow{Peer: watchingName, Releases: 100, Operation: opDrift}
	for i := range 100 {
		drift.Figures.Restored = append(drift.Figures.Restored, time.Duration(i)*10*time.Millisecond)
	}
	late := drift
	late.Figures.Restored = append(slices.Clone(drift.Figures.Restored[:98]), 2*time.Second, 3*time.Second)
	failed := drift
	failed.Figures.Restored, failed.Error = nil, "the edit was not undone"
	for name, test := range map[string]struct {
		row  fleetRow
		want []bool
	}{
		"just in time":       {row(passesName, opInstallWait, 4500*time.Millisecond, 1600), []bool{true, true}},
		"too many requests":  {row(passesName, opInstallWait, 4501*time.Millisecond, 1601), []bool{false, false}},
		"with cache":         {row(watchingName, opAgain, time.Second, 0), []bool{true, true}},
		"with cache, a list": {row(watchingName, opAgain, time.Second, 1), []bool{true, false}},
		"no goal":            {row(helm3Name, opInstallWait, time.Hour, 1), nil},
		"drift":              {drift, []bool{true}},
		"drift, late":        {late, []bool{false}},
		"drift, never":       {failed, []bool{false}},
	} {
		t.Run(name, func(t *testing.T) {
			var got []bool
			for _, g := range (&fleetReport{Rows: []fleetRow{test.row}}).goals() {
				got = append(got, g.Holds)
			}
			if !slices.Equal(got, test.want) {
				t.Errorf("holds %v, want %v", got, test.want)
			}
		})
	}
}
