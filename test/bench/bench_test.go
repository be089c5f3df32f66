package main

import (
	"encoding/xml"
	"errors"
	"io"
	"net/http"
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
				{Wall: wall, Requests: map[string]int{"list": 1}}, {Wall: 3 * wall, Requests: map[string]int{"list": 2}}, {Wall: wall / 2, Requests: map[string]int{"list": 2}},
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
