package main

import (
	"context"
	"fmt"
	"slices"
	"time"
)

// far is the round trip of a cluster in another region.
const far = 20 * time.Millisecond

// measure runs all sections.
func (s *session) measure(ctx context.Context, charts string) error {
	sections, err := s.sections()
	if err != nil {
		return err
	}
	for _, c := range sections {
		if err := s.run(ctx, c); err != nil {
			return err
		}
	}
	if err := s.history(ctx); err != nil {
		return err
	}
	return s.rendering(ctx, charts)
}

// sections are what is deployed.
func (s *session) sections() ([]section, error) {
	made := map[string]workload{}
	for _, n := range []int{1, 5, 20} {
		w, err := mixedWorkload(s.root, n)
		if err != nil {
			return nil, fmt.Errorf("make a workload: %w", err)
		}
		made[fmt.Sprint("mixed", 10*n)] = w
	}
	for _, n := range []int{10, 100, 1000, 5000} {
		w, err := configMapWorkload(s.root, n)
		if err != nil {
			return nil, fmt.Errorf("make a workload: %w", err)
		}
		made[fmt.Sprint("maps", n)] = w
	}
	var (
		ten      = made["mixed10"]
		thousand = made["maps1000"]
		all      = []operation{opInstall, opPlan, opNone, opChange, opRollback, opUninstall}
		grows    = []operation{opInstall, opPlan, opNone, opChange}
		objects  = []string{fluxName, rawName, fairleadName}
		fresh    = slices.DeleteFunc(slices.Clone(freshNames), func(peer string) bool { return peer == kappName && s.kapp == "" })
	)
	out := []section{
		{name: "10 mixed objects", workload: ten, peers: peerNames, ops: all, budget: 60 * time.Second},
		{name: "10 mixed objects, fresh process", workload: ten, peers: fresh, ops: all, fresh: true, budget: 100 * time.Second},
		{name: "10 mixed objects, install and wait", workload: ten, peers: peerNames, ops: []operation{opInstallWait, opUninstall}, unshown: []operation{opUninstall}, budget: 50 * time.Second},
		{name: "10 mixed objects, 20 ms away", workload: ten, peers: peerNames, ops: all, delay: far, budget: 60 * time.Second},
		{name: "200 mixed objects", workload: made["mixed200"], peers: peerNames, ops: all, budget: 80 * time.Second},
		{name: "10 releases of 50 mixed objects at once", workload: made["mixed50"], peers: peerNames, ops: []operation{opInstall, opNone, opChange, opUninstall}, unshown: []operation{opUninstall}, releases: 10, budget: 60 * time.Second},
		{name: "1000 ConfigMaps of 2 KB", workload: thousand, peers: peerNames, ops: all, budget: 130 * time.Second},
		{name: "1000 ConfigMaps of 2 KB, fresh process", workload: thousand, peers: append(slices.Clone(peerNames), fairleadDiskName), ops: []operation{opInstall, opPlan, opChange}, unshown: []operation{opInstall}, plans: 5, fresh: true, budget: 60 * time.Second},
		{name: "1000 ConfigMaps of 2 KB, 20 ms away", workload: thousand, peers: peerNames, ops: []operation{opInstall, opChange}, unshown: []operation{opInstall}, delay: far, budget: 60 * time.Second},
	}
	for _, n := range []int{10, 100} {
		out = append(out, section{name: fmt.Sprintf("%d ConfigMaps of 2 KB", n), workload: made[fmt.Sprint("maps", n)], peers: peerNames, ops: grows, budget: 20 * time.Second})
	}
	out = append(out, section{name: "5000 ConfigMaps of 2 KB", workload: made["maps5000"], peers: []string{rawName, fairleadName}, ops: grows, budget: 40 * time.Second})
	for _, n := range []int{1, 32} {
		out = append(out, section{name: fmt.Sprintf("1000 ConfigMaps of 2 KB, %d in flight", n), workload: thousand, peers: objects, ops: []operation{opInstall, opNone}, inFlight: n, budget: 40 * time.Second})
	}
	for _, n := range []int{1, 10, 100} {
		out = append(out, section{name: fmt.Sprintf("10 mixed objects, %d revisions kept", n), workload: ten, peers: []string{helm3Name, helm4Name, fairleadName}, ops: []operation{opInstall, opChange}, unshown: []operation{opInstall}, revise: n, budget: 25 * time.Second})
	}
	return out, nil
}
