package engine_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/fairlead-dev/fairlead/engine"
	"github.com/fairlead-dev/fairlead/render"
)

// rivalsEach is how many deploys of different values one process has at once.
const rivalsEach = 10

// rivals deploys many values to one release concurrently. It returns how many
// succeeded or, negative, how many ended in an unexpected error.
func rivals(e *engine.Engine, namespace string) int {
	c := loadChart(panics{}, "1.0.0", map[string]string{"a.yaml": configMap, "b.yaml": strings.Replace(configMap, "-config", "-more", 1)})
	var wg sync.WaitGroup
	var mu sync.Mutex
	won, odd := 0, 0
	for i := range rivalsEach {
		wg.Go(func() {
			values, err := render.MergeValues(render.FromSet(fmt.Sprintf("colour=c%d-%d", os.Getpid(), i)))
			if err == nil {
				_, err = e.Deploy(context.Background(), engine.Release{Key: engine.Key{Namespace: namespace, Name: "shop"}, Source: c, Values: values},
					engine.ApplyOptions{NoWait: true, LockTimeout: 20 * time.Second, History: -1})
			}
			mu.Lock()
			defer mu.Unlock()
			switch {
			case err == nil:
				won++
			case !errors.Is(err, engine.ErrBusy) && !errors.Is(err, engine.ErrSuperseded):
				fmt.Println(err)
				odd++
			}
		})
	}
	wg.Wait()
	if odd > 0 {
		return -odd
	}
	return won
}

// Fifty concurrent deploys in five processes: each succeeds or gets a typed error,
// the result is completely that of one of them, and no revision is lost.
func TestRivalProcesses(t *testing.T) {
	f := newFixture(t)
	var wg sync.WaitGroup
	var mu sync.Mutex
	won := 0
	for range 5 {
		wg.Go(func() {
			n := f.killRun(t, "rivals", f.namespace, 0)
			mu.Lock()
			defer mu.Unlock()
			won += n
		})
	}
	wg.Wait()
	if won == 0 {
		t.Error("no deploy succeeded")
	}
	revisions, err := f.engine.History(f.ctx, f.key)
	if err != nil {
		t.Fatal(err)
	}
	deployed := 0
	for i, r := range revisions {
		if r.Revision != i+1 {
			t.Errorf("revision %d comes at place %d", r.Revision, i+1)
		}
		if r.Status == engine.StatusDeployed {
			deployed++
		}
	}
	if deployed != 1 || len(revisions) != won {
		t.Errorf("%d won, history %+v", won, revisions)
	}
	t.Logf("%d of %d won", won, 5*rivalsEach)
	maps, err := f.client.CoreV1().ConfigMaps(f.namespace).List(f.ctx, metav1.ListOptions{LabelSelector: "app.kubernetes.io/managed-by=Helm"})
	if err != nil || len(maps.Items) != 2 || maps.Items[0].Data["colour"] != maps.Items[1].Data["colour"] {
		t.Errorf("the outcome is mixed: %+v, %v", maps.Items, err)
	}
	f.wantUnlocked()
}

// A release of three incompressible megabytes is deployed, listed, and rolled
// back, and Helm lists it.
func TestRevisionOverTheLimitOfASecret(t *testing.T) {
	f := newFixture(t)
	template := `
{{- range $i := until 6 }}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: big-{{ $i }}}
data: {seed: {{ $.Values.seed | quote }}, noise: {{ $.Values.noise | quote }}}
{{- end }}`
	c := f.chart(map[string]string{"a.yaml": template})
	noise := func(seed byte) engine.Release {
		var b strings.Builder
		x := uint32(seed) + 1
		for b.Len() < 500_000 {
			x = x*1664525 + 1013904223
			b.WriteByte("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"[x>>26])
		}
		values, err := render.MergeValues(render.FromMap("big", map[string]any{"seed": string('a' + seed), "noise": b.String()[:480_000]}))
		if err != nil {
			t.Fatal(err)
		}
		return engine.Release{Key: f.key, Source: c, Values: values}
	}
	f.deploy(noise(0))
	f.deploy(noise(1))
	if _, err := f.engine.Rollback(f.ctx, f.key, 1, engine.ApplyOptions{}); err != nil {
		t.Fatal(err)
	}
	f.wantHistory("1 superseded", "2 superseded", "3 deployed")
	f.requests.Reset()
	f.deploy(noise(0))
	if w := f.writes(); len(w) > 0 {
		t.Errorf("deploying it again wrote %v", w)
	}
	parts, err := f.client.CoreV1().Secrets(f.namespace).List(f.ctx, metav1.ListOptions{LabelSelector: "owner=fairlead.dev"})
	if err != nil || len(parts.Items) == 0 {
		t.Errorf("it fits into one Secret: %d parts, %v", len(parts.Items), err)
	}
	if err := f.engine.Uninstall(f.ctx, f.key, engine.ApplyOptions{}); err != nil {
		t.Error(err)
	}
}
