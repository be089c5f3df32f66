package main

import (
	"fmt"
	"html"
	"math"
	"strings"
	"time"
)

// picture is a chart for the page.
type picture struct{ file, title, svg string }

// colours of the peers, distinguishable in light and dark and by the colour-blind.
var colours = map[string]string{
	helm3Name: "#8c96a8", helm4Name: "#5b6b86", fluxName: "#d08a3c", rawName: "#b9b04a", fairleadName: "#1f7a8c",
	helm3DiskName: "#b4bac6", helm4DiskName: "#7d8aa3", kappName: "#a0657f", fairleadDiskName: "#46a3b5",
}

// charts returns the charts of the measurements; those without figures are omitted.
func (r *report) charts() []picture {
	var out []picture
	bars := func(file, section string) {
		if svg, ok := r.bars(section); ok {
			out = append(out, picture{file, section + ": wall time by operation", svg})
		}
	}
	bars("benchmarks-10.svg", "10 mixed objects")
	bars("benchmarks-1000.svg", "1000 ConfigMaps of 2 KB")
	bars("benchmarks-far.svg", "10 mixed objects, 20 ms away")
	lines := func(file, title, axis string, op operation, at map[int]string) {
		if svg, ok := r.lines(title, axis, op, at); ok {
			out = append(out, picture{file, title, svg})
		}
	}
	byCount := map[int]string{}
	for _, n := range []int{10, 100, 1000, 5000} {
		byCount[n] = fmt.Sprintf("%d ConfigMaps of 2 KB", n)
	}
	lines("benchmarks-objects.svg", "Upgrade with one change, by number of objects", "objects", opChange, byCount)
	lines("benchmarks-in-flight.svg", "Install of 1000 objects, by requests in flight", "in flight", opInstall, map[int]string{
		1: "1000 ConfigMaps of 2 KB, 1 in flight", defaultInFlight: "1000 ConfigMaps of 2 KB", 32: "1000 ConfigMaps of 2 KB, 32 in flight",
	})
	byKept := map[int]string{}
	for _, n := range []int{1, 10, 100} {
		byKept[n] = fmt.Sprintf("10 mixed objects, %d revisions kept", n)
	}
	lines("benchmarks-revisions.svg", "Upgrade with one change, by revisions kept", "revisions", opChange, byKept)
	return out
}

// logScale maps durations to pixels, a power of ten every step.
type logScale struct {
	low, high float64 // exponents of seconds
	from, to  float64
}

func scaleOf(values []time.Duration, from, to float64) logScale {
	s := logScale{low: math.Inf(1), high: math.Inf(-1), from: from, to: to}
	for _, v := range values {
		e := math.Log10(max(v.Seconds(), 1e-6))
		s.low, s.high = min(s.low, math.Floor(e)), max(s.high, math.Ceil(e))
	}
	if s.high == s.low {
		s.high++
	}
	return s
}

func (s logScale) at(d time.Duration) float64 {
	e := math.Log10(max(d.Seconds(), 1e-6))
	return s.from + (e-s.low)/(s.high-s.low)*(s.to-s.from)
}

// ticks are the powers of ten.
func (s logScale) ticks() []time.Duration {
	var out []time.Duration
	for e := s.low; e <= s.high; e++ {
		out = append(out, time.Duration(math.Round(math.Pow(10, e)*1e9)))
	}
	return out
}

// canvas collects SVG elements.
type canvas struct {
	strings.Builder
	width, height float64
}

func (c *canvas) text(x, y float64, anchor, format string, args ...any) {
	fmt.Fprintf(c, `<text x="%.1f" y="%.1f" text-anchor="%s">%s</text>`+"\n", x, y, anchor, html.EscapeString(fmt.Sprintf(format, args...)))
}

func (c *canvas) line(x1, y1, x2, y2 float64, colour string, width float64) {
	fmt.Fprintf(c, `<line x1="%.1f" y1="%.1f" x2="%.1f" y2="%.1f" stroke="%s" stroke-width="%.1f"/>`+"\n", x1, y1, x2, y2, colour, width)
}

