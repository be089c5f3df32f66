package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

// section is a group of rows that are measured together, alternating the peers.
type section struct {
	name     string
	workload workload
	peers    []string
	ops      []operation // in this order on one release; opInstall or opInstallWait first
	// fresh starts a process for each operation; otherwise one process runs all
	// of them and has deployed something else before.
	fresh    bool
	delay    time.Duration
	inFlight int           // 0: defaultInFlight
	releases int           // at once; 0: 1
	revise   int           // number of revisions before the second operation; 0: unchanged
	plans    int           // how often opPlan, which changes nothing, is measured in one repetition; 0: 1
	budget   time.Duration // after which no repetition starts
	unshown  []operation   // run without the delay and not reported
}

// defaultInFlight is the number of concurrent requests of a peer that supports it.
const defaultInFlight = 8

// result is one row: the cost of one operation for one peer.
type result struct {
	Section   string        `json:"section"`
	Workload  string        `json:"workload"`
	Operation operation     `json:"operation"`
	Peer      string        `json:"peer"`
	Fresh     bool          `json:"freshProcess"`
	Delay     time.Duration `json:"roundTripDelay,omitempty"`
	InFlight  int           `json:"inFlight"`
	Revisions int           `json:"revisionsKept,omitempty"`
	Samples   []figures     `json:"samples"`
	// AfterReady is the time from the last Ready to the return of opInstallWait.
	AfterReady []time.Duration `json:"afterReady,omitempty"`
	Error      string          `json:"error,omitempty"`
}

// row returns a result, and adds it if necessary.
func (s *session) row(c section, op operation, peer string) *result {
	for _, r := range s.results {
		if r.Section == c.name && r.Operation == op && r.Peer == peer {
			return r
		}
	}
	r := &result{
		Section: c.name, Workload: c.workload.name, Operation: op, Peer: peer,
		Fresh: c.fresh, Delay: c.delay, InFlight: c.inFlight, Revisions: c.revise,
	}
	s.results = append(s.results, r)
	return r
}

// run measures a section.
func (s *session) run(ctx context.Context, c section) error {
	if c.inFlight == 0 {
		c.inFlight = defaultInFlight
	}
	c.releases = max(1, c.releases)
	kept := map[string]*process{}
	defer func() {
		for _, p := range kept {
			p.stop()
		}
	}()
	if err := s.fillCaches(ctx, c); err != nil {
		return err
	}
	return s.repeat(c, func(c section, peer string) error {
		if !c.fresh && kept[peer] == nil {
			p, err := s.warm(ctx, c, peer)
			if err != nil {
				return fmt.Errorf("%s: warm up %s: %w", c.name, peer, err)
			}
			kept[peer] = p
		}
		return s.lifecycle(ctx, c, peer, kept[peer])
	})
}

// setup of a measured process.
func (s *session) setup(c section, peer string) setup {
	out := setup{Peer: peer, Kubeconfig: s.cluster.Kubeconfig, InFlight: c.inFlight}
	if peer == kappName {
		out.Program = s.kapp
	}
	if onDisk(peer) {
		out.CacheDir = filepath.Join(s.root, "cache", peer)
	}
	return out
}

// fillCaches runs a section's operations once, unmeasured, for peers whose caches
// on disk are to be filled.
func (s *session) fillCaches(ctx context.Context, c section) error {
	c.unshown = c.ops
	for _, peer := range c.peers {
		if !onDisk(peer) || !s.selects(c) {
			continue
		}
		if err := s.lifecycle(ctx, c, peer, nil); err != nil {
			return err
		}
	}
	return nil
}

// warm starts a process that has deployed ten objects of ten kinds before it
// is measured.
func (s *session) warm(ctx context.Context, c section, peer string) (*process, error) {
	p, err := start(ctx, s.setup(c, peer))
	if err != nil {
		return nil, err
	}
	w, err := mixedWorkload(s.root, 1)
	if err != nil {
		return nil, errors.Join(err, p.stop())
	}
	namespace, err := s.newNamespace(ctx)
	if err != nil {
		return nil, errors.Join(err, p.stop())
	}
	for _, op := range []operation{opInstall, opChange, opUninstall} {
		t := task{Op: op, Namespace: namespace, Release: releaseName, Folder: w.folder, Change: change(op)}
		if _, err := p.order(order{Tasks: []task{t}}); err != nil {
			return nil, errors.Join(err, p.stop())
		}
	}
	return p, s.settle(ctx, namespace)
}

// change returns the value of the workload for an operation.
func change(op operation) string {
	if op == opPlan || op == opChange {
		return "1"
	}
	return "0"
}

