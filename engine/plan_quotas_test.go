package engine

import (
	"testing"

	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/fairlead-dev/fairlead/diff"
)

// A refusal by a quota is no problem of the plan if it ends by itself before the
// object is written.
func TestQuotasThatSettle(t *testing.T) {
	at := [2]string{"shop", "own"}
	q := newQuotas{
		hard:      map[[2]string]map[string]resource.Quantity{at: quantities(map[string]string{"count/services": "3", "requests.cpu": "1500m"})},
		requested: map[[2]string]map[string]resource.Quantity{at: quantities(map[string]string{"count/services": "2", "requests.cpu": "600m"})},
	}
	for message, want := range map[string]string{
		`services "b" is forbidden: exceeded quota: own, requested: count/services=1, used: count/services=1, limited: count/services=1`:                             raisedFirst,
		`services "b" is forbidden: exceeded quota: own, requested: count/services=1, used: count/services=2, limited: count/services=2`:                             "",
		`pods "b" is forbidden: exceeded quota: own, requested: requests.cpu=300m, used: requests.cpu=900m, limited: requests.cpu=1`:                                 raisedFirst,
		`pods "b" is forbidden: exceeded quota: own, requested: requests.cpu=300m, used: requests.cpu=1, limited: requests.cpu=1`:                                    "",
		`pods "b" is forbidden: exceeded quota: own, requested: pods=1,count/services=1, used: pods=9,count/services=1, limited: pods=9,count/services=1`:            raisedFirst, // pods are not counted any more
		`services "b" is forbidden: exceeded quota: other, requested: count/services=1, used: count/services=1, limited: count/services=1`:                           "",
		`services "b" is forbidden: status unknown for quota: other, resources: count/services`:                                                                      countedFirst,
		`pods "b" is forbidden: failed quota: own: must specify requests.cpu for: web`:                                                                               "",
		`services "b" is forbidden: exceeded quota: own, requested: count/services=many, used: count/services=none, limited: count/services=1 and what else follows`: "",
		`services "b" is invalid`: "",
	} {
		if got := q.settles(Problem{Object: diff.Object{Kind: "Service", Namespace: "shop", Name: "b"}, Message: message}); got != want {
			t.Errorf("%s: %q, want %q", message, got, want)
		}
	}
}
