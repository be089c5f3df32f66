package charts

import (
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// WebAppValues are the values of the chart webapp. A zero field is left out, so that the chart's default holds: see
// webapp/values.yaml. Where zero itself is a choice, the field is a pointer.
type WebAppValues struct {
	// Values that a parent chart shares with all its subcharts. The chart reads none.
	Global map[string]any `json:"global,omitempty"`
	// Stands for the chart's name in the names and labels of the objects. It is part of the selector: set it once.
	NameOverride string `json:"nameOverride,omitempty" schema:"pattern=^[a-z0-9]([-a-z0-9]*[a-z0-9])?$,maxLength=63"`
	// The full name of the objects.
	FullnameOverride string `json:"fullnameOverride,omitempty" schema:"pattern=^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"`
	// Labels added to every object.
	Labels map[string]string `json:"labels,omitempty"`
	// Annotations added to every object.
	Annotations map[string]string `json:"annotations,omitempty"`

	// Number of pods. Left out of the Deployment when autoscaling is enabled.
	Replicas *int32 `json:"replicas,omitempty" schema:"minimum=0"`
	// The image of the application.
	Image Image `json:"image,omitzero"`
	// Names of existing pull Secrets.
	ImagePullSecrets []string `json:"imagePullSecrets,omitempty"`
	// Logins to private registries, from which a pull Secret is made.
	Registries []Registry `json:"registries,omitempty"`

	// Command, in place of the image's entry point.
	Command []string `json:"command,omitempty"`
	// Arguments, in place of the image's.
	Args []string `json:"args,omitempty"`
	// Port on which the application listens, named http.
	ContainerPort int32 `json:"containerPort,omitempty" schema:"minimum=1,maximum=65535"`
	// Further ports of the container and, where they name a servicePort, of the Service.
	ExtraPorts []ExtraPort `json:"extraPorts,omitempty"`

	// Variables, name to value.
	Env map[string]string `json:"env,omitempty"`
	// Variables whose values come from elsewhere: a Secret's key, a field of the pod.
	EnvValueFrom map[string]corev1.EnvVarSource `json:"envValueFrom,omitempty"`
	// ConfigMaps and Secrets all of whose keys become variables.
	EnvFrom []corev1.EnvFromSource `json:"envFrom,omitempty"`
	// Configuration kept in ConfigMaps. The pods roll when it changes.
	Config WebAppConfig `json:"config,omitzero"`
	// Configuration kept in Secrets. The pods roll when it changes.
	Secret WebAppConfig `json:"secret,omitzero"`
	// Requests and limits of the container.
	Resources corev1.ResourceRequirements `json:"resources,omitzero"`
	// Probes of the container. Without a readiness probe of its own, the main port must accept a connection.
	Probes Probes `json:"probes,omitzero"`

	// How new pods take the place of old ones.
	Strategy WebAppStrategy `json:"strategy,omitzero"`
	// Seconds for which a new pod must be ready before it counts.
	MinReadySeconds int32 `json:"minReadySeconds,omitempty" schema:"minimum=0"`
	// Old ReplicaSets to keep.
	RevisionHistoryLimit *int32 `json:"revisionHistoryLimit,omitempty" schema:"minimum=0"`
	// Seconds without progress after which a rollout counts as failed.
	ProgressDeadlineSeconds int32 `json:"progressDeadlineSeconds,omitempty" schema:"minimum=1"`
	// Seconds between the order to stop and the kill.
	TerminationGracePeriodSeconds int64 `json:"terminationGracePeriodSeconds,omitempty" schema:"minimum=0"`
	// Seconds to keep serving after the pod has left the Service, before the order to stop.
	ShutdownDelaySeconds int64 `json:"shutdownDelaySeconds,omitempty" schema:"minimum=0"`
	// Hooks after the start and before the stop of the container.
	Lifecycle *corev1.Lifecycle `json:"lifecycle,omitempty"`

	// Containers that run to their end, or with restartPolicy Always beside it, before the application starts.
	InitContainers []corev1.Container `json:"initContainers,omitempty"`
	// Containers that run beside the application.
	Sidecars []corev1.Container `json:"sidecars,omitempty"`
	// Volumes of the pod.
	Volumes []corev1.Volume `json:"volumes,omitempty"`
	// Where the application finds them.
	VolumeMounts []corev1.VolumeMount `json:"volumeMounts,omitempty"`
	// Paths with an empty directory each, for the rest of the image is read-only.
	WritablePaths []string `json:"writablePaths,omitempty" schema:"itemPattern=^/"`

	// Labels added to the pods.
	PodLabels map[string]string `json:"podLabels,omitempty"`
	// Annotations added to the pods.
	PodAnnotations map[string]string `json:"podAnnotations,omitempty"`
	// Security context of the pods. The default meets the restricted Pod Security Standard.
	PodSecurityContext *corev1.PodSecurityContext `json:"podSecurityContext,omitempty"`
	// Security context of the containers. The default meets the restricted Pod Security Standard.
	SecurityContext *corev1.SecurityContext `json:"securityContext,omitempty"`
	// Labels that a node must have.
	NodeSelector map[string]string `json:"nodeSelector,omitempty"`
	// Taints that the pods tolerate.
	Tolerations []corev1.Toleration `json:"tolerations,omitempty"`
	// Affinity of the pods.
	Affinity *corev1.Affinity `json:"affinity,omitempty"`
	// How the pods spread. A constraint without labelSelector gets that of the release's pods.
	TopologySpreadConstraints []corev1.TopologySpreadConstraint `json:"topologySpreadConstraints,omitempty"`
	// PriorityClass of the pods.
	PriorityClassName string `json:"priorityClassName,omitempty"`

	// The Service in front of the pods.
	Service WebAppService `json:"service,omitzero"`
	// An Ingress in front of the Service.
	Ingress WebAppIngress `json:"ingress,omitzero"`
	// A Gateway API HTTPRoute to the Service.
	HTTPRoute WebAppHTTPRoute `json:"httpRoute,omitzero"`
	// A HorizontalPodAutoscaler, which then rules the number of pods.
	Autoscaling WebAppAutoscaling `json:"autoscaling,omitzero"`
	// A PodDisruptionBudget for the pods.
	PodDisruptionBudget DisruptionBudget `json:"podDisruptionBudget,omitzero"`
	// A NetworkPolicy for the pods.
	NetworkPolicy WebAppNetworkPolicy `json:"networkPolicy,omitzero"`
	// The account under which the pods run.
	ServiceAccount WebAppServiceAccount `json:"serviceAccount,omitzero"`
	// Jobs of the application's image on a schedule, by name.
	CronJobs map[string]WebAppCronJob `json:"cronJobs,omitempty" schema:"keyPattern=^[a-z0-9]([-a-z0-9]{0,38}[a-z0-9])?$"`
	// A Job of the application's image before each install and upgrade.
	Migration WebAppMigration `json:"migration,omitzero"`
	// Any other objects, as they are. Strings in them may be templates.
	ExtraObjects []map[string]any `json:"extraObjects,omitempty"`
}

// ExtraPort is a port beside the main one.
type ExtraPort struct {
	// Name of the port.
	Name string `json:"name" schema:"pattern=^[a-z0-9]([-a-z0-9]{0,13}[a-z0-9])?$"`
	// Port of the container.
	ContainerPort int32 `json:"containerPort" schema:"minimum=1,maximum=65535"`
	// Port of the Service; none: the Service does not have it.
	ServicePort int32 `json:"servicePort,omitempty" schema:"minimum=1,maximum=65535"`
	// Port of every node; none: the cluster picks one where the Service's type has any.
	NodePort int32 `json:"nodePort,omitempty" schema:"minimum=30000,maximum=32767"`
	// Protocol of the port; none: TCP.
	Protocol string `json:"protocol,omitempty" schema:"enum=TCP|UDP|SCTP"`
}

// WebAppConfig is configuration as variables and as files.
type WebAppConfig struct {
	// Variables, name to value.
	Env map[string]string `json:"env,omitempty"`
	// Files, name to content.
	Files map[string]string `json:"files,omitempty" schema:"keyPattern=^[-._a-zA-Z0-9]+$"`
	// Directory where the files lie.
	MountPath string `json:"mountPath,omitempty" schema:"pattern=^/"`
	// Name of an existing object all of whose keys become variables.
	Existing string `json:"existing,omitempty"`
}

// WebAppStrategy is how new pods take the place of old ones.
type WebAppStrategy struct {
	// RollingUpdate: some new, some old at a time. Recreate: all old ones go before the first new one comes.
	Type string `json:"type,omitempty" schema:"enum=RollingUpdate|Recreate"`
	// Pods above the wanted number while rolling, as a number or a percentage.
	MaxSurge *intstr.IntOrString `json:"maxSurge,omitempty"`
	// Pods below the wanted number while rolling, as a number or a percentage.
	MaxUnavailable *intstr.IntOrString `json:"maxUnavailable,omitempty"`
}

// WebAppService is the Service in front of the pods.
type WebAppService struct {
	// Whether there is a Service.
	Enabled *bool `json:"enabled,omitempty"`
	// Type of the Service.
	Type string `json:"type,omitempty" schema:"enum=ClusterIP|NodePort|LoadBalancer"`
	// Port of the Service, which leads to containerPort.
	Port int32 `json:"port,omitempty" schema:"minimum=1,maximum=65535"`
	// Port of every node, for NodePort and LoadBalancer; none: the cluster picks one.
	NodePort int32 `json:"nodePort,omitempty" schema:"minimum=30000,maximum=32767"`
	// Whether the Service's name resolves to the pods themselves.
	Headless bool `json:"headless,omitempty"`
	// Protocol that the main port speaks, as http or kubernetes.io/h2c.
	AppProtocol string `json:"appProtocol,omitempty"`
	// Local keeps the client's address and serves only from nodes that have a pod.
	ExternalTrafficPolicy string `json:"externalTrafficPolicy,omitempty" schema:"enum=Cluster|Local"`
	// Local serves clients of the cluster only from pods on their own node.
	InternalTrafficPolicy string `json:"internalTrafficPolicy,omitempty" schema:"enum=Cluster|Local"`
	// ClientIP leads a client to the same pod again.
	SessionAffinity string `json:"sessionAffinity,omitempty" schema:"enum=None|ClientIP"`
	// Class of the load balancer.
	LoadBalancerClass string `json:"loadBalancerClass,omitempty"`
	// Networks from which the load balancer takes connections.
	LoadBalancerSourceRanges []string `json:"loadBalancerSourceRanges,omitempty"`
	// Annotations of the Service.
	Annotations map[string]string `json:"annotations,omitempty"`
}

// WebAppIngress is an Ingress in front of the Service.
type WebAppIngress struct {
	// Whether there is an Ingress.
	Enabled bool `json:"enabled,omitempty"`
	// IngressClass; none: the cluster's default.
	ClassName string `json:"className,omitempty"`
	// Annotations of the Ingress.
	Annotations map[string]string `json:"annotations,omitempty"`
	// Hosts that lead to the Service.
	Hosts []IngressHost `json:"hosts,omitempty"`
	// Certificates for the hosts.
	TLS []networkingv1.IngressTLS `json:"tls,omitempty"`
}

// IngressHost is a host and those of its paths that lead to the Service.
type IngressHost struct {
	// Name of the host.
	Host string `json:"host" schema:"minLength=1"`
	// Paths; none: every path.
	Paths []IngressPath `json:"paths,omitempty"`
}

// IngressPath is a path that leads to a port of the Service.
type IngressPath struct {
	// The path.
	Path string `json:"path" schema:"pattern=^/"`
	// How the path is compared; none: Prefix.
	PathType string `json:"pathType,omitempty" schema:"enum=Prefix|Exact|ImplementationSpecific"`
	// Name of the Service's port; none: http.
	Port string `json:"port,omitempty"`
}

// WebAppHTTPRoute is a Gateway API HTTPRoute to the Service.
type WebAppHTTPRoute struct {
	// Whether there is an HTTPRoute. The cluster must have the Gateway API's CRDs.
	Enabled bool `json:"enabled,omitempty"`
	// Annotations of the HTTPRoute.
	Annotations map[string]string `json:"annotations,omitempty"`
	// Gateways to which the route belongs.
	ParentRefs []GatewayRef `json:"parentRefs,omitempty"`
	// Hosts of the route; none: those of the Gateway.
	Hostnames []string `json:"hostnames,omitempty"`
	// Rules of the route. One without backendRefs leads to the Service; none: everything does.
	Rules []map[string]any `json:"rules,omitempty"`
}

// GatewayRef names a Gateway.
type GatewayRef struct {
	// Name of the Gateway.
	Name string `json:"name" schema:"minLength=1"`
	// Namespace of the Gateway; none: the release's.
	Namespace string `json:"namespace,omitempty"`
	// Listener of the Gateway; none: all.
	SectionName string `json:"sectionName,omitempty"`
}

// WebAppAutoscaling is a HorizontalPodAutoscaler.
type WebAppAutoscaling struct {
	// Whether there is an autoscaler.
	Enabled bool `json:"enabled,omitempty"`
	// Fewest pods.
	MinReplicas int32 `json:"minReplicas,omitempty" schema:"minimum=1"`
	// Most pods.
	MaxReplicas int32 `json:"maxReplicas,omitempty" schema:"minimum=1"`
	// Wanted CPU, in percent of what the pods request; 80 if no other target is given.
	CPU int32 `json:"cpu,omitempty" schema:"minimum=1"`
	// Wanted memory, in percent of what the pods request.
	Memory int32 `json:"memory,omitempty" schema:"minimum=1"`
	// Further metrics.
	Metrics []autoscalingv2.MetricSpec `json:"metrics,omitempty"`
	// How fast it scales up and down.
	Behavior *autoscalingv2.HorizontalPodAutoscalerBehavior `json:"behavior,omitempty"`
}

// WebAppNetworkPolicy says who may talk to the pods, and to whom they may talk.
type WebAppNetworkPolicy struct {
	// Whether there is a NetworkPolicy.
	Enabled bool `json:"enabled,omitempty"`
	// Who may reach the pods; none: the pods of the namespace.
	From []networkingv1.NetworkPolicyPeer `json:"from,omitempty"`
	// What the pods may reach; none: everything.
	Egress []networkingv1.NetworkPolicyEgressRule `json:"egress,omitempty"`
}

// WebAppServiceAccount is the account under which the pods run.
type WebAppServiceAccount struct {
	// Whether the chart makes the account.
	Create *bool `json:"create,omitempty"`
	// Name of the account; none: that of the release, or default if the chart makes none.
	Name string `json:"name,omitempty"`
	// Whether the pods get the account's token.
	AutomountToken bool `json:"automountToken,omitempty"`
	// Annotations of the account.
	Annotations map[string]string `json:"annotations,omitempty"`
	// What the account may do in the release's namespace.
	Rules []rbacv1.PolicyRule `json:"rules,omitempty"`
}

// WebAppCronJob is a job of the application's image on a schedule.
type WebAppCronJob struct {
	// When it runs, in cron's five fields.
	Schedule string `json:"schedule" schema:"minLength=1"`
	// Time zone of the schedule, as Etc/UTC; none: that of the cluster.
	TimeZone string `json:"timeZone,omitempty"`
	// Command, in place of the image's entry point.
	Command []string `json:"command,omitempty"`
	// Arguments, in place of the image's.
	Args []string `json:"args,omitempty"`
	// Requests and limits; none: the application's.
	Resources corev1.ResourceRequirements `json:"resources,omitzero"`
	// What happens when the last run has not ended; none: Forbid.
	ConcurrencyPolicy string `json:"concurrencyPolicy,omitempty" schema:"enum=Allow|Forbid|Replace"`
	// Whether the schedule rests.
	Suspend bool `json:"suspend,omitempty"`
	// Seconds after which a missed run is given up.
	StartingDeadlineSeconds *int64 `json:"startingDeadlineSeconds,omitempty" schema:"minimum=0"`
	// Succeeded runs to keep.
	SuccessfulJobsHistoryLimit *int32 `json:"successfulJobsHistoryLimit,omitempty" schema:"minimum=0"`
	// Failed runs to keep.
	FailedJobsHistoryLimit *int32 `json:"failedJobsHistoryLimit,omitempty" schema:"minimum=0"`
	// Further attempts of a failed run.
	BackoffLimit *int32 `json:"backoffLimit,omitempty" schema:"minimum=0"`
	// Seconds after which a run is ended.
	ActiveDeadlineSeconds *int64 `json:"activeDeadlineSeconds,omitempty" schema:"minimum=1"`
}

// WebAppMigration is a Job of the application's image before each install and upgrade.
type WebAppMigration struct {
	// Whether there is a migration.
	Enabled bool `json:"enabled,omitempty"`
	// Command, in place of the image's entry point.
	Command []string `json:"command,omitempty"`
	// Arguments, in place of the image's.
	Args []string `json:"args,omitempty"`
	// Requests and limits; none: the application's.
	Resources corev1.ResourceRequirements `json:"resources,omitzero"`
	// Further attempts after a failed one.
	BackoffLimit *int32 `json:"backoffLimit,omitempty" schema:"minimum=0"`
	// Seconds after which the Job is ended.
	ActiveDeadlineSeconds *int64 `json:"activeDeadlineSeconds,omitempty" schema:"minimum=1"`
}
