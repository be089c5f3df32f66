package testcluster_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/fairlead-dev/fairlead/internal/testcluster"
)

// showing checks one pod's first container.
type showing func(pod *corev1.Pod, status corev1.ContainerStatus) error

func waitingFor(reason, message string) showing {
	return func(_ *corev1.Pod, s corev1.ContainerStatus) error {
		if w := s.State.Waiting; w == nil || w.Reason != reason || !strings.Contains(w.Message, message) || s.Ready {
			return fmt.Errorf("state %+v, want waiting for %s with %q", s.State, reason, message)
		}
		return nil
	}
}

func crashedWith(reason string, code int32) showing {
	return func(_ *corev1.Pod, s corev1.ContainerStatus) error {
		if w := s.State.Waiting; w == nil || w.Reason != "CrashLoopBackOff" {
			return fmt.Errorf("state %+v, want waiting for CrashLoopBackOff", s.State)
		}
		last := s.LastTerminationState.Terminated
		if last == nil || last.Reason != reason || last.ExitCode != code || s.RestartCount < 2 {
			return fmt.Errorf("%d restarts and last state %+v, want 2 or more with %s %d", s.RestartCount, last, reason, code)
		}
		return nil
	}
}

func ready(restarts int32) showing {
	return func(pod *corev1.Pod, s corev1.ContainerStatus) error {
		if !s.Ready || pod.Status.Phase != corev1.PodRunning || s.RestartCount < restarts {
			return fmt.Errorf("phase %s, ready %v, %d restarts", pod.Status.Phase, s.Ready, s.RestartCount)
		}
		return nil
	}
}

func phase(want corev1.PodPhase) showing {
	return func(pod *corev1.Pod, s corev1.ContainerStatus) error {
		if pod.Status.Phase != want {
			return fmt.Errorf("phase %s, want %s", pod.Status.Phase, want)
		}
		return nil
	}
}

func TestPodsFailAsConfigured(t *testing.T) {
	tests := map[string]struct {
		image string
		notes map[string]string
		never bool // restartPolicy
		shows []showing
		event string
	}{
		"normal":         {image: "example.com/web:1.0", shows: []showing{ready(0)}},
		"image pull":     {image: "example.com/web:image-pull-error", shows: []showing{waitingFor("ImagePullBackOff", "example.com/web:image-pull-error")}, event: "BackOff"},
		"by repository":  {image: "example.com/image-pull-error:2.0", shows: []showing{waitingFor("ErrImagePull", "example.com/image-pull-error:2.0")}, event: "Failed"},
		"by annotation":  {image: "web", notes: map[string]string{"fairlead.dev/pod": "image-pull-error"}, shows: []showing{waitingFor("ImagePullBackOff", `"web"`)}},
		"crash loop":     {image: "web:crash-loop", shows: []showing{crashedWith("Error", 1)}, event: "BackOff"},
		"out of memory":  {image: "web:oom-killed", shows: []showing{crashedWith("OOMKilled", 137)}},
		"flaky":          {image: "web:flaky", shows: []showing{crashedWith("Error", 1), ready(2)}},
		"missing config": {image: "web:config-error", notes: map[string]string{"fairlead.dev/message": `secret "db" not found`}, shows: []showing{waitingFor("CreateContainerConfigError", `secret "db" not found`)}},
		"slow":           {image: "web:slow-ready", notes: map[string]string{"fairlead.dev/recover-after": "1s"}, shows: []showing{notReady, ready(0)}},
		"never ready":    {image: "web:never-ready", shows: []showing{notReady}, event: "Unhealthy"},
		"recovers":       {image: "web:image-pull-error", notes: map[string]string{"fairlead.dev/recover-after": "1s"}, shows: []showing{waitingFor("ImagePullBackOff", ""), ready(0)}},
		"crash recovers": {image: "web:oom-killed", notes: map[string]string{"fairlead.dev/recover-after": "100ms"}, shows: []showing{ready(2)}},
		"completes":      {image: "job:1", never: true, shows: []showing{phase(corev1.PodSucceeded)}},
		"fails":          {image: "job:crash-loop", never: true, shows: []showing{phase(corev1.PodFailed)}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cluster := testcluster.Shared(t)
			namespace := cluster.Namespace(t)
			k := client(t, cluster)
			template := podTemplate(test.image)
			pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "web", Annotations: test.notes}, Spec: template.Spec}
			if test.never {
				pod.Spec.RestartPolicy = corev1.RestartPolicyNever
			}
			if _, err := k.CoreV1().Pods(namespace).Create(t.Context(), pod, metav1.CreateOptions{}); err != nil {
				t.Fatal(err)
			}
			for _, shows := range test.shows {
				testcluster.Eventually(t, time.Minute, func(ctx context.Context) error {
					pod, err := k.CoreV1().Pods(namespace).Get(ctx, "web", metav1.GetOptions{})
					if err != nil {
						return err
					}
					if len(pod.Status.ContainerStatuses) == 0 {
						return errors.New("no container has a status")
					}
					return shows(pod, pod.Status.ContainerStatuses[0])
				})
			}
			if test.event == "" {
				return
			}
			testcluster.Eventually(t, time.Minute, func(ctx context.Context) error {
				events, err := k.CoreV1().Events(namespace).List(ctx, metav1.ListOptions{FieldSelector: "involvedObject.name=web,reason=" + test.event})
				if err == nil && len(events.Items) == 0 {
					err = fmt.Errorf("no event %s", test.event)
				}
				return err
			})
		})
	}
}

func notReady(pod *corev1.Pod, s corev1.ContainerStatus) error {
	if s.Ready || s.State.Running == nil {
		return fmt.Errorf("ready %v, state %+v, want running and not ready", s.Ready, s.State)
	}
	return nil
}

func TestFailingInitContainer(t *testing.T) {
	cluster := testcluster.Shared(t)
	namespace := cluster.Namespace(t)
	k := client(t, cluster)
	spec := podTemplate("web:1.0").Spec
	spec.InitContainers = []corev1.Container{{Name: "first", Image: "init:1"}, {Name: "migrate", Image: "init:crash-loop"}}
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "web"}, Spec: spec}
	if _, err := k.CoreV1().Pods(namespace).Create(t.Context(), pod, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	testcluster.Eventually(t, time.Minute, func(ctx context.Context) error {
		pod, err := k.CoreV1().Pods(namespace).Get(ctx, "web", metav1.GetOptions{})
		if err != nil {
			return err
		}
		init := pod.Status.InitContainerStatuses
		if len(init) != 2 || !init[0].Ready || pod.Status.Phase != corev1.PodPending {
			return fmt.Errorf("phase %s, init containers %+v", pod.Status.Phase, init)
		}
		if err := waitingFor("PodInitializing", "")(pod, pod.Status.ContainerStatuses[0]); err != nil {
			return err
		}
		return crashedWith("Error", 1)(pod, init[1])
	})
}
