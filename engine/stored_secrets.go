package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/fairlead-dev/fairlead/internal/storage"
)

// recordedSecrets are the Secrets of a revision, and the objects of its hooks. A
// manifest that cannot be read has none: nothing of it is shown either.
func recordedSecrets(r *storage.Record) []*unstructured.Unstructured {
	objects, err := parseManifest(r.Manifest.String())
	if err != nil {
		objects = nil
	}
	return append(secretsIn(objects), hookObjects(r)...)
}

// earlierSecrets are the Secrets of which the pods of revisions may have the
// values: their own, and those of all revisions if a workload was undone, or if
// the pods were not waited for and may be still those of an earlier one.
func (e *Engine) earlierSecrets(ctx context.Context, k Key, records []*storage.Record) ([]*unstructured.Unstructured, error) {
	if slices.ContainsFunc(records, func(r *storage.Record) bool { return r.Unproven || hasUndone(r) }) {
		return e.storedSecrets(ctx, k)
	}
	var out []*unstructured.Unstructured
	for _, r := range records {
		out = append(out, recordedSecrets(r)...)
	}
	return out, nil
}

// storedSecrets are those of all revisions that are stored of a release.
func (e *Engine) storedSecrets(ctx context.Context, k Key) ([]*unstructured.Unstructured, error) {
	records, err := e.storedRevisions(ctx, k)
	if errors.Is(err, storage.ErrNotFound) {
		records, err = e.storedRevisions(ctx, k) // another operation has trimmed the history meanwhile
	}
	var out []*unstructured.Unstructured
	for _, r := range records {
		if r != nil {
			out = append(out, recordedSecrets(r)...)
		}
	}
	return out, err
}

// storedRevisions reads all revisions that can be read; nil ones cannot.
func (e *Engine) storedRevisions(ctx context.Context, k Key) ([]*storage.Record, error) {
	inventory, err := e.store.Inventory(ctx, k.Namespace, k.Name)
	if err != nil {
		return nil, fmt.Errorf("read the history: %w", err)
	}
	records, _, _, err := e.store.Relevant(ctx, inventory, 0, e.opts.Concurrency)
	return records, err
}
