package storage

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/fairlead-dev/fairlead/internal/yamlread"
)

// Get reads one revision. It returns ErrNotFound, or a *DecodeError.
func (s *Store) Get(ctx context.Context, namespace, name string, revision int) (*Record, error) {
	return s.get(ctx, namespace, name, revision, yamlread.NewBudget(maxOne))
}

func (s *Store) get(ctx context.Context, namespace, name string, revision int, account yamlread.Account) (*Record, error) {
	seen := ""
	for {
		secret, err := s.secret(ctx, namespace, name, revision)
		if err != nil {
			return nil, err
		}
		r, err := s.read(ctx, secret, account)
		// Between the Secret and its parts a writer may have moved on to others.
		if !errors.Is(err, ErrTorn) || secret.ResourceVersion == seen {
			return r, err
		}
		seen = secret.ResourceVersion
	}
}

func (s *Store) secret(ctx context.Context, namespace, name string, revision int) (*corev1.Secret, error) {
	secret, err := s.backend.Get(ctx, namespace, secretName(name, revision))
	if apierrors.IsNotFound(err) {
		return nil, fmt.Errorf("revision %d of %s/%s: %w", revision, namespace, name, ErrNotFound)
	}
	if err != nil {
		return nil, fmt.Errorf("read revision %d: %w", revision, err)
	}
	s.records.set(secret)
	return secret, nil
}

// Last reads the newest revision. It returns ErrNotFound if there is none.
func (s *Store) Last(ctx context.Context, namespace, name string) (*Record, error) {
	metas, err := s.HistoryMeta(ctx, namespace, name)
	if err != nil {
		return nil, err
	}
	if len(metas) == 0 {
		return nil, fmt.Errorf("release %s/%s: %w", namespace, name, ErrNotFound)
	}
	return s.Get(ctx, namespace, name, metas[len(metas)-1].Revision)
}

// Details hands over what only the bodies of revisions say, for those that are
// not Annotated, by their index and in no order, or why it cannot be read. A
// revision that is gone is left out. Secrets come side by side, and one is
// decoded at a time.
func (s *Store) Details(ctx context.Context, metas []Meta, concurrency int, each func(i int, m Meta, broken *DecodeError)) error {
	work, ctx := errgroup.WithContext(ctx)
	work.SetLimit(max(concurrency, 1))
	var decoding sync.Mutex
	for i, m := range metas {
		if m.Annotated {
			continue
		}
		work.Go(func() error {
			secret, err := s.secret(ctx, m.Namespace, m.Name, m.Revision)
			if errors.Is(err, ErrNotFound) {
				return nil
			}
			if err != nil {
				return err
			}
			decoding.Lock()
			defer decoding.Unlock()
			r, err := s.read(ctx, secret, yamlread.NewBudget(maxOne))
			if errors.Is(err, ErrTorn) { // a writer may be changing it
				r, err = s.Get(ctx, m.Namespace, m.Name, m.Revision)
			}
			var broken *DecodeError
			switch {
			case err == nil:
				each(i, r.Meta(), nil)
			case errors.As(err, &broken):
				each(i, m, broken)
			case !errors.Is(err, ErrNotFound):
				return err
			}
			return nil
		})
	}
	return work.Wait()
}

// maxRead bounds the revisions that one call reads.
const maxRead = 64

// Relevant reads the revisions of an inventory that count from the last healthy
// one on, which is at index from: their records are in the same order, nil for
// one that cannot be read, for which broken says why.
//
// All records have one budget. It is spent on the newest first, on the last
// healthy one, and on the others from the newest on; those for which nothing is
// left are broken, too. If the healthy one is broken, the one before it takes
// its place, and so on: the index of the first record is returned.
func (s *Store) Relevant(ctx context.Context, inventory Inventory, from, concurrency int) (records []*Record, first int, broken []*DecodeError, err error) {
	r := reading{store: s, inventory: inventory, left: maxReading, records: map[int]*Record{}}
	last := len(inventory.Revisions) - 1
	if last < 0 {
		return nil, 0, nil, nil
	}
	order := []int{last}
	if from < last {
		order = append(order, from)
	}
	for i := last - 1; i > from; i-- {
		order = append(order, i)
	}
	if err := r.all(ctx, order, concurrency); err != nil {
		return nil, 0, nil, err
	}
	for first = from; r.records[first] == nil && first > 0 && r.healthy(from); first-- {
		if err := r.all(ctx, []int{first - 1}, 1); err != nil {
			return nil, 0, nil, err
		}
	}
	records = make([]*Record, last-first+1)
	for i := range records {
		records[i] = r.records[first+i]
	}
	return records, first, r.broken, nil
}

