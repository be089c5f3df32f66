package main

import (
	"context"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"
	"helm.sh/helm/v3/pkg/release"
	helmstorage "helm.sh/helm/v3/pkg/storage"
	"helm.sh/helm/v3/pkg/storage/driver"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/metadata"

	"github.com/fairlead-dev/fairlead/internal/storage"
)

const (
	storedReleases  = 500
	storedRevisions = 10
)

// history measures listing many releases, as Helm recorded them and as
// Fairlead did.
func (s *session) history(ctx context.Context) error {
	for _, recorder := range []string{helm3Name, fairleadName} {
		c := section{
			name:  storedSection(recorder),
			peers: []string{helm3Name, helm4Name, fairleadName}, budget: 35 * time.Second, inFlight: defaultInFlight,
		}
		c.workload = workload{name: c.name}
		if err := s.listing(ctx, c, recorder); err != nil {
			return err
		}
	}
	return nil
}

func (s *session) listing(ctx context.Context, c section, recorder string) error {
	namespace := ""
	return s.repeat(c, func(c section, peer string) (err error) {
		if namespace == "" {
			if namespace, err = s.record(ctx, recorder); err != nil {
				return fmt.Errorf("%s: %w", c.name, err)
			}
		}
		p, err := start(ctx, setup{Peer: peer, Kubeconfig: s.cluster.Kubeconfig, InFlight: c.inFlight})
		if err != nil {
			return err
		}
		defer p.stop()
		want := map[operation]int{opHistory: storedRevisions, opList: storedReleases}
		// The first opens the connections and is not reported.
		for i, op := range []operation{opHistory, opHistory, opList} {
			f, err := p.order(order{Tasks: []task{{Op: op, Namespace: namespace, Release: storedName(storedReleases / 2)}}})
			if i == 0 && err == nil {
				continue
			}
			r := s.row(c, op, peer)
			switch {
			case err != nil:
				r.Error = err.Error()
			case f.Count != want[op]:
				r.Error = fmt.Sprintf("it found %d, not %d", f.Count, want[op])
			}
			s.sample(r, f)
		}
		return nil
	})
}

func storedSection(recorder string) string {
	return fmt.Sprintf("%d releases of %d revisions, recorded by %s", storedReleases, storedRevisions, recorder)
}

func storedName(i int) string { return fmt.Sprintf("shop-%d", i) }

// record writes the releases, as copies of one that was deployed, and returns
// their namespace.
func (s *session) record(ctx context.Context, recorder string) (string, error) {
	w, err := mixedWorkload(s.root, 1)
	if err != nil {
		return "", err
	}
	from, err := s.newNamespace(ctx)
	if err != nil {
		return "", err
	}
	namespace, err := s.newNamespace(ctx)
	if err != nil {
		return "", err
	}
	var unused traffic
	p, err := newPeer(setup{Peer: recorder, InFlight: defaultInFlight}, unused.wrap(s.cluster.Config()), nil)
	if err != nil {
		return "", err
	}
	if _, err := p.do(ctx, task{Op: opInstall, Namespace: from, Release: releaseName, Folder: w.folder, Change: "0"}); err != nil {
		return "", err
	}
	var copyTo func(ctx context.Context, name string, revision int) error
	if recorder == helm3Name {
		copyTo, err = s.copyHelm(from, namespace)
	} else {
		copyTo, err = s.copyFairlead(ctx, from, namespace)
	}
	if err != nil {
		return "", err
	}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(16)
	for i := range storedReleases {
		group.Go(func() error {
			for revision := 1; revision <= storedRevisions; revision++ {
				if err := copyTo(ctx, storedName(i), revision); err != nil {
					return err
				}
			}
			return nil
		})
	}
	return namespace, group.Wait()
}

func (s *session) copyHelm(from, to string) (func(context.Context, string, int) error, error) {
	last, err := helmstorage.Init(driver.NewSecrets(s.client.CoreV1().Secrets(from))).Last(releaseName)
	if err != nil {
		return nil, err
	}
	store := helmstorage.Init(driver.NewSecrets(s.client.CoreV1().Secrets(to)))
	return func(_ context.Context, name string, revision int) error {
		next, info := *last, *last.Info
		next.Name, next.Namespace, next.Version, next.Info, next.Labels = name, to, revision, &info, nil
		if info.Status = release.StatusDeployed; revision < storedRevisions {
			info.Status = release.StatusSuperseded
		}
		return store.Create(&next)
	}, nil
}

func (s *session) copyFairlead(ctx context.Context, from, to string) (func(context.Context, string, int) error, error) {
	secrets, err := kubernetes.NewForConfig(s.cluster.Config())
	if err != nil {
		return nil, err
	}
	meta, err := metadata.NewForConfig(s.cluster.Config())
	if err != nil {
		return nil, err
	}
	store := storage.New(secrets, meta)
	last, err := store.Last(ctx, from, releaseName)
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context, name string, revision int) error {
		next := last.Again(revision)
		next.Name, next.Namespace, next.Description = name, to, last.Description
		next.FirstDeployed, next.LastDeployed = last.FirstDeployed, last.LastDeployed
		if next.Status = storage.StatusDeployed; revision < storedRevisions {
			next.Status = storage.StatusSuperseded
		}
		return store.Create(ctx, next)
	}, nil
}
