package readiness

import (
	"errors"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/yaml"
)

func object(t *testing.T, text string) *unstructured.Unstructured {
	t.Helper()
	data, err := yaml.YAMLToJSON([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	obj := &unstructured.Unstructured{}
	if err := obj.UnmarshalJSON(data); err != nil {
		t.Fatal(err)
	}
	return obj
}

func TestAssess(t *testing.T) {
	const (
		deploy = "apiVersion: apps/v1\nkind: Deployment\n"
		sts    = "apiVersion: apps/v1\nkind: StatefulSet\n"
		ds     = "apiVersion: apps/v1\nkind: DaemonSet\n"
		rs     = "apiVersion: apps/v1\nkind: ReplicaSet\n"
		jb     = "apiVersion: batch/v1\nkind: Job\n"
		pd     = "apiVersion: v1\nkind: Pod\n"
		pvc    = "apiVersion: v1\nkind: PersistentVolumeClaim\n"
		svc    = "apiVersion: v1\nkind: Service\n"
		crd    = "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\n"
		cr     = "apiVersion: example.com/v1\nkind: Widget\n"
	)
	cases := map[string]struct {
		yaml    string
		state   State
		reason  string
		ready   int
		desired int
	}{
		"deployment without status":            {deploy + "spec: {replicas: 3}", Progressing, "NotObserved", 0, 3},
		"deployment of an unseen generation":   {deploy + "metadata: {generation: 2}\nspec: {replicas: 3}\nstatus: {observedGeneration: 1, replicas: 3, updatedReplicas: 3, availableReplicas: 3}", Progressing, "NotObserved", 0, 3},
		"deployment available":                 {deploy + "metadata: {generation: 2}\nspec: {replicas: 3}\nstatus: {observedGeneration: 2, replicas: 3, updatedReplicas: 3, availableReplicas: 3}", Ready, "Available", 3, 3},
		"deployment with one replica unsaid":   {deploy + "spec: {}\nstatus: {observedGeneration: 1, replicas: 1, updatedReplicas: 1, availableReplicas: 1}", Ready, "Available", 1, 1},
		"deployment served by its old pods":    {deploy + "spec: {replicas: 3}\nstatus: {observedGeneration: 1, replicas: 4, updatedReplicas: 1, availableReplicas: 3}", Progressing, "Updating", 0, 3},
		"deployment with an old pod left":      {deploy + "spec: {replicas: 3}\nstatus: {observedGeneration: 1, replicas: 4, updatedReplicas: 3, availableReplicas: 4}", Progressing, "OldPodsLeft", 3, 3},
		"deployment scaling down":              {deploy + "spec: {replicas: 1}\nstatus: {observedGeneration: 1, replicas: 3, updatedReplicas: 3, availableReplicas: 3}", Progressing, "ScalingDown", 3, 1},
		"deployment not available":             {deploy + "spec: {replicas: 3}\nstatus: {observedGeneration: 1, replicas: 3, updatedReplicas: 3, availableReplicas: 2}", Progressing, "Unavailable", 2, 3},
		"deployment past its deadline":         {deploy + "spec: {replicas: 3}\nstatus: {observedGeneration: 1, replicas: 3, updatedReplicas: 3, conditions: [{type: Progressing, status: 'False', reason: ProgressDeadlineExceeded}]}", Failed, "ProgressDeadlineExceeded", 0, 3},
		"deployment at zero":                   {deploy + "spec: {replicas: 0}\nstatus: {observedGeneration: 1}", Ready, "ScaledToZero", 0, 0},
		"deployment going to zero":             {deploy + "spec: {replicas: 0}\nstatus: {observedGeneration: 1, replicas: 2, updatedReplicas: 2}", Progressing, "ScalingDown", 0, 0},
		"deployment paused":                    {deploy + "spec: {replicas: 3, paused: true}\nstatus: {observedGeneration: 1, replicas: 3}", Ready, "Paused", 0, 3},
		"deployment being deleted":             {deploy + "metadata: {deletionTimestamp: '2026-01-01T00:00:00Z', finalizers: [a/b]}\nstatus: {observedGeneration: 1}", Failed, "Terminating", 0, 0},
		"deployment with nonsense for status":  {deploy + "status: [1]", Progressing, "NotObserved", 0, 1},
		"stateful set ready":                   {sts + "spec: {replicas: 3}\nstatus: {observedGeneration: 1, replicas: 3, readyReplicas: 3, updatedReplicas: 3, currentRevision: a, updateRevision: a}", Ready, "Ready", 3, 3},
		"stateful set creating in order":       {sts + "spec: {replicas: 3}\nstatus: {observedGeneration: 1, replicas: 1, readyReplicas: 0, updatedReplicas: 1}", Progressing, "Creating", 0, 3},
		"stateful set updating":                {sts + "spec: {replicas: 3}\nstatus: {observedGeneration: 1, replicas: 3, readyReplicas: 3, updatedReplicas: 1, currentRevision: a, updateRevision: b}", Progressing, "Updating", 3, 3},
		"stateful set not yet current":         {sts + "spec: {replicas: 3}\nstatus: {observedGeneration: 1, replicas: 3, readyReplicas: 3, updatedReplicas: 3, currentRevision: a, updateRevision: b}", Progressing, "Updating", 3, 3},
		"stateful set with a partition":        {sts + "spec: {replicas: 3, updateStrategy: {rollingUpdate: {partition: 2}}}\nstatus: {observedGeneration: 1, replicas: 3, readyReplicas: 3, updatedReplicas: 1, currentRevision: a, updateRevision: b}", Ready, "PartitionUpdated", 3, 3},
		"stateful set before its partition":    {sts + "spec: {replicas: 3, updateStrategy: {rollingUpdate: {partition: 1}}}\nstatus: {observedGeneration: 1, replicas: 3, readyReplicas: 3, updatedReplicas: 1, currentRevision: a, updateRevision: b}", Progressing, "Updating", 3, 3},
		"stateful set partition beyond all":    {sts + "spec: {replicas: 3, updateStrategy: {rollingUpdate: {partition: 9}}}\nstatus: {observedGeneration: 1, replicas: 3, readyReplicas: 3, currentRevision: a, updateRevision: b}", Ready, "PartitionUpdated", 3, 3},
		"stateful set on delete":               {sts + "spec: {replicas: 3, updateStrategy: {type: OnDelete}}\nstatus: {observedGeneration: 1, replicas: 3, readyReplicas: 3, updatedReplicas: 1, currentRevision: a, updateRevision: b}", Ready, "OnDelete", 3, 3},
		"stateful set on delete not ready":     {sts + "spec: {replicas: 3, updateStrategy: {type: OnDelete}}\nstatus: {observedGeneration: 1, replicas: 3, readyReplicas: 2, currentRevision: a, updateRevision: b}", Progressing, "Unready", 2, 3},
		"stateful set ready but too briefly":   {sts + "spec: {replicas: 1, minReadySeconds: 9}\nstatus: {observedGeneration: 1, replicas: 1, readyReplicas: 1, updatedReplicas: 1}", Progressing, "Unavailable", 1, 1},
		"stateful set at zero":                 {sts + "spec: {replicas: 0}\nstatus: {observedGeneration: 1}", Ready, "ScaledToZero", 0, 0},
		"daemon set available":                 {ds + "status: {observedGeneration: 1, desiredNumberScheduled: 2, updatedNumberScheduled: 2, numberAvailable: 2}", Ready, "Available", 2, 2},
		"daemon set updating":                  {ds + "status: {observedGeneration: 1, desiredNumberScheduled: 2, updatedNumberScheduled: 1, numberAvailable: 2}", Progressing, "Updating", 2, 2},
		"daemon set on delete":                 {ds + "spec: {updateStrategy: {type: OnDelete}}\nstatus: {observedGeneration: 1, desiredNumberScheduled: 2, updatedNumberScheduled: 1, numberAvailable: 2}", Ready, "Available", 2, 2},
		"daemon set without nodes":             {ds + "status: {observedGeneration: 1}", Ready, "NoNodes", 0, 0},
		"daemon set without status":            {ds, Progressing, "NotObserved", 0, 0},
		"replica set available":                {rs + "spec: {replicas: 2}\nstatus: {observedGeneration: 1, replicas: 2, availableReplicas: 2}", Ready, "Available", 2, 2},
		"replica set unavailable":              {rs + "spec: {replicas: 2}\nstatus: {observedGeneration: 1, replicas: 2, availableReplicas: 1}", Progressing, "Unavailable", 1, 2},
		"job not started":                      {jb, Progressing, "NotStarted", 0, 1},
		"job running is not ready":             {jb + "spec: {completions: 2}\nstatus: {startTime: '2026-01-01T00:00:00Z', active: 1, succeeded: 1}", Progressing, "Running", 1, 2},
		"job complete":                         {jb + "status: {succeeded: 1, conditions: [{type: SuccessCriteriaMet, status: 'True'}, {type: Complete, status: 'True'}]}", Ready, "Complete", 1, 1},
		"job failed":                           {jb + "status: {conditions: [{type: Failed, status: 'True', reason: BackoffLimitExceeded, message: enough}]}", Failed, "BackoffLimitExceeded", 0, 1},
		"job about to fail":                    {jb + "status: {conditions: [{type: FailureTarget, status: 'True', reason: DeadlineExceeded}]}", Failed, "DeadlineExceeded", 0, 1},
		"job suspended":                        {jb + "spec: {suspend: true}", Ready, "Suspended", 0, 1},
		"cron job":                             {"apiVersion: batch/v1\nkind: CronJob", Ready, "Exists", 0, 0},
		"pod ready":                            {pd + "status: {phase: Running, conditions: [{type: Ready, status: 'True'}]}", Ready, "Ready", 1, 1},
		"pod running, not ready":               {pd + "status: {phase: Running, conditions: [{type: Ready, status: 'False', reason: ContainersNotReady}]}", Progressing, "ContainersNotReady", 0, 1},
		"pod completed":                        {pd + "status: {phase: Succeeded}", Ready, "Completed", 1, 1},
		"pod failed":                           {pd + "status: {phase: Failed, reason: Evicted}", Failed, "Evicted", 0, 1},
		"pod unschedulable":                    {pd + "status: {phase: Pending, conditions: [{type: PodScheduled, status: 'False', reason: Unschedulable}]}", Progressing, "Unschedulable", 0, 1},
		"pod of no phase":                      {pd, Progressing, "Pending", 0, 1},
		"claim bound":                          {pvc + "status: {phase: Bound}", Ready, "Bound", 0, 0},
		"claim pending":                        {pvc + "status: {phase: Pending}", Progressing, "Unbound", 0, 0},
		"claim lost":                           {pvc + "status: {phase: Lost}", Failed, "Lost", 0, 0},
		"volume":                               {"apiVersion: v1\nkind: PersistentVolume\nstatus: {phase: Available}", Ready, "Available", 0, 0},
		"service":                              {svc + "spec: {type: NodePort}", Ready, "Exists", 0, 0},
		"load balancer without address":        {svc + "spec: {type: LoadBalancer, clusterIP: 10.0.0.1}", Progressing, "NoAddress", 0, 0},
		"load balancer with address":           {svc + "spec: {type: LoadBalancer}\nstatus: {loadBalancer: {ingress: [{ip: 192.0.2.1}]}}", Ready, "AddressAssigned", 0, 0},
		"load balancer with external IPs":      {svc + "spec: {type: LoadBalancer, externalIPs: [192.0.2.1]}", Ready, "ExternalIPs", 0, 0},
		"ingress without a controller":         {"apiVersion: networking.k8s.io/v1\nkind: Ingress", Ready, "Exists", 0, 0},
		"autoscaler":                           {"apiVersion: autoscaling/v2\nkind: HorizontalPodAutoscaler", Ready, "Exists", 0, 0},
		"disruption budget":                    {"apiVersion: policy/v1\nkind: PodDisruptionBudget", Ready, "Exists", 0, 0},
		"definition installing":                {crd, Progressing, "Installing", 0, 0},
		"definition established":               {crd + "status: {conditions: [{type: Established, status: 'True'}]}", Ready, "Established", 0, 0},
		"definition whose names are taken":     {crd + "status: {conditions: [{type: NamesAccepted, status: 'False', reason: PluralConflict}]}", Failed, "PluralConflict", 0, 0},
		"API service down":                     {"apiVersion: apiregistration.k8s.io/v1\nkind: APIService\nstatus: {conditions: [{type: Available, status: 'False', reason: MissingEndpoints}]}", Progressing, "MissingEndpoints", 0, 0},
		"API service up":                       {"apiVersion: apiregistration.k8s.io/v1\nkind: APIService\nstatus: {conditions: [{type: Available, status: 'True'}]}", Ready, "Available", 0, 0},
		"namespace active":                     {"apiVersion: v1\nkind: Namespace\nstatus: {phase: Active}", Ready, "Active", 0, 0},
		"pods that terminate first":            {"apiVersion: apps/v1\nkind: Deployment\nspec: {replicas: 2, strategy: {type: Recreate}}\nstatus: {observedGeneration: 1, terminatingReplicas: 2}", Progressing, "Updating", 0, 2},
		"pods that terminate meanwhile":        {"apiVersion: apps/v1\nkind: Deployment\nspec: {replicas: 1}\nstatus: {observedGeneration: 1, replicas: 1, updatedReplicas: 1, availableReplicas: 1, terminatingReplicas: 1}", Ready, "Available", 1, 1},
		"job whose last pods terminate":        {"apiVersion: batch/v1\nkind: Job\nstatus: {startTime: '2024-01-01T00:00:00Z', succeeded: 1, terminating: 1, conditions: [{type: SuccessCriteriaMet, status: 'True', reason: CompletionsReached}]}", Progressing, "CompletionsReached", 1, 1},
		"namespace terminating":                {"apiVersion: v1\nkind: Namespace\nstatus: {phase: Terminating}", Failed, "Terminating", 0, 0},
		"custom resource without status":       {cr, Unknown, "NoStatus", 0, 0},
		"custom resource ready":                {cr + "status: {conditions: [{type: Ready, status: 'True', reason: Up}]}", Ready, "Up", 0, 0},
		"custom resource not ready":            {cr + "status: {conditions: [{type: Ready, status: 'False', reason: Down}]}", Progressing, "Down", 0, 0},
		"custom resource of unseen generation": {cr + "metadata: {generation: 3}\nstatus: {observedGeneration: 2, conditions: [{type: Ready, status: 'True'}]}", Progressing, "NotObserved", 0, 0},
		"custom resource stalled":              {cr + "status: {conditions: [{type: Stalled, status: 'True', reason: Broken}]}", Failed, "Broken", 0, 0},
		"custom resource reconciling":          {cr + "status: {conditions: [{type: Reconciling, status: 'True', reason: Busy}]}", Progressing, "Busy", 0, 0},
		"custom resource available":            {cr + "status: {conditions: [{type: Available, status: 'True', reason: Up}]}", Ready, "Up", 0, 0},
		"custom resource observed":             {cr + "metadata: {generation: 1}\nstatus: {observedGeneration: 1}", Ready, "Observed", 0, 0},
		"custom kind named like a workload":    {"apiVersion: example.com/v1\nkind: Deployment", Unknown, "NoStatus", 0, 0},
		"config map":                           {"apiVersion: v1\nkind: ConfigMap", Ready, "Exists", 0, 0},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			got := Assess(object(t, c.yaml), nil)
			if got.State != c.state || got.Reason != c.reason || got.Ready != c.ready || got.Desired != c.desired {
				t.Errorf("got %s, %d of %d; want %s: %s, %d of %d", got, got.Ready, got.Desired, c.state, c.reason, c.ready, c.desired)
			}
		})
	}
	if got := Assess(nil, nil); got.State != Unknown {
		t.Errorf("nil object: %s", got)
	}
}

