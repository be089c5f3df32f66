package readiness

import (
	"strings"
	"time"

	"github.com/fairlead-dev/fairlead/diff"
)

const (
	// explainAfter is when what explains a delay starts to be watched: most waits
	// are over before.
	explainAfter = time.Second
	farAway      = time.Hour
)

func isCrashKey(key string) bool { return strings.HasSuffix(key, "/"+string(CauseCrashLoop)) }

// failsAt returns when a trouble ends the wait, unless it goes away before.
// False: it never does.
func (w *waiter) failsAt(tr *tracked, t trouble) (time.Time, bool) {
	grace := w.limits.grace(t.cause)
	s := tr.seen[t.key]
	if t.harmless || grace < 0 || s == nil {
		return time.Time{}, false
	}
	from := s.first
	if t.cause == CauseCrashLoop || t.cause == CauseOutOfMemory {
		if t.pod != nil && t.pod.Restarts < w.limits.CrashRestarts {
			return time.Time{}, false
		}
		// The container may depend on an object that is still being rolled out.
		for _, other := range w.all {
			if other != tr && t.cause == CauseCrashLoop && other.moved.After(from) {
				from = other.moved
			}
		}
	}
	return from.Add(grace), true
}

// failed reports whether trouble of a target has lasted too long.
func (w *waiter) failed(now time.Time) bool {
	for _, tr := range w.all {
		if w.verdict(tr, now) != nil {
			return true
		}
	}
	return false
}

// verdict returns the trouble because of which a target has failed, or nil.
func (w *waiter) verdict(tr *tracked, now time.Time) *trouble {
	for i := range tr.troubles {
		if at, ok := w.failsAt(tr, tr.troubles[i]); ok && !at.After(now) {
			return &tr.troubles[i]
		}
	}
	return nil
}

// nextLook returns how long nothing can change except by a watch event.
func (w *waiter) nextLook(now time.Time) time.Duration {
	next := now.Add(farAway)
	sooner := func(at time.Time) {
		if at.Before(next) {
			next = at
		}
	}
	for _, tr := range w.all {
		for _, t := range tr.troubles {
			if at, ok := w.failsAt(tr, t); ok {
				sooner(at)
			}
			if t.cause == CauseClaim || t.cause == CauseClaimRefused {
				sooner(now.Add(refreshAfter))
			}
		}
		if tr.known && tr.status.State == Unknown && w.limits.Unknown >= 0 {
			sooner(tr.silentSince().Add(w.limits.Unknown))
		}
	}
	for _, s := range w.spaces {
		if !s.events {
			sooner(w.began.Add(explainAfter))
		}
	}
	return max(time.Until(next), time.Millisecond)
}

// explain opens the watches that explain a delay, once there is one: pods,
// ReplicaSets and warnings. A look reads pods and ReplicaSets at once.
func (w *waiter) explain(now time.Time) {
	late := now.Sub(w.began) >= explainAfter
	for name, s := range w.spaces {
		if name == "" {
			s.events = true // pods and claims live in namespaces
			continue
		}
		workers, events, sets := false, false, false
		for _, tr := range w.all {
			if tr.Namespace != name || !tr.known || tr.status.State == Ready || w.once && tr.Applied != nil {
				continue
			}
			gk := tr.GroupKind()
			pods := ownsPods(tr.Target)
			workers = workers || pods
			sets = sets || ownsSets(tr.Target)
			events = events || pods || gk.Group == "" && (gk.Kind == "Pod" || isClaim(tr.Target))
		}
		if workers && !s.workers && (late || w.once) {
			s.workers = true
			w.open(&feed{client: w.o.Client, gvr: podsGVR, namespace: name, auxiliary: true})
		}
		if sets && !s.sets && (late || w.once) {
			s.sets = true
			w.open(&feed{client: w.o.Client, gvr: replicaSetsGVR, namespace: name, auxiliary: true})
		}
		if late && !s.events {
			s.events = true
			if events {
				w.open(&feed{client: w.o.Client, gvr: eventsGVR, namespace: name, selector: warningsOnly, auxiliary: true})
			}
		}
	}
}

// ownsSets reports whether the pods of a target's kind may be those of ReplicaSets.
func ownsSets(t Target) bool {
	return ownsPods(t) && (t.Kind == "Deployment" || !diff.IsBuiltinGroup(t.GVR.Group))
}

// ownsPods reports whether the readiness of a target's kind depends on pods. A
// custom resource may have pods, such as a database that an operator runs.
func ownsPods(t Target) bool {
	switch gk := t.GroupKind(); gk.Group {
	case "apps":
		return true
	case "batch":
		return gk.Kind == "Job"
	case "":
		return gk.Kind == "ReplicationController"
	default:
		return !diff.IsBuiltinGroup(gk.Group)
	}
}