// lifecycle runs the section's operations on new releases.
func (s *session) lifecycle(ctx context.Context, c section, peer string, kept *process) error {
	var namespaces []string
	for range c.releases {
		namespace, err := s.newNamespace(ctx)
		if err != nil {
			return err
		}
		namespaces = append(namespaces, namespace)
	}
	for i, op := range c.ops {
		if !knows(peer, op) {
			continue
		}
		var o order
		for _, namespace := range namespaces {
			o.Tasks = append(o.Tasks, task{Op: op, Namespace: namespace, Release: releaseName, Folder: c.workload.folder, Change: change(op), Revisions: c.revise + 1})
		}
		if c.revise == 0 {
			o.Tasks = unlimited(o.Tasks)
		}
		if i == 1 && c.revise > 1 {
			if err := s.revise(ctx, c, peer, kept, namespaces); err != nil {
				return err
			}
		}
		for i := range c.times(op) {
			if ok, err := s.figure(ctx, c, peer, kept, o, i); !ok {
				return err // the following operations would measure something else
			}
		}
		for _, namespace := range namespaces {
			if err := s.settle(ctx, namespace); err != nil {
				return err
			}
		}
	}
	return nil
}

// times is how often an operation is measured in one repetition.
func (c section) times(op operation) int {
	if op == opPlan && c.shows(op) {
		return max(1, c.plans)
	}
	return 1
}

// figure runs one order for the i-th time in this repetition and adds what it
// took to its row; ok is false if it failed.
func (s *session) figure(ctx context.Context, c section, peer string, kept *process, o order, i int) (ok bool, err error) {
	op := o.Tasks[0].Op
	f, after, err := s.one(ctx, c, peer, kept, o)
	if s.verbose {
		fmt.Fprintf(s.out, "  %s, %s: %v, CPU %v, %d requests\n", peer, op, f.Wall.Round(time.Millisecond), f.CPU.Round(time.Millisecond), f.total())
	}
	if !c.shows(op) {
		if err != nil {
			return false, fmt.Errorf("%s: %s: %s: %w", c.name, peer, op, err)
		}
		return true, nil
	}
	r := s.row(c, op, peer)
	if err != nil {
		r.Error = err.Error()
		fmt.Fprintf(s.out, "%s: %s: %s: %v\n", c.name, peer, op, err)
		return false, nil
	}
	f.Round = s.round*c.times(op) + i
	r.Samples = append(r.Samples, f)
	if op == opInstallWait {
		r.AfterReady = append(r.AfterReady, after)
	}
	return true, nil
}

// unlimited sets the usual history limit of upgrades.
func unlimited(tasks []task) []task {
	for i := range tasks {
		tasks[i].Revisions = 0
	}
	return tasks
}

// one runs one order, in the shared process or a new one.
func (s *session) one(ctx context.Context, c section, peer string, p *process, o order) (f figures, after time.Duration, err error) {
	op := o.Tasks[0].Op
	if c.shows(op) {
		o.Delay = c.delay
	}
	if p == nil {
		if p, err = start(ctx, s.setup(c, peer)); err != nil {
			return f, 0, err
		}
		defer p.stop()
	}
	if op != opInstallWait {
		f, err = p.order(o)
		return f, 0, err
	}
	watching, cancel := context.WithCancel(ctx)
	defer cancel()
	readyAt, err := s.allReady(watching, o.Tasks[0].Namespace, c.workload.deployments)
	if err != nil {
		return f, 0, err
	}
	if f, err = p.order(o); err != nil {
		return f, 0, err
	}
	select {
	case at := <-readyAt:
		return f, f.Ended.Sub(at), nil
	case <-time.After(5 * time.Second):
		return f, 0, errors.New("it returned, but not all Deployments are ready")
	}
}

// revise creates the history of the releases.
func (s *session) revise(ctx context.Context, c section, peer string, p *process, namespaces []string) error {
	var o order
	for _, namespace := range namespaces {
		o.Tasks = append(o.Tasks, task{Op: opRevise, Namespace: namespace, Release: releaseName, Revisions: c.revise})
	}
	if _, err := p.order(o); err != nil {
		return fmt.Errorf("%s: %s: %s: %w", c.name, peer, opRevise, err)
	}
	return nil
}

// shows reports whether an operation is measured.
func (c section) shows(op operation) bool {
	for _, o := range c.unshown {
		if o == op {
			return false
		}
	}
	return true
}

// readyName returns the name of a Deployment that is rolled out.
func readyName(o runtime.Object) (string, bool) {
	d, ok := o.(*appsv1.Deployment)
	if !ok || !ready(d) {
		return "", false
	}
	return d.Name, true
}
