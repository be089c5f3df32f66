package main

import (
	"context"
	"fmt"
	"time"

	"k8s.io/client-go/rest"
)

// operation is what a peer is asked to do with a release.
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
	// Revisions is how many to have after opRevise, and how many upgrades
	// keep; 0: keptRevisions.
	Revisions int `json:"revisions,omitempty"`
}

// waitLimit bounds waiting for readiness; nothing measured comes near it.
const waitLimit = time.Minute

// keptRevisions is what upgrades keep unless the task says otherwise.
const keptRevisions = 10

func (t task) keep() int {
	if t.Revisions > 0 {
		return t.Revisions
	}
	return keptRevisions
}

// peer is one way to deploy. A peer is made in the process that is measured,
// and used for one task at a time, except for tasks of several releases.
type peer interface {
	// do carries out a task; count is how many things it answered, if any.
	do(ctx context.Context, t task) (count int, err error)
}

// The peers, in the order of the tables.
const (
	helm3Name    = "Helm 3"
	helm4Name    = "Helm 4"
	fluxName     = "Flux ssa"
	rawName      = "raw client"
	fairleadName = "Fairlead"
)

var peerNames = []string{helm3Name, helm4Name, fluxName, rawName, fairleadName}

// newPeer makes a peer over config, which is counted already. objects are for
// those that render nothing.
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
	}
	return nil, fmt.Errorf("no peer %q", name)
}

// knows says what a peer can do, without making one.
func knows(name string, op operation) bool {
	switch name {
	case fluxName, rawName:
		return deploysObjects(op)
	}
	return true
}

// deploysObjects says whether an operation makes sense without releases.
func deploysObjects(op operation) bool {
	switch op {
	case opRollback, opList, opHistory, opRevise:
		return false
	}
	return true
}
