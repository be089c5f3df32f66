package storage

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/fairlead-dev/fairlead/internal/yamlread"
)

const (
	// listPage bounds one page of a listing.
	listPage = 250
	// bodyPage bounds one page of a listing with bodies, of a MiB each at most.
	bodyPage = 50
	// listTries bounds how often a listing that outlived its snapshot starts
	// again.
	listTries = 5
)

// HistoryMeta lists the revisions of one release, oldest first, without
// their bodies. It is more than a list to show: who owns objects and what a
// failed deploy goes back to is decided by it.
func (s *Store) HistoryMeta(ctx context.Context, namespace, name string) ([]Meta, error) {
	items, err := s.list(ctx, namespace, labelOwner+"="+ownerHelm+","+labelName+"="+name)
	return metas(items), err
}

// Newest lists the newest revision of each release in a namespace, or in all
// (""), ordered by namespace and name, without their bodies. Superseded ones
// count only if asked for: a deploy supersedes what is older than itself, so
// that leaving nine of ten revisions to the API server misses a release only
// where another client has deleted the newer ones.
func (s *Store) Newest(ctx context.Context, namespace string, superseded bool) ([]Meta, error) {
	selector := newestSelector(superseded)
	type release struct{ namespace, name string }
	newest := map[release]Meta{}
	err := pages(ctx, s.backend, namespace, selector, func(page []metav1.PartialObjectMetadata) {
		for i := range page {
			m, ok := metaOf(page[i].ObjectMeta)
			if r := (release{m.Namespace, m.Name}); ok && m.Revision <= maxListed && m.Revision > newest[r].Revision {
				newest[r] = m
			}
		}
	}, func() { clear(newest) })
	return slices.SortedFunc(maps.Values(newest), compareMeta), err
}

// maxListed is the greatest number that a listing takes for a revision; without
// the whole history it cannot look for gaps.
const maxListed = 100 * maxGap

func newestSelector(superseded bool) string {
	if superseded {
		return labelOwner + "=" + ownerHelm
	}
	return labelOwner + "=" + ownerHelm + "," + labelStatus + "!=" + string(StatusSuperseded)
}

// Bodies reads the revisions that wanted names, by its place in what Newest
// returned, and hands each over by that place, in no order: the record, or why it
// cannot be read. It is for many; one request brings a page of them. What was
// deleted in the meantime is left out.
func (s *Store) Bodies(ctx context.Context, namespace string, superseded bool, wanted map[int]Meta, each func(int, *Record, *DecodeError)) error {
	places := map[string]int{}
	for i, m := range wanted {
		places[m.Namespace+"/"+secretName(m.Name, m.Revision)] = i
	}
	opts := metav1.ListOptions{LabelSelector: newestSelector(superseded), Limit: bodyPage}
	tries := 1
	for len(places) > 0 {
		page, err := s.backend.List(ctx, namespace, opts)
		if apierrors.IsResourceExpired(err) && opts.Continue != "" && tries < listTries {
			tries++
			opts.Continue = "" // what has been read is not wanted again
			continue
		}
		if err != nil {
			return fmt.Errorf("read revisions: %w", err)
		}
		for i := range page.Items {
			item := &page.Items[i]
			place, ok := places[item.Namespace+"/"+item.Name]
			if !ok {
				continue
			}
			delete(places, item.Namespace+"/"+item.Name)
			r, err := s.read(ctx, item, yamlread.NewBudget(maxOne))
			if errors.Is(err, ErrTorn) { // a writer may be at it
				r, err = s.Get(ctx, item.Namespace, wanted[place].Name, wanted[place].Revision)
			}
			var broken *DecodeError
			switch {
			case err == nil, errors.As(err, &broken):
				each(place, r, broken)
			case errors.Is(err, ErrNotFound):
			default:
				return err
			}
		}
		if opts.Continue = page.Continue; opts.Continue == "" {
			return nil
		}
	}
	return nil
}

// metas lists the revisions among Secrets of one release, oldest first.
func metas(items []metav1.PartialObjectMetadata) []Meta {
	var out []Meta
	for i := range items {
		if m, ok := metaOf(items[i].ObjectMeta); ok {
			out = append(out, m)
		}
	}
	slices.SortFunc(out, compareMeta)
	return out[:plausible(out)]
}

// maxGap is how far a revision may be from the one before. Every deploy counts
// one up, so that a larger gap is in a number that was made up; and a release
// that went on from one near the greatest int would run out of numbers.
const maxGap = 10_000_000

// plausible is how many of the revisions, oldest first, are numbered as deploys
// would have done it.
func plausible(revisions []Meta) int {
	before := 0
	for i, m := range revisions {
		if m.Revision-before > maxGap {
			return i
		}
		before = m.Revision
	}
	return len(revisions)
}

func compareMeta(a, b Meta) int {
	return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name), cmp.Compare(a.Revision, b.Revision))
}

// list reads the metadata of Secrets.
func (s *Store) list(ctx context.Context, namespace, selector string) ([]metav1.PartialObjectMetadata, error) {
	var out []metav1.PartialObjectMetadata
	err := pages(ctx, s.backend, namespace, selector, func(page []metav1.PartialObjectMetadata) {
		for _, item := range page {
			item.ManagedFields = nil // the greater part of it
			out = append(out, item)
		}
	}, func() { out = nil })
	return out, err
}