func (c *canvas) String() string {
	return fmt.Sprintf(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %.0f %.0f" font-family="sans-serif" font-size="12" fill="#222">`+"\n"+
		`<rect width="100%%" height="100%%" fill="#fff"/>`+"\n%s</svg>\n", c.width, c.height, c.Builder.String())
}

// bars draws a group of bars for each operation, on a logarithmic scale.
func (r *report) bars(section string) (string, bool) {
	const left, right, bar, gap, top = 170., 620., 14., 14., 56.
	peers, ops := r.peers(section), r.operations(section)
	var values []time.Duration
	for _, op := range ops {
		for _, peer := range peers {
			if w := r.find(section, op, peer); w != nil {
				values = append(values, w.Summary.Wall)
			}
		}
	}
	if len(values) == 0 {
		return "", false
	}
	scale := scaleOf(values, left, right)
	c := &canvas{width: 720}
	y := top
	for _, op := range ops {
		first := y
		for _, peer := range peers {
			w := r.find(section, op, peer)
			if w == nil {
				continue
			}
			end := max(scale.at(w.Summary.Wall), left+1)
			fmt.Fprintf(c, `<rect x="%.1f" y="%.1f" width="%.1f" height="%.1f" fill="%s"/>`+"\n", left, y, end-left, bar-2, colours[peer])
			c.text(end+4, y+bar-4, "start", "%s", seconds(w.Summary.Wall))
			y += bar
		}
		c.text(left-8, (first+y)/2+4, "end", "%s", op)
		y += gap
	}
	for _, tick := range scale.ticks() {
		x := scale.at(tick)
		c.line(x, top-6, x, y-gap+4, "#ddd", 1)
		c.text(x, y+4, "middle", "%v", tick)
	}
	c.height = y + 16
	c.legend(section, peers)
	return c.String(), true
}

func (c *canvas) legend(title string, peers []string) {
	fmt.Fprintf(c, `<text x="12" y="20" font-size="14" font-weight="bold">%s</text>`+"\n", html.EscapeString(title))
	x := 12.
	for _, peer := range peers {
		fmt.Fprintf(c, `<rect x="%.1f" y="30" width="12" height="12" fill="%s"/>`+"\n", x, colours[peer])
		c.text(x+16, 40, "start", "%s", peer)
		x += 110
	}
}

// lines draws a line for each peer over sections that differ by a number, both
// axes logarithmic.
func (r *report) lines(title, axis string, op operation, at map[int]string) (string, bool) {
	const left, right, top, bottom = 70., 690., 60., 320.
	type point struct {
		n    int
		wall time.Duration
	}
	points := map[string][]point{}
	var values, counts []time.Duration
	var peers []string
	for _, peer := range peerNames {
		for _, n := range sortedKeys(at) {
			if w := r.find(at[n], op, peer); w != nil {
				points[peer] = append(points[peer], point{n, w.Summary.Wall})
				values = append(values, w.Summary.Wall)
				counts = append(counts, time.Duration(n)*time.Second)
			}
		}
		if len(points[peer]) > 0 {
			peers = append(peers, peer)
		}
	}
	if len(values) == 0 {
		return "", false
	}
	x, y := scaleOf(counts, left, right), scaleOf(values, bottom, top)
	c := &canvas{width: 720, height: 360}
	for _, tick := range y.ticks() {
		c.line(left, y.at(tick), right, y.at(tick), "#ddd", 1)
		c.text(left-6, y.at(tick)+4, "end", "%v", tick)
	}
	for _, n := range sortedKeys(at) {
		c.text(x.at(time.Duration(n)*time.Second), bottom+18, "middle", "%d", n)
	}
	c.text((left+right)/2, bottom+34, "middle", "%s", axis)
	for _, peer := range peers {
		for i, p := range points[peer] {
			px, py := x.at(time.Duration(p.n)*time.Second), y.at(p.wall)
			if i > 0 {
				before := points[peer][i-1]
				c.line(x.at(time.Duration(before.n)*time.Second), y.at(before.wall), px, py, colours[peer], 2)
			}
			fmt.Fprintf(c, `<circle cx="%.1f" cy="%.1f" r="3.5" fill="%s"/>`+"\n", px, py, colours[peer])
		}
	}
	c.legend(title, peers)
	return c.String(), true
}
