package storage

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Stock is what is stored of one release, as of one moment.
type Stock struct {
	Revisions []Meta // as HistoryMeta lists them

	parts   []string // that continue revisions
	orphans []string // those of them that interrupted writers left behind
	// present are the Secrets of revisions that are deployed, by name: mostly
	// the only one that will be read, which has come along.
	present map[string]*corev1.Secret
}

// maxPresent bounds the bodies that come along. Of several deployed revisions,
// which interrupted deployers leave, the others are read when they are needed.
const maxPresent = 2

// Stock lists what is stored of one release.
func (s *Store) Stock(ctx context.Context, namespace, name string) (Stock, error) {
	var revisions, parts []metav1.PartialObjectMetadata
	var present *corev1.SecretList
	work, ctx := errgroup.WithContext(ctx)
	work.Go(func() (err error) {
		revisions, parts, err = s.everything(ctx, namespace, name)
		return err
	})
	work.Go(func() (err error) {
		present, err = s.secrets.CoreV1().Secrets(namespace).List(ctx, metav1.ListOptions{
			LabelSelector: fmt.Sprintf("%s=%s,%s=%s,%s=%s", labelOwner, ownerHelm, labelName, name, labelStatus, StatusDeployed), Limit: maxPresent,
		})
		return err
	})
	if err := work.Wait(); err != nil {
		return Stock{}, err
	}
	out := Stock{Revisions: metas(revisions), orphans: orphans(revisions, parts, time.Now()), present: map[string]*corev1.Secret{}}
	for _, part := range parts {
		out.parts = append(out.parts, part.Name)
	}
	versions := map[string]string{}
	for _, o := range revisions {
		versions[o.Name] = o.ResourceVersion
	}
	for i := range present.Items {
		if secret := &present.Items[i]; secret.ResourceVersion == versions[secret.Name] { // or it is of another moment
			out.present[secret.Name] = secret
		}
	}
	return out, nil
}

// Read reads one of the revisions of a stock, as Get does.
func (s *Store) Read(ctx context.Context, stock Stock, m Meta) (*Record, error) {
	if secret := stock.present[secretName(m.Name, m.Revision)]; secret != nil {
		if r, err := s.read(ctx, secret); !errors.Is(err, ErrTorn) {
			return r, err
		}
	}
	return s.Get(ctx, m.Namespace, m.Name, m.Revision)
}

// Lighten gives back what only Read needs.
func (s *Stock) Lighten() { s.present = nil }
