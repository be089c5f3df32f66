package readiness

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
)

// podTroubles returns what is wrong with one pod. events are the warnings about
// it, the latest first. A pod that is only starting is not in trouble.
func podTroubles(p *corev1.Pod, events []*corev1.Event) []trouble {
	if p.DeletionTimestamp != nil || p.Status.Phase == corev1.PodSucceeded {
		return nil
	}
	whole := func(c Cause, reason, message string) []trouble {
		return []trouble{newTrouble(p, nil, c, reason, message)}
	}
	if p.Status.Phase == corev1.PodFailed {
		if p.Status.Reason == "Evicted" || p.Status.Reason == "Preempting" || p.Status.Reason == "NodeLost" {
			// Its controller creates another one.
			out := whole(CauseEvicted, p.Status.Reason, p.Status.Message)
			out[0].harmless = true
			return out
		}
		return failedPod(p)
	}
	for _, c := range p.Status.Conditions {
		if c.Type != corev1.PodScheduled || c.Status != corev1.ConditionFalse {
			continue
		}
		switch {
		case c.Reason == corev1.PodReasonSchedulingGated:
			return whole(CauseGated, c.Reason, c.Message)
		case strings.Contains(c.Message, "persistentvolumeclaim") && strings.Contains(c.Message, "not found"):
			return whole(CauseClaimRefused, c.Reason, c.Message)
		case strings.Contains(c.Message, "PersistentVolumeClaim"), strings.Contains(c.Message, "persistent volume"):
			return whole(CauseClaim, c.Reason, c.Message)
		}
		return whole(CauseUnschedulable, cmp.Or(c.Reason, corev1.PodReasonUnschedulable), c.Message)
	}
	var out []trouble
	for i := range p.Status.InitContainerStatuses {
		if tr, ok := containerTrouble(p, &p.Status.InitContainerStatuses[i], true, events); ok {
			out = append(out, tr)
		}
	}
	for i := range p.Status.ContainerStatuses {
		if tr, ok := containerTrouble(p, &p.Status.ContainerStatuses[i], false, events); ok {
			out = append(out, tr)
		}
	}
	if len(out) == 0 && p.Status.Phase == corev1.PodPending {
		// Volumes that cannot be mounted are not in the pod's status.
		for _, e := range events {
			switch e.Reason {
			case "FailedMount", "FailedAttachVolume", "FailedMapVolume":
				return whole(CauseConfig, e.Reason, e.Message)
			case "FailedCreatePodSandBox", "FailedCreatePodContainer":
				out := whole(CauseConfig, e.Reason, e.Message)
				out[0].harmless = true // a problem of the node, often temporary
				return out
			}
		}
	}
	return out
}

func failedPod(p *corev1.Pod) []trouble {
	for _, init := range []bool{true, false} {
		statuses := p.Status.ContainerStatuses
		if init {
			statuses = p.Status.InitContainerStatuses
		}
		for i := range statuses {
			if t := statuses[i].State.Terminated; t != nil && t.ExitCode != 0 {
				tr := newTrouble(p, &statuses[i], CausePodFailed, cmp.Or(t.Reason, "Error"), t.Message)
				tr.pod.Init, tr.pod.ExitCode = init, int(t.ExitCode)
				return []trouble{tr}
			}
		}
	}
	return []trouble{newTrouble(p, nil, CausePodFailed, cmp.Or(p.Status.Reason, "Failed"), p.Status.Message)}
}

func containerTrouble(p *corev1.Pod, c *corev1.ContainerStatus, init bool, events []*corev1.Event) (trouble, bool) {
	found := func(cause Cause, reason, message string) (trouble, bool) {
		tr := newTrouble(p, c, cause, reason, message)
		tr.pod.Init = init
		return tr, true
	}
	crash := func(t *corev1.ContainerStateTerminated, reason, message string) (trouble, bool) {
		cause := CauseCrashLoop
		if t != nil && t.Reason == "OOMKilled" {
			cause, reason = CauseOutOfMemory, t.Reason
			message = "killed at its memory limit" + limitOf(p, c.Name)
		}
		tr, _ := found(cause, reason, message)
		if t != nil {
			tr.pod.ExitCode = int(t.ExitCode)
			if tr.pod.Message == "" {
				tr.pod.Message = t.Message
				tr.message = t.Message
			}
		}
		return tr, true
	}
	last := c.LastTerminationState.Terminated
	switch w, t := c.State.Waiting, c.State.Terminated; {
	case w != nil:
		switch w.Reason {
		case "InvalidImageName", "ErrImageNeverPull", "SignatureValidationFailed":
			return found(CauseImageRefused, w.Reason, w.Message)
		case "ErrImagePull", "ImagePullBackOff", "ImageInspectError", "RegistryUnavailable":
			message := pullMessage(w.Message, events)
			return found(pullCause(message), w.Reason, message)
		case "CrashLoopBackOff":
			return crash(last, w.Reason, w.Message)
		case "CreateContainerConfigError", "CreateContainerError", "RunContainerError", "StartError", "PreStartHookError", "PostStartHookError":
			return found(CauseConfig, w.Reason, w.Message)
		}
	case t != nil:
		// Between its exit and the back-off. For init containers and those of
		// pods that are not restarted, 0 is success.
		if t.ExitCode != 0 || t.Reason == "OOMKilled" || !init && p.Spec.RestartPolicy == corev1.RestartPolicyAlways {
			return crash(t, cmp.Or(t.Reason, "Terminated"), t.Message)
		}
	case c.State.Running != nil && !c.Ready && !init:
		for _, e := range events {
			if e.Reason == "Unhealthy" && (e.InvolvedObject.FieldPath == "" || strings.Contains(e.InvolvedObject.FieldPath, "{"+c.Name+"}")) {
				return found(CauseUnready, e.Reason, e.Message)
			}
		}
		// Running again after a crash.
		if last != nil && last.ExitCode != 0 {
			return crash(last, cmp.Or(last.Reason, "Error"), last.Message)
		}
	}
	return trouble{}, false
}

