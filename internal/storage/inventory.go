package storage

import (
	"context"
	"fmt"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Inventory is what is stored of one release, as of one moment.
type Inventory struct {
	Revisions []Meta // as HistoryMeta lists them
	// Ignored are the Secrets of the release that are labelled as revisions and
	// are none: their number is not that of their name, or implausible.
	Ignored []string
	// Versions are the resourceVersions of all that is stored, by name, what is
	// ignored and parts included.
	Versions map[string]string
	// Reserved are revisions that are none, whose numbers operations have taken that
	// record none.
	Reserved []Claim

	parts   []string // that continue revisions
	orphans []string // those of them that interrupted writers left behind
	// present are the Secrets of revisions that are deployed, or remembered, by name:
	// mostly the only one that will be read, which has come along.
	present map[string]*corev1.Secret
}

// maxPresent bounds the bodies that come along. Of several deployed revisions,
// which interrupted deployers leave, the others are read when they are needed.
const maxPresent = 2

// Inventory lists what is stored of one release.
func (s *Store) Inventory(ctx context.Context, namespace, name string) (Inventory, error) {
	var revisions, parts []metav1.PartialObjectMetadata
	var reserved []Claim
	present := s.records.of(namespace, name)
	work, ctx := errgroup.WithContext(ctx)
	work.Go(func() (err error) {
		revisions, parts, reserved, err = s.everything(ctx, namespace, name)
		return err
	})
	work.Go(func() error {
		if len(present) > 0 {
			return nil
		}
		deployed, err := s.backend.List(ctx, namespace, metav1.ListOptions{
			LabelSelector: fmt.Sprintf("%s=%s,%s=%s,%s=%s", labelOwner, ownerHelm, labelName, name, labelStatus, StatusDeployed), Limit: maxPresent,
		})
		if err != nil {
			return err
		}
		for i := range deployed.Items {
			present = append(present, &deployed.Items[i])
			s.records.set(&deployed.Items[i])
		}
		return nil
	})
	if err := work.Wait(); err != nil {
		return Inventory{}, err
	}
	listed := metas(revisions)
	out := Inventory{Revisions: listed, Reserved: reserved, Ignored: ignored(revisions, listed), orphans: orphans(revisions, parts, time.Now()), present: map[string]*corev1.Secret{}, Versions: map[string]string{}}
	for _, part := range parts {
		out.parts = append(out.parts, part.Name)
		out.Versions[part.Name] = part.ResourceVersion
	}
	for _, o := range revisions {
		out.Versions[o.Name] = o.ResourceVersion
	}
	for _, secret := range present {
		if secret.ResourceVersion == out.Versions[secret.Name] { // or it is of another moment
			out.present[secret.Name] = secret
		}
	}
	return out, nil
}

// ignored lists the names of the Secrets that are not among the revisions.
func ignored(secrets []metav1.PartialObjectMetadata, revisions []Meta) []string {
	known := map[string]bool{}
	for _, m := range revisions {
		known[secretName(m.Name, m.Revision)] = true
	}
	var out []string
	for _, o := range secrets {
		if !known[o.Name] {
			out = append(out, o.Name)
		}
	}
	slices.Sort(out)
	return out
}

// DropBodies drops the bodies that came along, which only Relevant needs.
func (s *Inventory) DropBodies() { s.present = nil }
