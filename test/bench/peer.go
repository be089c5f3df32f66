package main

import (
	"context"
	"fmt"
	"time"

	"k8s.io/client-go/rest"
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

	// Of fleets only.
	passesName   = "Fairlead, passes"
	watchingName = "Fairlead, passes with cache"
	fluxHelmName = "Helm 3 and Flux ssa"
	stackName    = "Fairlead, a stack"
)

var peerNames = []string{helm3Name, helm4Name, fluxName, rawName, fairleadName}

// newPeer returns a peer for config, whose requests are counted. objects are for
// peers that do not render.
func newPeer(name string, config *rest.Config, inFlight int, objects *objectCache) (peer, error) {
	switch name {
	case helm3Name:
		return newHelm3(config), nil
	case helm4Name:
		return newHelm4(config), nil
	case fluxName:
		return newFlux(config, inFlight, objects)
	case rawName:
		return newRaw(config, inFlight, objects)
	case fairleadName:
		return newFairlead(config, inFlight)
	case passesName:
		return newPasses(config)
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
