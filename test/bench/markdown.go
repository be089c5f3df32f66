package main

import (
	"fmt"
	"slices"
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
	fmt.Fprintf(&b, "| %s, %s | the same SDKs with discovery on disk, as the `helm` command keeps it for six hours without asking the API server |\n", helm3DiskName, helm4DiskName)
	fmt.Fprintf(&b, "| %s | this library with `Options.CacheDir`, which the API server confirms in every process |\n", fairleadDiskName)
	if version := strings.TrimPrefix(r.Libraries[kappName], "v"); version != "" {
		fmt.Fprintf(&b, "| %s %s | the program, built from its module: `kapp deploy --wait=false`, with `--diff-run` for a plan; `kapp delete` fails unless it waits, and is not measured. It renders nothing and records the names of the changes |\n", kappName, version)
	}
	b.WriteString("\n" + notMeasured)
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

// notMeasured names those that a reader may miss.
const notMeasured = "Not measured: Nelm (`github.com/werf/nelm`) and kluctl (`github.com/kluctl/kluctl/v2`), because their modules could not be downloaded where the comparison was made.\n"

var explanation = fmt.Sprintf(`
- Every peer runs in a process of its own, of the same binary; CPU time is that process's. Memory is the highest resident size above that of the process at its start. A *fresh process* makes its clients, reads the chart and does one operation; otherwise one process serves all, and has deployed something else before it is measured. Caches on disk were filled by an earlier process.
- kapp is measured from the start to the end of its program, of which its memory is all; the others do not count the start of the binary, which is about 40 ms of CPU. Its requests are not counted.
- The client's throttling is off for all. Requests are counted at the transport, and 20 ms away means that each waits so long before it is sent. %d requests may be in flight where a peer can do so, unless the table says otherwise; Helm sends one after the other.
- Objects of Flux and of the raw client are rendered and decoded before they are measured. Helm's "plan" is its server-side dry run, which renders and compares nothing; the raw client's is a dry-run apply of each object.
- Peers take turns, another one first in each round. Wall times are medians with the range in brackets. Ratios compare figures of the same round: the median of these, and in brackets their quartiles, which is how much chance there is in it. "of best" is of Fairlead's wall time to that of the peer to which it compares worst, except for the raw client; "of floor" is to the raw client's. Peers with a cache on disk are compared with Fairlead with CacheDir only.
- A goal holds if the median of the ratios does. n is how often a row was measured: five times unless that takes longer than the section's share of time, and then %d times in all, as far as %v more suffice, for Fairlead and whom it is compared with in the rows of which a goal is missed by the median or by the upper quartile, and those before them.
`, defaultInFlight, closeRounds, closeBudget)

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
	fmt.Fprintf(b, "| | %s | of best |", strings.Join(peers, " | "))
	columns := len(peers) + 3
	disk := slices.Contains(peers, fairleadDiskName)
	if disk {
		b.WriteString(" CacheDir, of best |")
		columns++
	}
	fmt.Fprintf(b, " of floor | n |\n| --- |%s\n", strings.Repeat(" --- |", columns))
	for _, op := range r.operations(section) {
		fmt.Fprintf(b, "| %s |", op)
		fewest, most := 0, 0
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
			most = max(most, s.N)
			fmt.Fprintf(b, " %s (%s–%s)", seconds(s.Wall), seconds(s.Min), seconds(s.Max))
			if s.Requests > 0 {
				fmt.Fprintf(b, ", %d req", s.Requests)
			}
			if s.AfterReady > 0 {
				fmt.Fprintf(b, ", %s after the last was ready", seconds(s.AfterReady))
			}
			b.WriteString(" |")
		}
		fmt.Fprintf(b, " %s |", r.ofBest(section, op, fairleadName))
		if disk {
			fmt.Fprintf(b, " %s |", r.ofBest(section, op, fairleadDiskName))
		}
		n := fmt.Sprint(fewest)
		if most > fewest {
			n += fmt.Sprintf("–%d", most)
		}
		fmt.Fprintf(b, " %s | %s |\n", r.ofFloor(section, op), n)
	}
}

// missing returns why there is no figure.
func (r *report) missing(section string, op operation, peer string) string {
	if why := r.failure(section, op, peer); why != "" {
		return "failed: " + strings.NewReplacer("|", "\\|", "\n", " ", "\t", " ").Replace(why)
	}
	return "–"
}

// ofBest returns the ratio to the best of the rivals, and which that is.
func (r *report) ofBest(section string, op operation, own string) string {
	best, found := r.best(section, op, own, wallOf)
	if best == "" {
		return "–"
	}
	return fmt.Sprintf("%v %s", found, best)
}

// ofFloor returns the ratio of Fairlead's wall time to that of the raw client.
func (r *report) ofFloor(section string, op operation) string {
	if own := r.find(section, op, fairleadName); own != nil {
		if found, ok := own.Ratios[rawName]; ok {
			return found.String()
		}
	}
	return "–"
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
