package main

import (
	"fmt"
	"strings"
)

// podStage is one KWOK stage of pods, which stages/pod.yaml renders.
type podStage struct {
	Name         string
	Pattern      string // matched against images and the annotation
	Hits         bool   // whether Pattern must match, or must not
	When         string // jq: in which state of the pod
	Delay        int    // ms
	DelayFrom    string // jq: a duration that overrides Delay
	Container    string // the pattern of the containers that State is for
	State        string // the statuses of those containers: YAML, a KWOK template
	Others       string // the statuses of all others
	Phase        string // YAML, a KWOK template
	Ready        bool   // the conditions Ready and ContainersReady
	Reason       string // of those conditions
	Event        string // reason of an event; empty: none
	EventMessage string // an expression of a KWOK template
}

// word returns the pattern that selects one of these behaviours, in the last part
// of an image's repository, in its tag, or in the annotation.
func word(names ...string) string {
	return "(^|/|:)(" + strings.Join(names, "|") + ")([:@].*)?$"
}

// nothing matches no image.
const nothing = "^-$"

// Fragments of statuses.
const (
	isFresh = `.status.startTime == null`
	running = `ready: true
          started: true
          restartCount: {{ $count }}
          lastState: {{ $last | toJson }}
          state: {running: {startedAt: {{ $started | Quote }}}}`
	unready = `ready: false
          started: true
          restartCount: {{ $count }}
          lastState: {{ $last | toJson }}
          state: {running: {startedAt: {{ $now | Quote }}}}`
	completed = `ready: false
          started: false
          restartCount: {{ $count }}
          state: {terminated: {exitCode: 0, reason: Completed, startedAt: {{ $started | Quote }}, finishedAt: {{ $now | Quote }}}}`
	notReady     = "ContainersNotReady"
	runningPhase = `{{ if $initHit }}Pending{{ else }}Running{{ end }}`
)

// anyStatus returns a jq expression: whether any container's status passes the test.
func anyStatus(test string) string {
	return fmt.Sprintf(`([.status.initContainerStatuses[]?, .status.containerStatuses[]?] | any(%s))`, test)
}

// waiting returns the status of a container that waits for the given reason. The
// message is an expression of a KWOK template.
func waiting(reason, message string) string {
	return fmt.Sprintf(`ready: false
          started: false
          restartCount: {{ $count }}
          state: {waiting: {reason: %s, message: {{ or (index $notes "fairlead.dev/message") (%s) | Quote }}}}`, reason, message)
}

// crashed returns the status of a container that has just exited: it stays
// terminated if the restart policy is Never, otherwise it backs off.
func crashed(reason string, code int) string {
	end := fmt.Sprintf(`{terminated: {exitCode: %d, reason: %s, message: {{ or (index $notes "fairlead.dev/message") "" | Quote }}, startedAt: {{ $started | Quote }}, finishedAt: {{ $now | Quote }}}}`, code, reason)
	return `ready: false
          started: false
          {{ if $never }}
          restartCount: {{ $count }}
          state: ` + end + `
          {{ else }}
          restartCount: {{ add (atoi $count) 1 }}
          lastState: ` + end + `
          state: {waiting: {reason: CrashLoopBackOff, message: {{ printf "back-off 10s restarting failed container=%s pod=%s_%s(%s)" $c.name $root.metadata.name $root.metadata.namespace $root.metadata.uid | Quote }}}}
          {{ end }}`
}

