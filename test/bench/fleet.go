package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
)

const (
	// fleetWorkers is how many releases a peer works on at once, as Flux's own
	// benchmark has it.
	fleetWorkers = 10
	// fleetPerNamespace is how many releases share a namespace.
	fleetPerNamespace = 10
)

// fleetPeers are measured one after the other, each with a fleet of its own.
var fleetPeers = []string{helm3Name, fluxHelmName, fairleadName, passesName, watchingName, clustersName}

// fleetRow is the cost of one operation of one peer on all releases of a fleet.
type fleetRow struct {
	Peer      string    `json:"peer"`
	Releases  int       `json:"releases"`
	Operation operation `json:"operation"`
	Figures   figures   `json:"figures"`
	Error     string    `json:"error,omitempty"`
}

var fleetOperations = []operation{opInstallWait, opPlan, opNone, opAgain, opChange, opDrift}

// fleetKnows reports whether an operation is measured for a peer: only a stack is
// planned as a whole, and only what watches notices an edit.
func fleetKnows(peer string, op operation) bool {
	switch op {
	case opPlan:
		return peer == stackName
	case opAgain, opDrift:
		return peer == watchingName
	}
	return true
}

// fleet measures one peer with a fleet: install and wait, a pass in which nothing
// has changed, and one change in each release.
func (s *session) fleet(ctx context.Context, peer string, releases int) ([]fleetRow, error) {
	w, err := fleetWorkload(s.root)
	if peer == stackName {
		w, err = stackWorkload(s.root)
	}
	if err != nil {
		return nil, err
	}
	perNamespace := fleetPerNamespace
	if peer == clustersName { // enough namespaces for all of them
		perNamespace = max(1, min(perNamespace, releases/clustersCount))
	}
	var tasks []task
	for i := range releases {
		if i%perNamespace == 0 {
			tasks = append(tasks, task{})
			if tasks[i].Namespace, err = s.newNamespace(ctx); err != nil {
				return nil, err
			}
		} else {
			tasks = append(tasks, task{Namespace: tasks[i-1].Namespace})
		}
		tasks[i].Release, tasks[i].Folder = fmt.Sprintf("app-%d", i), w.folder
	}
	p, err := start(ctx, setup{Peer: peer, Kubeconfig: s.cluster.Kubeconfig, InFlight: defaultInFlight})
	if err != nil {
		return nil, err
	}
	defer p.stop()
	var rows []fleetRow
	for _, op := range fleetOperations {
		o := order{Workers: fleetWorkers}
		for i, t := range tasks {
			t.Op, t.Change = op, change(op)
			if op == opDrift { // of a hundredth, after opChange
				t.Change = change(opChange)
				if i%100 != 0 {
					continue
				}
			}
			o.Tasks = append(o.Tasks, t)
		}
		if !fleetKnows(peer, op) {
			continue
		}
		f, err := p.order(o)
		row := fleetRow{Peer: peer, Releases: releases, Operation: op, Figures: f}
		if err != nil {
			row.Error = err.Error()
		}
		rows = append(rows, row)
		fmt.Fprintf(s.out, "%s, %d releases, %s: %v, CPU %v, %d requests, at rest %s%s\n", peer, releases, op, f.Wall.Round(time.Millisecond), f.CPU.Round(time.Millisecond), f.total(), megabytes(f.Rest), row.Error)
		if err != nil {
			break
		}
	}
	return rows, s.removeFleet(ctx, tasks)
}

// removeFleet deletes the namespaces of a fleet, so that the API server and its
// controllers have the same to do for each.
func (s *session) removeFleet(ctx context.Context, tasks []task) error {
	var names []string
	for _, t := range tasks {
		if !slices.Contains(names, t.Namespace) {
			names = append(names, t.Namespace)
		}
	}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(fleetWorkers)
	for _, name := range names {
		group.Go(func() error { return s.removeNamespace(ctx, name) })
	}
	return group.Wait()
}

// fleetReport is one run over fleets.
type fleetReport struct {
	Go         string        `json:"go"`
	Kubernetes string        `json:"kubernetes"`
	CPUs       int           `json:"cpus"`
	Took       time.Duration `json:"took"`
	Rows       []fleetRow    `json:"rows"`
	Goals      []goal        `json:"goals,omitempty"`
}

// helmFleet is the largest fleet that is measured with Helm's SDK: it takes about
// 0.4 s for each release and operation.
const helmFleet = 300

// fleets measures peers with fleets of these sizes.
func (s *session) fleets(ctx context.Context, peers []string, sizes []int, kubernetes string) (*fleetReport, error) {
	begun := time.Now()
	r := &fleetReport{Go: runtime.Version(), Kubernetes: kubernetes, CPUs: runtime.NumCPU()}
	for _, n := range sizes {
		for _, peer := range peers {
			if n > helmFleet && (peer == helm3Name || peer == fluxHelmName) {
				continue
			}
			rows, err := s.fleet(ctx, peer, n)
			if err != nil {
				return nil, fmt.Errorf("%s, %d releases: %w", peer, n, err)
			}
			r.Rows = append(r.Rows, rows...)
		}
	}
	r.Took, r.Goals = time.Since(begun), r.goals()
	return r, nil
}

