package readiness

import (
	"strings"
	"time"
)

const (
	// explainAfter is when warnings begin to be watched: most waits are over
	// before and need none.
	explainAfter = time.Second
	farAway      = time.Hour
)

func isCrashKey(key string) bool { return strings.HasSuffix(key, "/"+string(CauseCrashLoop)) }

// gaveUpAt is when a trouble ends the wait, unless it goes away before.
// False: it never does.
func (w *waiter) gaveUpAt(tr *tracked, t trouble) (time.Time, bool) {
	grace := w.policy.grace(t.cause)
	s := tr.seen[t.key]
	if t.harmless || grace < 0 || s == nil {
		return time.Time{}, false
	}
	from := s.first
	if t.cause == CauseCrashLoop || t.cause == CauseOutOfMemory {
		if t.pod != nil && t.pod.Restarts < w.policy.CrashRestarts {
			return time.Time{}, false
		}
		// What the container lacks may be what is just being rolled out.
		for _, other := range w.all {
			if other != tr && t.cause == CauseCrashLoop && other.moved.After(from) {
				from = other.moved
			}
		}
	}
	return from.Add(grace), true
}

// hopeless says whether some target's trouble has lasted too long.
func (w *waiter) hopeless(now time.Time) bool {
	for _, tr := range w.all {
		if w.verdict(tr, now) != nil {
			return true
		}
	}
	return false
}

// verdict is the trouble that a target has failed by; nil: it may still come.
func (w *waiter) verdict(tr *tracked, now time.Time) *trouble {
	for i := range tr.troubles {
		if at, ok := w.gaveUpAt(tr, tr.troubles[i]); ok && !at.After(now) {
			return &tr.troubles[i]
		}
	}
	return nil
}

// nextLook is how long nothing can change but by news.
func (w *waiter) nextLook(now time.Time) time.Duration {
	next := now.Add(farAway)
	sooner := func(at time.Time) {
		if at.Before(next) {
			next = at
		}
	}
	for _, tr := range w.all {
		for _, t := range tr.troubles {
			if at, ok := w.gaveUpAt(tr, t); ok {
				sooner(at)
			}
			if t.cause == CauseClaim || t.cause == CauseClaimRefused {
				sooner(now.Add(askAgain))
			}
		}
		if tr.known && tr.status.State == Unknown && w.policy.Unknown >= 0 {
			sooner(tr.silentSince().Add(w.policy.Unknown))
		}
	}
	for _, s := range w.spaces {
		if !s.events {
			sooner(w.began.Add(explainAfter))
		}
	}
	return max(time.Until(next), time.Millisecond)
}

// explain opens the watches that explain a delay, once there is one: pods and
// ReplicaSets when a workload was seen not to be ready, warnings later.
func (w *waiter) explain(now time.Time) {
	late := now.Sub(w.began) >= explainAfter
	for name, s := range w.spaces {
		if name == "" {
			s.events = true // pods and claims live in namespaces
			continue
		}
		workers, events, sets := false, false, false
		for _, tr := range w.all {
			if tr.Namespace != name || !tr.known || tr.status.State == Ready {
				continue
			}
			gk := tr.GroupKind()
			pods := ownsPods(tr.Target)
			workers = workers || pods
			sets = sets || pods && (gk.Kind == "Deployment" || !isBuiltinGroup(gk.Group))
			events = events || pods || gk.Group == "" && (gk.Kind == "Pod" || isClaim(tr.Target))
		}
		if workers && !s.workers {
			s.workers = true
			w.open(&feed{client: w.o.Client, gvr: podsGVR, namespace: name, beside: true})
		}
		if sets && !s.sets {
			s.sets = true
			w.open(&feed{client: w.o.Client, gvr: replicaSetsGVR, namespace: name, beside: true})
		}
		if late && !s.events {
			s.events = true
			if events {
				w.open(&feed{client: w.o.Client, gvr: eventsGVR, namespace: name, selector: warningsOnly, beside: true})
			}
		}
	}
}

// ownsPods: kinds whose readiness is that of pods. A custom resource may be
// one, as a rollout or a database that an operator runs.
func ownsPods(t Target) bool {
	switch gk := t.GroupKind(); gk.Group {
	case "apps":
		return true
	case "batch":
		return gk.Kind == "Job"
	case "":
		return gk.Kind == "ReplicationController"
	default:
		return !isBuiltinGroup(gk.Group)
	}
}
