package readiness

import (
	"fmt"
	"strings"
)

// hint returns what to try, by cause.
func hint(d *Diagnosis) string {
	var p PodDiagnosis
	if len(d.Pods) > 0 {
		p = d.Pods[0]
	}
	in := ""
	if d.Namespace != "" {
		in = " -n " + d.Namespace
	}
	if p.Old && d.Kind == "StatefulSet" {
		return fmt.Sprintf("kubectl delete pod%s %s: with OrderedReady a StatefulSet does not replace a pod of an earlier revision that is not ready", in, p.Name)
	}
	cause := d.Cause
	if cause == CauseFinal && p.ExitCode != 0 {
		cause = CausePodFailed // a Job fails by its pods
	}
	if cause == CauseFinal && d.Reason == "Evicted" {
		cause = CauseEvicted
	}
	switch cause {
	case CauseImageRefused:
		return fmt.Sprintf("check the name and tag of image %s, and that the nodes have permission to pull it", p.Image)
	case CauseImagePull:
		return fmt.Sprintf("check that the nodes can reach the registry of image %s", p.Image)
	case CauseOutOfMemory:
		return fmt.Sprintf("raise resources.limits.memory of container %s, or reduce its memory use", p.Container)
	case CauseCrashLoop, CausePodFailed:
		log := fmt.Sprintf("kubectl logs%s %s", in, p.Name)
		if p.Container != "" {
			log += " -c " + p.Container
		}
		if p.Restarts > 0 {
			log += " --previous"
		}
		switch p.ExitCode {
		case 126, 127:
			return "the command cannot be started (exit code " + fmt.Sprint(p.ExitCode) + "): check command and args against the image"
		case 137:
			return "it was killed by SIGKILL (exit code 137): check its memory limit and its liveness probe; " + log
		case 143:
			return "it was stopped by SIGTERM (exit code 143): check its liveness probe; " + log
		}
		return log
	case CauseConfig:
		return "create the missing object named above, or correct its name; it must be in the same namespace as the pod"
	case CauseUnschedulable:
		return unschedulableHint(d.Message)
	case CauseQuota:
		return fmt.Sprintf("kubectl describe resourcequota%s; lower the requests or replicas, or raise the quota", in)
	case CauseLimits:
		return fmt.Sprintf("kubectl describe limitrange%s; set resources within its bounds", in)
	case CauseServiceAccount:
		return "create the service account named above, or correct serviceAccountName"
	case CauseAdmission:
		return "change the pod template as the message requires; it is the API server's error for the controller's request"
	case CauseUnready:
		return "check path, port and delays of the probe against what the container serves"
	case CauseGone:
		return "another client deletes or replaces it: find out which one, then apply again"
	case CauseDeadline:
		return fmt.Sprintf("kubectl describe deployment%s %s", in, d.Name)
	case CauseEvicted:
		return "the node ran out of a resource: set requests that match what the pod uses"
	case CauseGated:
		return "check the controller that removes the pod's scheduling gates"
	case CauseTimeout, CauseStalled, CauseFinal:
		return fmt.Sprintf("kubectl describe %s%s %s", strings.ToLower(d.Kind), in, d.Name)
	}
	return ""
}

func unschedulableHint(message string) string {
	var parts []string
	for _, c := range []struct{ word, advice string }{
		{"Insufficient", "lower resources.requests or add nodes"},
		{"untolerated taint", "tolerate the taint or add nodes without it"},
		{"node affinity/selector", "correct nodeSelector or affinity, or label nodes"},
		{"anti-affinity", "relax the pod anti-affinity or add nodes"},
		{"topology spread", "relax topologySpreadConstraints or add nodes"},
		{"free ports", "a hostPort is taken on every node"},
		{"volume node affinity", "its volume is bound to a node or zone that cannot run the pod"},
		{"unschedulable", "uncordon a node"},
		{"no nodes available", "add nodes"},
	} {
		if strings.Contains(message, c.word) {
			parts = append(parts, c.advice)
		}
	}
	if len(parts) == 0 {
		return "relax the pod's scheduling constraints, or add nodes"
	}
	return strings.Join(parts, "; ")
}
