package main

import (
	"context"
	"fmt"
	"time"

	"k8s.io/client-go/rest"

	"github.com/fairlead-dev/fairlead/engine"
)

// operation is what a peer does with a release.
type operation string

const (
	opInstall     operation = "install"
	opInstallWait operation = "install and wait"
	opPlan        operation = "plan of one change"
	opNone        operation = "upgrade, none changed"
	opChange      operation = "upgrade, one changed"
	opRollback    operation = "rollback"
	opUninstall   operation = "uninstall"
	opList        operation = "list"
	opHistory     operation = "history"
	opAgain       operation = "upgrade, none changed, again" // as opNone
	opDrift       operation = "an edit by hand is undone"
	opRevise      operation = "seed revisions" // not measured: copies the newest revision
)

// task is one operation on one release.
type task struct {
	Op        operation `json:"op"`
	Namespace string    `json:"namespace"`
	Release   string    `json:"release"`
	// Folder of the workload, see [writeWorkload].
	Folder string `json:"folder"`
	// Change is a value of the workload; another one changes one object.
	Change string `json:"change"`
	// Revisions is the number of revisions after opRevise, and the history limit
	// of upgrades; 0: keptRevisions.
	Revisions int `json:"revisions,omitempty"`
}

// waitLimit bounds waiting for readiness, far above any measured time.
const waitLimit = time.Minute

// keptRevisions is the history limit of upgrades unless the task sets another.
const keptRevisions = 10

func (t task) keep() int {
	if t.Revisions > 0 {
		return t.Revisions
	}
	return keptRevisions
}

// peer is one way to deploy. A peer is created in the measured process, and used
// for one task at a time, except for tasks of several releases.
type peer interface {
	// do runs a task; count is the number of results, if any.
	do(ctx context.Context, t task) (count int, err error)
}

// The peers, in the order of the tables.
const (
	helm3Name    = "Helm 3"
	helm4Name    = "Helm 4"
	fluxName     = "Flux ssa"
	rawName      = "raw client"
	fairleadName = "Fairlead"
	kappName     = "kapp"

	// With discovery, and what else they keep of it, on disk from an earlier process.
	helm3DiskName    = "Helm 3, disk cache"
	helm4DiskName    = "Helm 4, disk cache"
	fairleadDiskName = "Fairlead, CacheDir"

	// Of fleets only.
	passesName   = "Fairlead, passes"
	watchingName = "Fairlead, passes with cache"
	clustersName = "Fairlead, 20 clusters"
	fluxHelmName = "Helm 3 and Flux ssa"
	stackName    = "Fairlead, a stack"
)

var peerNames = []string{helm3Name, helm4Name, fluxName, rawName, fairleadName}

// freshNames are the peers that start a process for each operation.
var freshNames = []string{helm3Name, helm3DiskName, helm4Name, helm4DiskName, kappName, fluxName, rawName, fairleadName, fairleadDiskName}

// onDisk reports whether a peer uses setup.CacheDir.
func onDisk(name string) bool {
	return name == helm3DiskName || name == helm4DiskName || name == fairleadDiskName
}

// rivals are the peers that a peer of Fairlead's is compared with: all that do the
// same work, but without CacheDir none that has a cache on disk either.
func rivals(own string) []string {
	out := []string{helm3Name, helm4Name, kappName, fluxName}
	if onDisk(own) {
		out = append(out, helm3DiskName, helm4DiskName)
	}
	return out
}

// newPeer returns a peer for config, whose requests are counted. objects are for
// peers that do not render.
func newPeer(s setup, config *rest.Config, objects *objectCache) (peer, error) {
	name, inFlight := s.Peer, s.InFlight
	switch name {
	case helm3Name, helm3DiskName:
		return newHelm3(config, s.CacheDir), nil
	case helm4Name, helm4DiskName:
		return newHelm4(config, s.CacheDir), nil
	case kappName:
		return &kapp{program: s.Program, kubeconfig: s.Kubeconfig, inFlight: inFlight}, nil
	case fluxName:
		return newFlux(config, inFlight, objects)
	case rawName:
		return newRaw(config, inFlight, objects)
	case fairleadName, fairleadDiskName:
		return newFairlead(config, engine.Options{Concurrency: inFlight, CacheDir: s.CacheDir})
	case passesName:
		return newPasses(config)
	case clustersName:
		return newClusters(config), nil
	case stackName:
		return newStacked(config)
	case fluxHelmName:
		return newFluxHelm(config)
	}
	return nil, fmt.Errorf("no peer %q", name)
}

// knows reports whether a peer supports an operation, without creating it.
func knows(name string, op operation) bool {
	switch name {
	case fluxName, rawName:
		return deploysObjects(op)
	case kappName: // deleting fails unless it waits until all is gone, pods included
		return deploysObjects(op) && op != opUninstall && op != opInstallWait
	}
	return true
}

// deploysObjects reports whether an operation makes sense without releases.
func deploysObjects(op operation) bool {
	switch op {
	case opRollback, opList, opHistory, opRevise:
		return false
	}
	return true
}
