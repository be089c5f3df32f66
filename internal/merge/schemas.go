package merge

import (
	"container/list"
	"context"
	"fmt"
	"io"
	"maps"
	"sync"

	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/managedfields"
)

// Loader returns the OpenAPI v3 document of a group version, as the API server
// serves it below /openapi/v3, in JSON; nil if there is none.
type Loader func(ctx context.Context, gv schema.GroupVersion) (io.ReadCloser, error)

// maxSchemas bounds how many parsed documents are cached; the least recently
// used one is evicted. A cluster has about thirty built-in group versions.
const maxSchemas = 64

// schemas parses documents when they are first needed, each once.
type schemas struct {
	load Loader

	mu    sync.Mutex
	byGV  map[schema.GroupVersion]*list.Element // of *entry
	order list.List                             // most recently used first

	// defined are kinds by their definitions, until the server publishes them.
	defined map[schema.GroupVersionKind]*kinds
}

type entry struct {
	gv        schema.GroupVersion
	done      chan struct{} // closed when what follows is set
	converter managedfields.TypeConverter
	err       error
}

// of returns the converter of gv: nil if the server has no document for it.
// Concurrent callers share one load, which runs with the first one's context; a
// failed load is not cached, so that the next caller tries again.
func (s *schemas) of(ctx context.Context, gv schema.GroupVersion) (managedfields.TypeConverter, error) {
	for {
		s.mu.Lock()
		if el, ok := s.byGV[gv]; ok {
			s.order.MoveToFront(el)
			e := el.Value.(*entry)
			s.mu.Unlock()
			select {
			case <-e.done:
			case <-ctx.Done():
				return nil, context.Cause(ctx)
			}
			if e.err != nil && ctx.Err() == nil && isContext(e.err) {
				continue // the other caller was cancelled, this one is not
			}
			return e.converter, e.err
		}
		e := &entry{gv: gv, done: make(chan struct{})}
		el := s.order.PushFront(e)
		if s.byGV == nil {
			s.byGV = map[schema.GroupVersion]*list.Element{}
		}
		s.byGV[gv] = el
		for s.order.Len() > maxSchemas {
			last := s.order.Back()
			s.order.Remove(last)
			delete(s.byGV, last.Value.(*entry).gv)
		}
		s.mu.Unlock()

		e.converter, e.err = s.parse(ctx, gv)
		if e.err != nil {
			s.mu.Lock()
			if s.byGV[gv] == el {
				delete(s.byGV, gv)
				s.order.Remove(el)
			}
			s.mu.Unlock()
		}
		close(e.done)
		return e.converter, e.err
	}
}

// definedAs returns a kind by its definition, which is k unless that is nil.
func (s *schemas) definedAs(gvk schema.GroupVersionKind, k *kinds) *kinds {
	s.mu.Lock()
	defer s.mu.Unlock()
	if k == nil {
		return s.defined[gvk]
	}
	if len(s.defined) >= maxSchemas || s.defined == nil {
		s.defined = map[schema.GroupVersionKind]*kinds{}
	}
	s.defined[gvk] = k
	return k
}

func (s *schemas) forget(gv schema.GroupVersion) {
	s.mu.Lock()
	defer s.mu.Unlock()
	maps.DeleteFunc(s.defined, func(gvk schema.GroupVersionKind, _ *kinds) bool { return gvk.GroupVersion() == gv })
	if el, ok := s.byGV[gv]; ok {
		delete(s.byGV, gv)
		s.order.Remove(el)
	}
}

func (s *schemas) forgetGroup(group string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	maps.DeleteFunc(s.defined, func(gvk schema.GroupVersionKind, _ *kinds) bool { return gvk.Group == group })
	for gv, el := range s.byGV {
		if gv.Group == group {
			delete(s.byGV, gv)
			s.order.Remove(el)
		}
	}
}

func (s *schemas) parse(ctx context.Context, gv schema.GroupVersion) (managedfields.TypeConverter, error) {
	body, err := s.load(ctx, gv)
	if err != nil {
		return nil, fmt.Errorf("load the schema of %s: %w", gv, err)
	}
	if body == nil {
		return nil, nil
	}
	defer body.Close()
	k, err := readKinds(body)
	if err != nil {
		return nil, fmt.Errorf("parse the schema of %s: %w", gv, err)
	}
	return k, nil
}