// pages reads the metadata of records page by page, so that no more
// than one is in memory. Pages that became too old to go on from are forgotten,
// and come again.
func pages(ctx context.Context, backend Backend, namespace, selector string, each func([]metav1.PartialObjectMetadata), forget func()) error {
	opts := metav1.ListOptions{LabelSelector: selector, Limit: listPage}
	tries := 1
	for {
		page, err := backend.ListMeta(ctx, namespace, opts)
		if apierrors.IsResourceExpired(err) && opts.Continue != "" && tries < listTries {
			tries++
			opts.Continue = ""
			forget()
			continue
		}
		if err != nil {
			return fmt.Errorf("list revisions: %w", err)
		}
		each(page.Items)
		if opts.Continue = page.Continue; opts.Continue == "" {
			return nil
		}
	}
}

// Delete removes one revision; one that is gone already is no error. What
// continues it is collected by the cluster.
func (s *Store) Delete(ctx context.Context, namespace, name string, revision int) error {
	if err := s.delete(ctx, namespace, secretName(name, revision), ""); err != nil {
		return fmt.Errorf("delete revision %d: %w", revision, err)
	}
	return nil
}

// delete removes a Secret, if it is of the UID, unless that is empty.
func (s *Store) delete(ctx context.Context, namespace, secret string, uid types.UID) error {
	var opts metav1.DeleteOptions
	if uid != "" {
		opts.Preconditions = &metav1.Preconditions{UID: &uid}
	}
	_, err := s.write(namespace, secret, func() (*corev1.Secret, error) {
		return nil, s.backend.Delete(ctx, namespace, secret, opts)
	})
	if apierrors.IsNotFound(err) {
		return nil
	}
	return err
}

// Trim deletes the oldest revisions of a inventory beyond keep (below 1 counts as
// 1), never the newest and never one that is deployed; and parts of revisions
// that interrupted writers left behind, but for those of the newest: a process that
// has recorded it since the inventory was listed may go on from them.
func (s *Store) Trim(ctx context.Context, namespace string, inventory Inventory, keep int) error {
	all := inventory.Revisions
	excess := len(all) - max(keep, 1)
	for _, m := range all {
		if excess <= 0 {
			break
		}
		if m.Status == StatusDeployed || m.Revision == all[len(all)-1].Revision {
			continue
		}
		if err := s.deleteListed(ctx, m); err != nil {
			return err
		}
		excess--
	}
	return s.deleteLeft(ctx, namespace, slices.DeleteFunc(slices.Clone(inventory.orphans), func(part string) bool {
		return len(all) > 0 && isPartOf(part, all[len(all)-1])
	}))
}

// Forget deletes all of an inventory, the newest revision last of them: as long as
// it stands, the release can be found and forgotten again. Parts go after the
// revisions that could not be read without.
func (s *Store) Forget(ctx context.Context, namespace string, inventory Inventory) error {
	if all := inventory.Revisions; len(all) > 0 {
		older, deleting := errgroup.WithContext(ctx)
		older.SetLimit(forgottenAtOnce)
		for _, m := range all[:len(all)-1] {
			older.Go(func() error { return s.deleteListed(deleting, m) })
		}
		if err := older.Wait(); err != nil {
			return err
		}
		if err := s.deleteListed(ctx, all[len(all)-1]); err != nil {
			return err
		}
	}
	return s.deleteLeft(ctx, namespace, inventory.parts)
}

// forgottenAtOnce is how many revisions are deleted at once.
const forgottenAtOnce = 8

// deleteLeft deletes parts that no revision needs.
func (s *Store) deleteLeft(ctx context.Context, namespace string, parts []string) error {
	for _, part := range parts {
		if err := s.delete(ctx, namespace, part, ""); err != nil {
			return fmt.Errorf("delete a part of a revision: %w", err)
		}
	}
	return nil
}

// deleteListed deletes the revision that was listed, and not one of its number
// that was recorded since, after the release had been installed again.
func (s *Store) deleteListed(ctx context.Context, m Meta) error {
	err := s.delete(ctx, m.Namespace, secretName(m.Name, m.Revision), m.UID)
	if err != nil && !apierrors.IsConflict(err) {
		return fmt.Errorf("delete revision %d: %w", m.Revision, err)
	}
	return nil
}

// everything lists the Secrets of a release: its revisions, the parts that continue
// them, and what has reserved revisions.
func (s *Store) everything(ctx context.Context, namespace, name string) (revisions, parts []metav1.PartialObjectMetadata, reserved []Claim, err error) {
	items, err := s.list(ctx, namespace, fmt.Sprintf("%s in (%s,%s,%s),%s=%s", labelOwner, ownerHelm, ownerPart, ownerReserved, labelName, name))
	for _, item := range items {
		switch item.Labels[labelOwner] {
		case ownerPart:
			parts = append(parts, item)
		case ownerReserved:
			if n, err := strconv.Atoi(item.Labels[labelRevision]); err == nil && item.Name == secretName(name, n) {
				reserved = append(reserved, claimOf(item.ObjectMeta, name, n))
			}
		default:
			revisions = append(revisions, item)
		}
	}
	return revisions, parts, reserved, err
}

// WatchSelector selects all that a Store keeps: revisions, and the parts that
// continue them.
const WatchSelector = labelOwner + " in (" + ownerHelm + "," + ownerPart + ")"

// WatchedMeta is the Meta of a record that a watch with WatchSelector has sent, in
// the namespace of its release; Revision is 0 for a part. ok is false for what is
// neither.
func WatchedMeta(o metav1.ObjectMeta) (m Meta, ok bool) {
	if namespace := o.Labels[labelNamespace]; namespace != "" {
		o.Namespace = namespace
	}
	if o.Labels[labelOwner] == ownerPart {
		return Meta{Name: o.Labels[labelName], Namespace: o.Namespace}, o.Labels[labelName] != ""
	}
	return metaOf(o)
}
