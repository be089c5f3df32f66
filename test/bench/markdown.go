package main

import (
	"fmt"
	"strings"
	"time"
)

// page is docs/benchmarks.md.
func (r *report) page(images string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "# Side by side\n\n")
	fmt.Fprintf(&b, "Fairlead beside what one would pick instead: the same work, the same API server, one run. `make bench` measures and writes this page, its charts and [benchmarks.json](benchmarks.json), which has every sample; nothing here is written by hand. This run took %v on %d CPUs with %s, against Kubernetes %s.\n\n", r.Took.Round(time.Second), r.CPUs, r.Go, r.Kubernetes)
	b.WriteString("| Peer | Is |\n| --- | --- |\n")
	what := map[string]string{
		helm3Name: "its SDK, `action.Install`, `Upgrade`, …",
		helm4Name: "its SDK, with server-side apply",
		fluxName:  fmt.Sprintf("`github.com/fluxcd/pkg/ssa`: `ApplyAll`, `Diff`, `DeleteAll`, and `Wait` every %v (its default is 5 s). It renders nothing and records nothing", fluxPoll),
		rawName:   "client-go's dynamic client, one server-side apply per object and no more: the floor. It reads, compares, renders and records nothing",
	}
	for _, l := range libraries {
		fmt.Fprintf(&b, "| %s %s | %s |\n", l.name, strings.TrimPrefix(r.Libraries[l.name], "v"), what[l.name])
	}
	b.WriteString("| Fairlead | this library, revision and lock included |\n")
	b.WriteString(explanation)
	b.WriteString("\n## Goals\n\n")
	b.WriteString(goalTable(r.Goals))
	b.WriteString("\n## At a glance\n\n")
	b.WriteString(images)
	b.WriteString("## All figures\n\n")
	b.WriteString(r.tables())
	if r.Fleet != nil {
		b.WriteString("### Many releases in one process\n\nMeasured once; [fleet.md](fleet.md) explains the columns and has larger fleets.\n\n")
		b.WriteString(r.Fleet.table())
	}
	if r.Stacks != nil {
		b.WriteString("\n### Stacks of releases of five objects\n\nPlanned and applied by one process, ten releases at once; four of five need the fifth. Measured once; the columns are those of [fleet.md](fleet.md).\n\n")
		b.WriteString(r.Stacks.table())
	}
	return b.String()
}

var explanation = fmt.Sprintf(`
- Every peer runs in a process of its own, of the same binary; CPU time is that process's. Memory is the highest resident size above that of the process at its start. A *fresh process* makes its clients, reads the chart and does one operation; otherwise one process serves all, and has deployed something else before it is measured.
- The client's throttling is off for all. Requests are counted at the transport, and 20 ms away means that each waits so long before it is sent. %d requests may be in flight where a peer can do so, unless the table says otherwise; Helm sends one after the other.
- Objects of Flux and of the raw client are rendered and decoded before they are measured. Helm's "plan" is its server-side dry run, which renders and compares nothing; the raw client's is a dry-run apply of each object.
- Wall times are medians with the range in brackets; n is how often it was measured, five times unless that takes longer than the section's share of time. "of best" is Fairlead's wall time by the best peer's, "of floor" by the raw client's.
`, defaultInFlight)

// tables of all sections.
func (r *report) tables() string {
	var b strings.Builder
	for _, section := range r.sections() {
		fmt.Fprintf(&b, "### %s\n\n", section)
		r.wallTable(&b, section)
		b.WriteString("\n")
		r.costTable(&b, section)
		b.WriteString("\n")
	}
	return b.String()
}

// wallTable has a line for each operation and a column for each peer.
func (r *report) wallTable(b *strings.Builder, section string) {
	peers := r.peers(section)
	fmt.Fprintf(b, "| | %s | of best | of floor | n |\n| --- |%s --- | --- | --- |\n", strings.Join(peers, " | "), strings.Repeat(" --- |", len(peers)))
	for _, op := range r.operations(section) {
		fmt.Fprintf(b, "| %s |", op)
		fewest := 0
		for _, peer := range peers {
			w := r.find(section, op, peer)
			if w == nil {
				fmt.Fprintf(b, " %s |", r.missing(section, op, peer))
				continue
			}
			s := w.Summary
			if fewest == 0 || s.N < fewest {
				fewest = s.N
			}
			fmt.Fprintf(b, " %s (%s–%s)", seconds(s.Wall), seconds(s.Min), seconds(s.Max))
			if s.Requests > 0 {
				fmt.Fprintf(b, ", %d req", s.Requests)
			}
			if s.AfterReady > 0 {
				fmt.Fprintf(b, ", %s after the last was ready", seconds(s.AfterReady))
			}
			b.WriteString(" |")
		}
		fmt.Fprintf(b, " %s | %s | %d |\n", r.ofBest(section, op), r.ofPeer(section, op, rawName), fewest)
	}
}

// missing returns why there is no figure.
func (r *report) missing(section string, op operation, peer string) string {
	for _, w := range r.Rows {
		if w.Section == section && w.Operation == op && w.Peer == peer && w.Error != "" {
			return "failed: " + strings.NewReplacer("|", "\\|", "\n", " ").Replace(w.Error)
		}
	}
	return "–"
}

// ofBest returns the ratio of Fairlead's wall time to that of the fastest peer
// other than the floor.
func (r *report) ofBest(section string, op operation) string {
	best := ""
	for _, peer := range []string{helm3Name, helm4Name, fluxName} {
		w := r.find(section, op, peer)
		if w == nil {
			continue
		}
		if best == "" || w.Summary.Wall < r.find(section, op, best).Summary.Wall {
			best = peer
		}
	}
	return r.ofPeer(section, op, best)
}

func (r *report) ofPeer(section string, op operation, peer string) string {
	own, other := r.find(section, op, fairleadName), r.find(section, op, peer)
	if own == nil || other == nil {
		return "–"
	}
	return fmt.Sprintf("%.2f", own.Summary.Wall.Seconds()/other.Summary.Wall.Seconds())
}

// costTable has a line for each operation and peer.
func (r *report) costTable(b *strings.Builder, section string) {
	b.WriteString("<details><summary>CPU, memory, bytes, requests by verb</summary>\n\n| | | CPU | memory | sent | received | requests |\n| --- | --- | --- | --- | --- | --- | --- |\n")
	for _, op := range r.operations(section) {
		for _, peer := range r.peers(section) {
			w := r.find(section, op, peer)
			if w == nil {
				continue
			}
			s := w.Summary
			fmt.Fprintf(b, "| %s | %s | %s | %s | %s | %s | %s |\n", op, peer, seconds(s.CPU), megabytes(s.Memory), megabytes(s.Sent), megabytes(s.Received), s.verbText())
		}
	}
	b.WriteString("\n</details>\n")
}
