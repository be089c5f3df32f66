package engine

import (
	"regexp"
	"strings"

	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// saysExceeded matches the refusal by a quota that is used up: its name, and what
// was requested, is used, and is the limit, as lists of name=quantity.
var saysExceeded = regexp.MustCompile(`exceeded quota: (\S+), requested: (\S+), used: (\S+), limited: `)

// saysUncounted matches the refusal by a quota of which no controller has counted
// yet what is used.
var saysUncounted = regexp.MustCompile(`status unknown for quota: `)

// newQuotas are the quotas that a plan creates or changes, which it does before it
// writes what they count.
type newQuotas struct {
	// hard are the limits that each has then, by its namespace and name.
	hard map[[2]string]map[string]resource.Quantity
	// requested is what the objects ask for that the quotas of now refuse, all of
	// them together.
	requested map[[2]string]map[string]resource.Quantity
}

// newQuotas returns the quotas that the plan creates or changes.
func (b *builder) newQuotas() newQuotas {
	q := newQuotas{map[[2]string]map[string]resource.Quantity{}, map[[2]string]map[string]resource.Quantity{}}
	for i, o := range b.objects {
		if o.desired == nil || o.id.Group != "" || o.id.Kind != "ResourceQuota" || !b.verdicts[i].change.Changed() {
			continue
		}
		hard, _, _ := unstructured.NestedStringMap(o.desired.Object, "spec", "hard")
		q.hard[[2]string{o.id.Namespace, o.id.Name}] = quantities(hard)
	}
	if len(q.hard) == 0 {
		return q
	}
	for _, v := range b.verdicts {
		for _, p := range v.problems {
			at, requested, _, ok := exceeded(p)
			if !ok {
				continue
			}
			sum := q.requested[at]
			if sum == nil {
				sum = map[string]resource.Quantity{}
				q.requested[at] = sum
			}
			for name, n := range requested {
				total := sum[name]
				total.Add(n)
				sum[name] = total
			}
		}
	}
	return q
}

// in reports whether any of the quotas is in a namespace.
func (q newQuotas) in(namespace string) bool {
	for at := range q.hard {
		if at[0] == namespace {
			return true
		}
	}
	return false
}

// settles returns what to say about a problem that ends by itself before the object
// is written: a quota is used up in which the plan makes enough room first, or one
// has just been created, so that the API server refuses whatever it counts. Empty:
// the problem stays.
func (q newQuotas) settles(p Problem) string {
	if saysUncounted.MatchString(p.Message) {
		return countedFirst
	}
	at, requested, used, ok := exceeded(p)
	hard := q.hard[at]
	if !ok || hard == nil {
		return ""
	}
	for name := range requested {
		limit, limited := hard[name]
		if !limited {
			continue // the quota counts it no more
		}
		total := q.requested[at][name]
		total.Add(used[name])
		if total.Cmp(limit) > 0 {
			return ""
		}
	}
	return raisedFirst
}

// exceeded returns what a problem says about a quota that is used up: which one,
// what was requested, and what is used.
func exceeded(p Problem) (at [2]string, requested, used map[string]resource.Quantity, ok bool) {
	m := saysExceeded.FindStringSubmatch(p.Message)
	if m == nil {
		return at, nil, nil, false
	}
	asked, counted := limitsIn(m[2]), limitsIn(m[3])
	requested, used = quantities(asked), quantities(counted)
	return [2]string{p.Object.Namespace, m[1]}, requested, used, len(asked) > 0 && len(requested) == len(asked) && len(used) == len(counted)
}

// limitsIn reads "name=quantity,name=quantity".
func limitsIn(text string) map[string]string {
	out := map[string]string{}
	for part := range strings.SplitSeq(text, ",") {
		if name, n, ok := strings.Cut(part, "="); ok {
			out[name] = n
		}
	}
	return out
}

// quantities are those of the texts that are one.
func quantities(texts map[string]string) map[string]resource.Quantity {
	out := map[string]resource.Quantity{}
	for name, text := range texts {
		if n, err := resource.ParseQuantity(text); err == nil {
			out[name] = n
		}
	}
	return out
}

// Warnings of objects that a quota refuses now and not when they are written.
const (
	raisedFirst  = "a quota refuses it as it is now; it is written after the plan has changed the quota"
	countedFirst = "a quota has not been counted yet; it is written when it has"
)
