package storage

import (
	"context"
	"errors"
	"fmt"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/fairlead-dev/fairlead/internal/yamlread"
)

// Get reads one revision. It returns ErrNotFound, or a *DecodeError.
func (s *Store) Get(ctx context.Context, namespace, name string, revision int) (*Record, error) {
	return s.get(ctx, namespace, name, revision, yamlread.NewBudget(maxReading))
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
	secret, err := s.secrets.CoreV1().Secrets(namespace).Get(ctx, secretName(name, revision), metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return nil, fmt.Errorf("revision %d of %s/%s: %w", revision, namespace, name, ErrNotFound)
	}
	if err != nil {
		return nil, fmt.Errorf("read revision %d: %w", revision, err)
	}
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
func (s *Store) Relevant(ctx context.Context, stock Stock, from, concurrency int) (records []*Record, first int, broken []*DecodeError, err error) {
	r := reading{store: s, stock: stock, account: yamlread.NewBudget(maxReading), records: map[int]*Record{}}
	last := len(stock.Revisions) - 1
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
	store   *Store
	stock   Stock
	account *yamlread.Budget
	records map[int]*Record // by index in the inventory
	broken  []*DecodeError
	tried   int
}

func (r *reading) healthy(i int) bool {
	switch r.stock.Revisions[i].Status {
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
			m := r.stock.Revisions[at]
			if r.tried++; r.tried > maxRead {
				r.broken = append(r.broken, &DecodeError{m.Namespace, secretName(m.Name, m.Revision), ErrTooMany})
				continue
			}
			if secrets[i] = r.stock.present[secretName(m.Name, m.Revision)]; secrets[i] != nil {
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

func (r *reading) decode(ctx context.Context, at int, secret *corev1.Secret) error {
	record, err := r.store.read(ctx, secret, r.account)
	if errors.Is(err, ErrTorn) { // a writer may be changing it
		m := r.stock.Revisions[at]
		record, err = r.store.get(ctx, m.Namespace, m.Name, m.Revision, r.account)
	}
	var broken *DecodeError
	if errors.As(err, &broken) {
		r.broken = append(r.broken, broken)
		return nil
	}
	r.records[at] = record
	return err
}

// read decodes the revision in a Secret, and reads what continues it. It charges
// the account for what the record takes; a revision beyond that is a
// *DecodeError, too.
func (s *Store) read(ctx context.Context, secret *corev1.Secret, account yamlread.Account) (*Record, error) {
	broken := func(err error) error { return &DecodeError{secret.Namespace, secret.Name, err} }
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
	// Helm drops the annotation when it writes the body.
	if want, ok := secret.Annotations[annotationDigest]; ok && want != r.Digest() {
		return nil, broken(ErrDigest)
	}
	r.Namespace, r.lasting = secret.Namespace, lasting
	r.secret = withoutBody(secret)
	r.attempt, r.Recorder = secret.Annotations[annotationAttempt], recorder(secret.ManagedFields)
	r.Unproven = secret.Annotations[annotationUnproven] != ""
	r.ApplySet = secret.Annotations[annotationApplySet] != ""
	r.splitCause(secret.Annotations)
	for k, v := range secret.Labels {
		if !systemLabel(k) {
			if r.Labels == nil {
				r.Labels = map[string]string{}
			}
			r.Labels[k] = v
		}
	}
	return r, nil
}