func TestRulesOverrideBuiltin(t *testing.T) {
	rules := map[schema.GroupKind]Rule{
		{Kind: "ConfigMap"}: func(o *unstructured.Unstructured) (Status, error) {
			if o.GetAnnotations()["x"] == "" {
				return Status{}, errors.New("no x yet")
			}
			return Status{State: Ready, Reason: "X"}, nil
		},
	}
	if got := Assess(object(t, "apiVersion: v1\nkind: ConfigMap"), rules); got.State != Progressing || got.Reason != "RuleError" {
		t.Errorf("a rule that fails: %s", got)
	}
	if got := Assess(object(t, "apiVersion: v1\nkind: ConfigMap\nmetadata: {annotations: {x: set}}"), rules); got.Reason != "X" {
		t.Errorf("a rule that returns ready: %s", got)
	}
	if !Watched(schema.GroupKind{Kind: "ConfigMap"}, rules) || Watched(schema.GroupKind{Kind: "Secret"}, rules) {
		t.Error("only a kind with a rule is watched")
	}
}

func TestTerminatingPodsAreNamed(t *testing.T) {
	for spec, want := range map[string]string{
		"strategy: {type: Recreate}":                "0 of 2 pods are of the new revision; 2 pods are still terminating, and new ones are created when they are gone",
		"podReplacementPolicy: TerminationComplete": "0 of 2 pods are of the new revision; 2 pods are still terminating, and new ones are created when they are gone",
		"strategy: {type: RollingUpdate}":           "0 of 2 pods are of the new revision; 2 pods are still terminating",
	} {
		st := Assess(object(t, "apiVersion: apps/v1\nkind: Deployment\nspec: {replicas: 2, "+spec+"}\nstatus: {observedGeneration: 1, terminatingReplicas: 2}"), nil)
		if st.Message != want {
			t.Errorf("%s: %s", spec, st.Message)
		}
	}
}