// runFleets measures fleets of the sizes in a list, prints the table, and writes
// the page into a folder, if there is one.
func (s *session) runFleets(ctx context.Context, list, kubernetes, folder string) error {
	var sizes []int
	for text := range strings.SplitSeq(list, ",") {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 {
			return fmt.Errorf("-fleet %q: a list of numbers is needed", list)
		}
		sizes = append(sizes, n)
	}
	peers := slices.DeleteFunc(slices.Clone(fleetPeers), func(peer string) bool { return !strings.Contains(peer, s.only) })
	r, err := s.fleets(ctx, peers, sizes, kubernetes)
	if err != nil {
		return err
	}
	fmt.Print(goalTable(r.Goals), "\n", r.table())
	if folder == "" {
		return nil
	}
	return r.write(folder)
}

func (r *fleetReport) write(folder string) error {
	data, err := json.MarshalIndent(r, "", " ")
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(folder, "fleet.json"), append(data, '\n'), 0o644); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(folder, "fleet.md"), []byte(r.page()), 0o644)
}

// page is docs/fleet.md.
func (r *fleetReport) page() string {
	var b strings.Builder
	fmt.Fprintf(&b, "# Many releases in one process\n\n")
	fmt.Fprintf(&b, "Releases of four objects (Deployment, Service, ConfigMap, ServiceAccount), up to %d of them in each namespace, handled by one process, %d at once. `make bench-fleet` measures and writes this page and [fleet.json](fleet.json); nothing here is written by hand. This run took %v on %d CPUs, on which the API server and its controllers run as well, with %s, against Kubernetes %s.\n\n", fleetPerNamespace, fleetWorkers, r.Took.Round(time.Second), r.CPUs, r.Go, r.Kubernetes)
	b.WriteString(`| Peer | Is |
| --- | --- |
| Helm 3 | its SDK: install with wait, and an upgrade for each pass |
| Helm 3 and Flux ssa | as Flux's helm-controller works: Helm's SDK to install and upgrade; where nothing has changed, the newest revision is read and each object compared by a dry-run. helm-controller itself is not measured: its reconciler is in an internal package, which this program cannot import; as a program of its own it needs a source-controller beside it, and its module cannot be downloaded where this page is made |
| Fairlead | ` + "`Deploy`" + `, which blocks, ten calls at once |
| Fairlead, passes | a queue and ten workers over ` + "`Reconcile`" + `, which never waits |
| Fairlead, passes with cache | the same with ` + "`Options.Cache`" + `, while ` + "`Engine.Watch`" + ` says which releases are touched. The requests of watching are counted with the first row |
| Fairlead, 20 clusters | the same passes without the cache by 20 engines in one process, each for some of the namespaces, which stand for clusters: of one API server, but with connections, discovery and schemas of their own. The workers are divided among them, one each at least |

Helm's SDK is measured with fleets of up to ` + strconv.Itoa(helmFleet) + ` releases: it takes half a second of CPU for each of them.

Time is of all releases, but of an edit by hand it is how long each lasted, in a hundredth of them, from the response to the edit to the event that undoes it; CPU and requests are of one release, and of the measured process only. Peak is its highest resident memory so far, at rest what remains when the garbage is collected.

`)
	b.WriteString("## Goals\n\n")
	b.WriteString(goalTable(r.Goals))
	b.WriteString("\n## All figures\n\n")
	b.WriteString(r.table())
	return b.String()
}

func (r *fleetReport) table() string {
	var b strings.Builder
	b.WriteString("| Releases | | Peer | Time | CPU each | Requests each | Writes each | Peak | At rest |\n| --- | --- | --- | --- | --- | --- | --- | --- | --- |\n")
	rows := slices.Clone(r.Rows)
	slices.SortStableFunc(rows, func(a, b fleetRow) int {
		if a.Releases != b.Releases {
			return a.Releases - b.Releases
		}
		return slices.Index(fleetOperations, a.Operation) - slices.Index(fleetOperations, b.Operation)
	})
	for _, w := range rows {
		if w.Error != "" {
			fmt.Fprintf(&b, "| %d | %s | %s | failed: %s | | | | | |\n", w.Releases, w.Operation, w.Peer, strings.ReplaceAll(strings.ReplaceAll(w.Error, "\n", " "), "|", "/"))
			continue
		}
		f, each := w.Figures, float64(w.Releases)
		writes := summary{Verbs: f.Requests}.writes()
		took := seconds(f.Wall)
		if n := len(f.Restored); n > 0 {
			each = float64(n)
			took = fmt.Sprintf("%s at the median of %d, %s at the most", seconds(f.Restored[n/2]), n, seconds(f.Restored[n-1]))
		}
		fmt.Fprintf(&b, "| %d | %s | %s | %s | %.2f ms | %.1f | %.1f | %s | %s |\n", w.Releases, w.Operation, w.Peer, took,
			float64(f.CPU.Microseconds())/1e3/each, float64(f.total())/each, float64(writes)/each, megabytes(f.Peak), megabytes(f.Rest))
	}
	return b.String()
}
