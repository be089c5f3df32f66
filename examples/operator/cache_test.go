package main

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/fairlead-dev/fairlead/examples/operator/api/v1alpha1"
	"github.com/fairlead-dev/fairlead/internal/testcluster"
)

// total is the sum of a metric over its labels.
func total(body, metric string) (sum float64) {
	for line := range strings.Lines(body) {
		if name, value, ok := strings.Cut(strings.TrimSpace(line), " "); ok && (name == metric || strings.HasPrefix(name, metric+"{")) {
			n, _ := strconv.ParseFloat(value, 64)
			sum += n
		}
	}
	return sum
}

// While the operator watches, passes over an Application that nothing has touched take
// no request, whoever its ServiceAccount is and whatever becomes of drift.
func TestTakesNoRequestWhileNothingChanges(t *testing.T) {
	t.Parallel()
	for _, mode := range []v1alpha1.DriftMode{v1alpha1.DriftReport, v1alpha1.DriftCorrect} {
		t.Run(string(mode), func(t *testing.T) {
			f := newFixture(t)
			served := &operator{health: freeAddress(t)}
			f.operate("-watch", "-metrics-address", served.health)
			f.application("web", `{"replicas":1}`, func(s *v1alpha1.ApplicationSpec) { s.Drift.Mode = mode })
			f.is("web", ready)
			const requests, passes = "rest_client_requests_total", "fairlead_pass_duration_seconds_count"
			read := func(ctx context.Context) (body string, err error) {
				err = served.get("metrics", func(text string) bool { body = text; return true })(ctx)
				return body, err
			}
			testcluster.Eventually(t, within, func(ctx context.Context) error {
				before, err := read(ctx)
				if err != nil {
					return err
				}
				var after string
				for begun := time.Now(); time.Since(begun) < 10*time.Second; time.Sleep(100 * time.Millisecond) {
					if after, err = read(ctx); err != nil || total(after, passes) >= total(before, passes)+2 {
						break
					}
				}
				taken, sent := total(after, passes)-total(before, passes), total(after, requests)-total(before, requests)
				if err != nil || taken < 2 || sent > 0 {
					return fmt.Errorf("%v passes took %v requests (%v)", taken, sent, err)
				}
				return nil
			})
			f.patch(f.deployment("web"), "somebody", `{"spec":{"replicas":3}}`)
			f.is("web", func(a *v1alpha1.Application) bool {
				return a.Status.Drift != nil && mode == v1alpha1.DriftReport || a.Status.Revision == 2 && *f.deployment("web").Spec.Replicas == 1
			})
		})
	}
}