// podStages returns all stages except deletion.
func podStages() []podStage {
	crashes := []struct {
		word, reason string
		code         int
	}{
		{"crash-loop", "Error", 1},
		{"flaky", "Error", 1},
		{"oom-killed", "OOMKilled", 137},
	}
	waits := []struct {
		word, first, then string // reasons; then: empty if it stays with the first
		message, later    string // expressions of KWOK templates
	}{
		{
			"image-pull-error", "ErrImagePull", "ImagePullBackOff",
			`printf "rpc error: code = NotFound desc = failed to pull and unpack image %q: not found" $c.image`,
			`printf "Back-off pulling image %q: ErrImagePull: rpc error: code = NotFound desc = failed to pull and unpack image %q: not found" $c.image $c.image`,
		},
		{"config-error", "CreateContainerConfigError", "", `print "configmap \"missing\" not found"`, ""},
	}
	all := []string{"crash-loop", "flaky", "oom-killed", "image-pull-error", "config-error", "never-ready", "slow-ready"}
	const recovers = `(.metadata.annotations["fairlead.dev/recover-after"] != null)`

	list := []podStage{{
		Name: "pod-ready", Pattern: word(all...), When: isFresh,
		Container: nothing, State: running, Others: running, Phase: "Running", Ready: true,
	}, {
		Name: "pod-complete", Pattern: word("keeps-running"),
		When:      `.spec.restartPolicy != "Always" and .status.phase == "Running" and ` + `([.status.containerStatuses[]?] | all(.ready))`,
		DelayFrom: `.metadata.annotations["fairlead.dev/complete-after"]`,
		Container: nothing, State: completed, Others: completed, Phase: "Succeeded", Reason: "PodCompleted",
	}, {
		Name: "pod-not-ready", Pattern: word("never-ready", "slow-ready"), Hits: true, When: isFresh,
		Container: word("never-ready", "slow-ready"), State: unready, Others: running, Phase: runningPhase, Reason: notReady,
		Event: "Unhealthy", EventMessage: `or (index $notes "fairlead.dev/message") "Readiness probe failed: HTTP probe failed with statuscode: 503"`,
	}, {
		Name: "pod-slow-ready", Pattern: word("slow-ready"), Hits: true,
		When:  `.status.phase == "Running" and ` + anyStatus(".ready == false"),
		Delay: 3000, DelayFrom: `.metadata.annotations["fairlead.dev/recover-after"]`,
		Container: nothing, State: running, Others: running, Phase: "Running", Ready: true,
	}, {
		Name: "pod-recover", Pattern: word("never-ready", "image-pull-error", "config-error"), Hits: true,
		When: recovers + ` and .status.startTime != null and ` + anyStatus(`.ready == false and .state.waiting.reason != "ErrImagePull" and .state.terminated == null`),
		// When requires the annotation.
		DelayFrom: `.metadata.annotations["fairlead.dev/recover-after"]`,
		Container: nothing, State: running, Others: running, Phase: "Running", Ready: true,
	}}
	for _, w := range waits {
		list = append(list, podStage{
			Name: "pod-" + w.word, Pattern: word(w.word), Hits: true, When: isFresh,
			Container: word(w.word), State: waiting(w.first, w.message), Others: running, Phase: "Pending", Reason: notReady,
			Event: "Failed", EventMessage: w.message,
		})
		if w.then != "" {
			list = append(list, podStage{
				Name: "pod-" + w.word + "-again", Pattern: word(w.word), Hits: true, Delay: 500,
				When:      anyStatus(fmt.Sprintf(".state.waiting.reason == %q", w.first)),
				Container: word(w.word), State: waiting(w.then, w.later), Others: running, Phase: "Pending", Reason: notReady,
				Event: "BackOff", EventMessage: w.later,
			})
		}
	}
	const backingOff, tries = `.state.waiting.reason == "CrashLoopBackOff"`, ` and .restartCount >= 2`
	for _, c := range crashes {
		mayRecover := recovers
		if c.word == "flaky" {
			mayRecover = "true"
		}
		// A container that is terminated, or running and ready, has crashed
		// already.
		ran := anyStatus(`.ready == false and .state.running != null`) + ` and .status.phase != "Failed"`
		common := podStage{Pattern: word(c.word), Hits: true, Container: word(c.word), Others: running, Phase: runningPhase, Reason: notReady}

		begin := common
		begin.Name, begin.When, begin.State = "pod-"+c.word, isFresh, unready
		crash := common
		crash.Name, crash.When, crash.Delay, crash.State = "pod-"+c.word+"-crash", ran, 200, crashed(c.reason, c.code)
		crash.Phase = `{{ if $never }}Failed{{ else if $initHit }}Pending{{ else }}Running{{ end }}`
		crash.Event, crash.EventMessage = "BackOff", `printf "Back-off restarting failed container %s in pod %s_%s(%s)" $c.name $root.metadata.name $root.metadata.namespace $root.metadata.uid`
		again := common
		again.Name, again.State = "pod-"+c.word+"-again", unready
		again.When = anyStatus(backingOff) + ` and (` + anyStatus(backingOff+tries) + ` and ` + mayRecover + ` | not)`
		again.Delay = 1000
		again.DelayFrom = `([.status.initContainerStatuses[]?, .status.containerStatuses[]? | .restartCount] | max) as $n | "\([$n, 15] | min)s"`
		recovered := common
		recovered.Name, recovered.State, recovered.Container = "pod-"+c.word+"-recover", running, nothing
		recovered.When = anyStatus(backingOff+tries) + ` and ` + mayRecover
		recovered.Delay, recovered.DelayFrom = 1000, `.metadata.annotations["fairlead.dev/recover-after"]`
		recovered.Ready, recovered.Reason, recovered.Phase = true, "", "Running"
		list = append(list, begin, crash, again, recovered)
	}
	return list
}