// unreadyPods returns running pods that are not ready for no known reason. It is
// only used once a wait has ended: before, they may be just starting.
func unreadyPods(f family, known []trouble) []trouble {
	var out []trouble
	for _, p := range f.now {
		if p.DeletionTimestamp != nil || slices.ContainsFunc(known, func(t trouble) bool { return t.pod != nil && t.pod.Name == p.Name }) {
			continue
		}
		if p.Status.Phase == corev1.PodPending {
			for i := range p.Status.ContainerStatuses {
				if w := p.Status.ContainerStatuses[i].State.Waiting; w != nil {
					tr := newTrouble(p, &p.Status.ContainerStatuses[i], CauseTimeout, w.Reason, w.Message)
					out = append(out, tr)
					break
				}
			}
			continue
		}
		for _, c := range p.Status.Conditions {
			if c.Type == corev1.PodReady && c.Status != corev1.ConditionTrue && p.Status.Phase == corev1.PodRunning {
				tr := newTrouble(p, nil, CauseUnready, cmp.Or(c.Reason, "NotReady"), cmp.Or(c.Message, "it runs but is not ready"))
				for i := range p.Status.ContainerStatuses {
					if !p.Status.ContainerStatuses[i].Ready {
						named := newTrouble(p, &p.Status.ContainerStatuses[i], tr.cause, tr.reason, tr.message)
						tr = named
						break
					}
				}
				out = append(out, tr)
			}
		}
	}
	return out
}

func newTrouble(p *corev1.Pod, c *corev1.ContainerStatus, cause Cause, reason, message string) trouble {
	d := &PodDiagnosis{
		Name: p.Name, Node: p.Spec.NodeName, Phase: string(p.Status.Phase),
		Cause: cause, Reason: reason, Message: message,
	}
	key := string(p.UID)
	if c != nil {
		d.Container, d.Image, d.Restarts = c.Name, cmp.Or(specImage(p, c.Name), c.Image), int(c.RestartCount)
		key += "/" + c.Name
	}
	group := cause
	switch cause {
	case CauseOutOfMemory:
		group = CauseCrashLoop // one loop, whichever way it ends each time
	case CauseImageRefused:
		group = CauseImagePull // ErrImagePull and ImagePullBackOff take turns
	case CauseClaimRefused:
		group = CauseClaim
	}
	return trouble{key: key + "/" + string(group), cause: cause, reason: reason, message: message, pod: d}
}

// specImage is the image as the author wrote it; the status may hold a digest.
func specImage(p *corev1.Pod, container string) string {
	for _, list := range [][]corev1.Container{p.Spec.InitContainers, p.Spec.Containers} {
		for i := range list {
			if list[i].Name == container {
				return list[i].Image
			}
		}
	}
	return ""
}

func limitOf(p *corev1.Pod, container string) string {
	for i := range p.Spec.Containers {
		if p.Spec.Containers[i].Name == container {
			if m, ok := p.Spec.Containers[i].Resources.Limits[corev1.ResourceMemory]; ok {
				return fmt.Sprintf(" of %s", m.String())
			}
		}
	}
	return ""
}

// pullMessage returns the registry's error. While older kubelets back off, the
// status is only "Back-off pulling image", and the error is in an event.
func pullMessage(message string, events []*corev1.Event) string {
	if isPullError(message) {
		return message
	}
	for _, e := range events {
		if e.Reason == "Failed" && isPullError(e.Message) {
			return e.Message
		}
	}
	return message
}

func isPullError(message string) bool {
	low := strings.ToLower(message)
	return strings.Contains(low, "failed to pull") || strings.Contains(low, "rpc error") || pullRefused(low)
}

func pullCause(message string) Cause {
	if pullRefused(strings.ToLower(message)) {
		return CauseImageRefused
	}
	return CauseImagePull
}

// pullRefused reports whether an error of a registry will not go away by
// retrying. "no such host" and timeouts are not among them.
func pullRefused(low string) bool {
	for _, s := range []string{
		"not found", "manifest unknown", "name unknown", "does not exist", "unauthorized",
		"access denied", "denied:", "authentication required", "403 forbidden", "401 ",
		"no matching manifest", "invalid reference format", "insufficient_scope", "no basic auth credentials",
	} {
		if strings.Contains(low, s) {
			return true
		}
	}
	return false
}