// reading is the reading of several revisions within one budget.
type reading struct {
	store     *Store
	inventory Inventory
	left      int64           // of the budget
	records   map[int]*Record // by index in the inventory
	broken    []*DecodeError
	tried     int
}

func (r *reading) healthy(i int) bool {
	switch r.inventory.Revisions[i].Status {
	case StatusDeployed, StatusSuperseded:
		return true
	}
	return false
}

// all reads the revisions at the indexes. Secrets come side by side, and are
// decoded one by one in order, so that it is certain which of them the budget is
// spent on.
func (r *reading) all(ctx context.Context, order []int, concurrency int) error {
	for len(order) > 0 {
		chunk := order[:min(len(order), max(concurrency, 1))]
		order = order[len(chunk):]
		secrets := make([]*corev1.Secret, len(chunk))
		work, fetching := errgroup.WithContext(ctx)
		for i, at := range chunk {
			m := r.inventory.Revisions[at]
			if r.tried++; r.tried > maxRead {
				r.broken = append(r.broken, r.store.broken(m.Namespace, secretName(m.Name, m.Revision), ErrTooMany))
				continue
			}
			if secrets[i] = r.inventory.present[secretName(m.Name, m.Revision)]; secrets[i] != nil {
				continue
			}
			work.Go(func() (err error) {
				secrets[i], err = r.store.secret(fetching, m.Namespace, m.Name, m.Revision)
				return err
			})
		}
		if err := work.Wait(); err != nil {
			return err
		}
		for i, at := range chunk {
			if secrets[i] == nil {
				continue
			}
			if err := r.decode(ctx, at, secrets[i]); err != nil {
				return err
			}
		}
	}
	return nil
}

// decode reads one revision. What it takes is only charged if it can be read.
func (r *reading) decode(ctx context.Context, at int, secret *corev1.Secret) error {
	account := yamlread.NewBudget(max(min(r.left, maxOne), 1))
	record, err := r.store.read(ctx, secret, account)
	if errors.Is(err, ErrTorn) { // a writer may be changing it
		m := r.inventory.Revisions[at]
		account = yamlread.NewBudget(max(min(r.left, maxOne), 1))
		record, err = r.store.get(ctx, m.Namespace, m.Name, m.Revision, account)
	}
	var broken *DecodeError
	if errors.As(err, &broken) {
		r.broken = append(r.broken, broken)
		return nil
	}
	r.records[at], r.left = record, r.left-account.Used()
	return err
}

// read decodes the revision in a Secret, and reads what continues it. It charges
// the account for what the record takes; a revision beyond that is a
// *DecodeError, too.
func (s *Store) read(ctx context.Context, secret *corev1.Secret, account yamlread.Account) (*Record, error) {
	broken := func(err error) error { return s.broken(secret.Namespace, secret.Name, err) }
	doc, manifest, lasting, err := unpack(secret.Data[bodyKey], account)
	if err != nil {
		return nil, broken(err)
	}
	r, err := recordOf(doc, manifest)
	if err != nil {
		return nil, broken(err)
	}
	if secret.Name != secretName(r.Name, r.Revision) {
		return nil, broken(fmt.Errorf("the body is revision %d of %s", r.Revision, r.Name))
	}
	c, continued, err := continuationOf(manifest)
	if err != nil {
		return nil, broken(err)
	}
	if continued {
		tail, err := s.readParts(ctx, secret.Namespace, r.Name, r.Revision, c, account)
		if errors.Is(err, ErrTorn) || errors.As(err, new(*yamlread.LimitError)) {
			return nil, broken(err)
		}
		if err != nil {
			return nil, err
		}
		if doc, manifest, err = joined(doc, tail, account); err != nil {
			return nil, broken(err)
		}
		if r, err = recordOf(doc, manifest); err != nil {
			return nil, broken(err)
		}
		r.continued = c
	}
	if !hasDigest(r, secret) {
		return nil, broken(ErrDigest)
	}
	r.Namespace, r.lasting = secret.Namespace, lasting
	r.secret, r.Seed = withoutBody(secret), secret.Data[seedKey]
	r.attempt, r.Recorder = secret.Annotations[annotationAttempt], recorder(secret.ManagedFields, secret.Type != "")
	r.Unproven = secret.Annotations[annotationUnproven] != ""
	r.ApplySet = secret.Annotations[annotationApplySet] != ""
	r.AppliedPlan, r.Progress = secret.Annotations[annotationPlan], secret.Annotations[annotationProgress]
	r.splitCause(secret.Annotations)
	r.Labels = userLabels(secret.Labels)
	r.Owner, r.Owned = ownerIn(secret)
	if r.Status.Unfinished() {
		r.Mark = markIn(secret.ObjectMeta)
	}
	return r, nil
}
