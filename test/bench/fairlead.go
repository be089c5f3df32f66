package main

import (
	"context"
	"fmt"
	"os"
	"sync"

	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/rest"

	"github.com/fairlead-dev/fairlead/engine"
	"github.com/fairlead-dev/fairlead/internal/storage"
	"github.com/fairlead-dev/fairlead/render"
)

// fairlead deploys with the engine, including the history.
type fairlead struct {
	config *rest.Config
	engine *engine.Engine

	mu     sync.Mutex
	charts map[string]*render.Chart // by folder
}

func newFairlead(config *rest.Config, opts engine.Options) (*fairlead, error) {
	e, err := engine.New(config, opts)
	return &fairlead{config: config, engine: e, charts: map[string]*render.Chart{}}, err
}

func (f *fairlead) chart(folder string) (*render.Chart, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if c := f.charts[folder]; c != nil {
		return c, nil
	}
	c, err := render.LoadFS(os.DirFS(folder + "/chart"))
	if err != nil {
		return nil, err
	}
	f.charts[folder] = c
	return c, nil
}

// release is what a task deploys.
func (f *fairlead) release(t task) (engine.Release, error) {
	c, err := f.chart(t.Folder)
	if err != nil {
		return engine.Release{}, err
	}
	values, err := render.MergeValues(render.FromMap("bench", map[string]any{"change": t.Change}))
	return engine.Release{Key: engine.Key{Namespace: t.Namespace, Name: t.Release}, Source: c, Values: values}, err
}

func (f *fairlead) do(ctx context.Context, t task) (int, error) {
	key := engine.Key{Namespace: t.Namespace, Name: t.Release}
	switch t.Op {
	case opInstall, opInstallWait, opPlan, opNone, opChange:
		r, err := f.release(t)
		if err != nil {
			return 0, err
		}
		if t.Op == opPlan {
			p, err := f.engine.Plan(ctx, r, engine.PlanOptions{})
			if err != nil {
				return 0, err
			}
			return 0, p.Err()
		}
		_, err = f.engine.Deploy(ctx, r, engine.ApplyOptions{NoWait: t.Op != opInstallWait, Timeout: waitLimit, History: t.keep()})
		return 0, err
	case opRollback:
		_, err := f.engine.Rollback(ctx, key, 0, engine.ApplyOptions{NoWait: true, History: t.keep()})
		return 0, err
	case opUninstall:
		return 0, f.engine.Uninstall(ctx, key, engine.ApplyOptions{NoWait: true})
	case opList:
		found, err := f.engine.List(ctx, engine.ListOptions{Namespace: t.Namespace})
		return len(found), err
	case opHistory:
		found, err := f.engine.History(ctx, key)
		return len(found), err
	case opRevise:
		return 0, f.revise(ctx, t)
	}
	return 0, fmt.Errorf("Fairlead does not support %q", t.Op)
}

// revise copies the newest revision until there are t.Revisions.
func (f *fairlead) revise(ctx context.Context, t task) error {
	secrets, err := kubernetes.NewForConfig(f.config)
	if err != nil {
		return err
	}
	meta, err := metadata.NewForConfig(f.config)
	if err != nil {
		return err
	}
	store := storage.New(secrets, meta)
	last, err := store.Last(ctx, t.Namespace, t.Release)
	if err != nil {
		return err
	}
	for v := last.Revision + 1; v <= t.Revisions; v++ {
		next := last.Again(v)
		next.Status, next.Description = storage.StatusDeployed, last.Description
		next.FirstDeployed, next.LastDeployed = last.FirstDeployed, last.LastDeployed
		last.Status = storage.StatusSuperseded
		if err := store.Update(ctx, last); err != nil {
			return err
		}
		if err := store.Create(ctx, next); err != nil {
			return err
		}
		last = next
	}
	return nil
}
