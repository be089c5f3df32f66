package charts

import (
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/api/resource"
)

// DatabaseValues are the values of the chart database. A zero field is left out, so that the chart's default holds: see
// database/values.yaml. Where zero itself is a choice, the field is a pointer. Auth needs a password or an existing
// Secret; nothing else is required.
type DatabaseValues struct {
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

	// The database that runs: its image, port, paths, probes and replication come from a preset.
	Engine string `json:"engine,omitempty" schema:"enum=postgresql|mysql|mongodb|redis"`
	// Number of pods. The first is the primary; the rest are its replicas.
	Replicas *int32 `json:"replicas,omitempty" schema:"minimum=0"`
	// The image of the database; none: the engine's official one.
	Image Image `json:"image,omitzero"`
	// Names of existing pull Secrets.
	ImagePullSecrets []string `json:"imagePullSecrets,omitempty"`
	// Logins to private registries, from which a pull Secret is made.
	Registries []Registry `json:"registries,omitempty"`

	// Who may log in. Kept in a Secret.
	Auth DatabaseAuth `json:"auth,omitzero"`
	// Lines added to the engine's own configuration file. The pods roll when it changes.
	Configuration string `json:"configuration,omitempty"`
	// Scripts that run once, on an empty database, by file name. Kept in a Secret.
	InitScripts map[string]string `json:"initScripts,omitempty" schema:"keyPattern=^[-._a-zA-Z0-9]+$"`
	// Port on which the database listens; none: the engine's own.
	Port int32 `json:"port,omitempty" schema:"minimum=1024,maximum=65535"`
	// The Service for clients, which leads to the primary.
	Service DatabaseService `json:"service,omitzero"`

	// The claims in which the data live.
	Storage DatabaseStorage `json:"storage,omitzero"`
	// A container that hands the volumes to the database's user before it starts.
	VolumePermissions DatabaseVolumePermissions `json:"volumePermissions,omitzero"`
	// A StorageClass of this release's own.
	StorageClass DatabaseStorageClass `json:"storageClass,omitzero"`

	// Whether pods come and go one by one, or all at once.
	PodManagementPolicy string `json:"podManagementPolicy,omitempty" schema:"enum=OrderedReady|Parallel"`
	// How pods are numbered.
	Ordinals DatabaseOrdinals `json:"ordinals,omitzero"`
	// How pods are renewed.
	UpdateStrategy DatabaseUpdateStrategy `json:"updateStrategy,omitzero"`
	// Seconds for which a new pod must be ready before it counts.
	MinReadySeconds int32 `json:"minReadySeconds,omitempty" schema:"minimum=0"`
	// Old revisions of the StatefulSet to keep.
	RevisionHistoryLimit *int32 `json:"revisionHistoryLimit,omitempty" schema:"minimum=0"`
	// Seconds between the order to stop and the kill.
	TerminationGracePeriodSeconds int64 `json:"terminationGracePeriodSeconds,omitempty" schema:"minimum=0"`
	// Requests and limits of the container.
	Resources corev1.ResourceRequirements `json:"resources,omitzero"`
	// Probes of the container; each one that is left out is the engine's own.
	Probes Probes `json:"probes,omitzero"`

	// Variables, name to value.
	Env map[string]string `json:"env,omitempty"`
	// Containers that run to their end, or with restartPolicy Always beside it, before the database starts.
	InitContainers []corev1.Container `json:"initContainers,omitempty"`
	// Containers that run beside the database, as an exporter of metrics.
	Sidecars []corev1.Container `json:"sidecars,omitempty"`
	// Volumes of the pod.
	Volumes []corev1.Volume `json:"volumes,omitempty"`
	// Where the database finds them.
	VolumeMounts []corev1.VolumeMount `json:"volumeMounts,omitempty"`

	// Labels added to the pods.
	PodLabels map[string]string `json:"podLabels,omitempty"`
	// Annotations added to the pods.
	PodAnnotations map[string]string `json:"podAnnotations,omitempty"`
	// Security context of the pods; user and group are the engine's unless given.
	// The default meets the restricted Pod Security Standard.
	PodSecurityContext *corev1.PodSecurityContext `json:"podSecurityContext,omitempty"`
	// Security context of the containers. The default meets the restricted Pod Security Standard.
	SecurityContext *corev1.SecurityContext `json:"securityContext,omitempty"`
	// Whether pods avoid the nodes of each other (soft), never share one (hard), or do not care (none).
	AntiAffinity string `json:"antiAffinity,omitempty" schema:"enum=soft|hard|none"`
	// Labels that a node must have.
	NodeSelector map[string]string `json:"nodeSelector,omitempty"`
	// Taints that the pods tolerate.
	Tolerations []corev1.Toleration `json:"tolerations,omitempty"`
	// Affinity of the pods, in place of what antiAffinity gives.
	Affinity *corev1.Affinity `json:"affinity,omitempty"`
	// How the pods spread. A constraint without labelSelector gets that of the release's pods.
	TopologySpreadConstraints []corev1.TopologySpreadConstraint `json:"topologySpreadConstraints,omitempty"`
	// PriorityClass of the pods.
	PriorityClassName string `json:"priorityClassName,omitempty"`

	// Backups on a schedule, into a claim of their own.
	Backup DatabaseBackup `json:"backup,omitzero"`
	// An exporter of metrics beside the database.
	Metrics DatabaseMetrics `json:"metrics,omitzero"`
	// A PodDisruptionBudget for the pods.
	PodDisruptionBudget DisruptionBudget `json:"podDisruptionBudget,omitzero"`
	// A NetworkPolicy for the pods.
	NetworkPolicy DatabaseNetworkPolicy `json:"networkPolicy,omitzero"`
	// The account under which the pods run.
	ServiceAccount DatabaseServiceAccount `json:"serviceAccount,omitzero"`
	// Any other objects, as they are. Strings in them may be templates.
	ExtraObjects []map[string]any `json:"extraObjects,omitempty"`
}

// DatabaseAuth is who may log in: a password of one's own, or a Secret that exists.
type DatabaseAuth struct {
	// User of the application. With postgresql and mongodb also the superuser; redis has none.
	Username string `json:"username,omitempty" schema:"minLength=1"`
	// Database of the application. Redis has none.
	Database string `json:"database,omitempty" schema:"minLength=1"`
	// Password of the user. This or existingSecret is required.
	Password string `json:"password,omitempty"`
	// Name of an existing Secret with the password.
	ExistingSecret string `json:"existingSecret,omitempty"`
	// Key of the password in the Secret.
	PasswordKey string `json:"passwordKey,omitempty" schema:"pattern=^[-._a-zA-Z0-9]+$"`
	// Password of mysql's root; none: the user's.
	AdminPassword string `json:"adminPassword,omitempty"`
	// Key of root's password in the Secret; none: passwordKey.
	AdminPasswordKey string `json:"adminPasswordKey,omitempty" schema:"pattern=^[-._a-zA-Z0-9]+$"`
}

// DatabaseService is the Service for clients, which leads to the primary.
type DatabaseService struct {
	// Type of the Service.
	Type string `json:"type,omitempty" schema:"enum=ClusterIP|NodePort|LoadBalancer"`
	// Port of the Service; none: the database's.
	Port int32 `json:"port,omitempty" schema:"minimum=1,maximum=65535"`
	// Port of every node, for NodePort and LoadBalancer; none: the cluster picks one.
	NodePort int32 `json:"nodePort,omitempty" schema:"minimum=30000,maximum=32767"`
	// Annotations of the Service.
	Annotations map[string]string `json:"annotations,omitempty"`
	// Whether there is a second Service, for reading, that leads to all the pods.
	Read bool `json:"read,omitempty"`
}

// DatabaseStorage is the claims in which the data live.
type DatabaseStorage struct {
	// Size of the data's claim. It may grow, never shrink.
	Size resource.Quantity `json:"size,omitzero"`
	// How a volume may be mounted.
	AccessModes []string `json:"accessModes,omitempty" schema:"enum=ReadWriteOnce|ReadWriteOncePod|ReadOnlyMany|ReadWriteMany"`
	// An existing StorageClass; none: the one made by storageClass.create, else the cluster's default.
	ClassName string `json:"className,omitempty"`
	// What the data's claim is filled from: a VolumeSnapshot or another claim.
	DataSource *corev1.TypedLocalObjectReference `json:"dataSource,omitempty"`
	// Further claims of each pod.
	ExtraVolumes []DatabaseVolume `json:"extraVolumes,omitempty"`
	// What becomes of the claims.
	Retention DatabaseRetention `json:"retention,omitzero"`
}

// DatabaseVolume is a further claim of each pod.
type DatabaseVolume struct {
	// Name of the claim.
	Name string `json:"name" schema:"pattern=^[a-z0-9]([-a-z0-9]*[a-z0-9])?$,maxLength=40"`
	// Where the database finds it.
	MountPath string `json:"mountPath" schema:"pattern=^/"`
	// Size of the claim.
	Size resource.Quantity `json:"size"`
	// How the volume may be mounted; none: as the data's.
	AccessModes []string `json:"accessModes,omitempty" schema:"enum=ReadWriteOnce|ReadWriteOncePod|ReadOnlyMany|ReadWriteMany"`
	// An existing StorageClass; none: that of the data.
	ClassName string `json:"className,omitempty"`
	// What the claim is filled from.
	DataSource *corev1.TypedLocalObjectReference `json:"dataSource,omitempty"`
}

// DatabaseRetention is what becomes of the claims.
type DatabaseRetention struct {
	// When the StatefulSet is deleted.
	WhenDeleted string `json:"whenDeleted,omitempty" schema:"enum=Retain|Delete"`
	// When there are fewer replicas.
	WhenScaled string `json:"whenScaled,omitempty" schema:"enum=Retain|Delete"`
}

// DatabaseStorageClass is a StorageClass of the release's own. It belongs to the whole cluster.
type DatabaseStorageClass struct {
	// Whether the chart makes a StorageClass.
	Create bool `json:"create,omitempty"`
	// Name of the StorageClass; none: the namespace, a dot and the release, which no other release has.
	Name string `json:"name,omitempty" schema:"pattern=^[a-z0-9]([-.a-z0-9]*[a-z0-9])?$,maxLength=253"`
	// Driver that makes the volumes. Required to make a StorageClass.
	Provisioner string `json:"provisioner,omitempty"`
	// What becomes of a volume whose claim is deleted.
	ReclaimPolicy string `json:"reclaimPolicy,omitempty" schema:"enum=Retain|Delete"`
	// Whether claims may grow.
	AllowVolumeExpansion *bool `json:"allowVolumeExpansion,omitempty"`
	// Whether a volume is made at once, or where its first pod is scheduled.
	VolumeBindingMode string `json:"volumeBindingMode,omitempty" schema:"enum=WaitForFirstConsumer|Immediate"`
	// Parameters for the driver.
	Parameters map[string]string `json:"parameters,omitempty"`
	// Options with which the volumes are mounted.
	MountOptions []string `json:"mountOptions,omitempty"`
	// Whether it becomes the cluster's default class.
	Default bool `json:"default,omitempty"`
}

// DatabaseUpdateStrategy is how pods are renewed.
type DatabaseUpdateStrategy struct {
	// RollingUpdate: one by one, the highest ordinal first. OnDelete: when someone deletes them.
	Type string `json:"type,omitempty" schema:"enum=RollingUpdate|OnDelete"`
	// Ordinal below which pods stay as they are.
	Partition int32 `json:"partition,omitempty" schema:"minimum=0"`
}

// DatabaseOrdinals are the numbers of the pods.
type DatabaseOrdinals struct {
	// Number of the first pod, which is the primary. To change it later is to change the primary.
	Start int32 `json:"start,omitempty" schema:"minimum=0"`
}

// DatabaseVolumePermissions is for volumes whose driver does not heed fsGroup, as many of NFS. The container is root, with
// three capabilities, which the restricted Pod Security Standard does not allow and the baseline one does.
type DatabaseVolumePermissions struct {
	// Whether there is such a container. It runs as root: the namespace must allow the baseline Pod Security Standard.
	Enabled bool `json:"enabled,omitempty"`
}

// DatabaseBackup is a CronJob that dumps the primary into a claim. Redis gives its snapshot, the others a dump of
// auth.database.
type DatabaseBackup struct {
	// Whether there are backups.
	Enabled bool `json:"enabled,omitempty"`
	// When they are made, in cron's five fields.
	Schedule string `json:"schedule,omitempty" schema:"minLength=1"`
	// Time zone of the schedule, as Etc/UTC; none: that of the cluster.
	TimeZone string `json:"timeZone,omitempty"`
	// Backups to keep; older ones are deleted when a new one is complete.
	Keep int32 `json:"keep,omitempty" schema:"minimum=1"`
	// Whether the schedule rests.
	Suspend bool `json:"suspend,omitempty"`
	// An existing claim to write to; none: the chart makes one, which stays when the release is uninstalled.
	ExistingClaim string `json:"existingClaim,omitempty"`
	// Size of the claim.
	Size resource.Quantity `json:"size,omitzero"`
	// How the claim's volume may be mounted; none: as the data's.
	AccessModes []string `json:"accessModes,omitempty" schema:"enum=ReadWriteOnce|ReadWriteOncePod|ReadOnlyMany|ReadWriteMany"`
	// An existing StorageClass for the claim; none: that of the data.
	ClassName string `json:"className,omitempty"`
	// Requests and limits; none: the database's.
	Resources corev1.ResourceRequirements `json:"resources,omitzero"`
	// Further attempts of a failed backup.
	BackoffLimit *int32 `json:"backoffLimit,omitempty" schema:"minimum=0"`
	// Seconds after which a backup is ended.
	ActiveDeadlineSeconds *int64 `json:"activeDeadlineSeconds,omitempty" schema:"minimum=1"`
}

// DatabaseMetrics is an exporter of metrics beside the database, at the port metrics of the pods and of the headless
// Service.
type DatabaseMetrics struct {
	// Whether there is an exporter.
	Enabled bool `json:"enabled,omitempty"`
	// The image of the exporter; none: the usual one of the engine.
	Image Image `json:"image,omitzero"`
	// Port of the metrics; none: the exporter's own.
	Port int32 `json:"port,omitempty" schema:"minimum=1024,maximum=65535"`
	// Arguments behind the chart's own.
	Args []string `json:"args,omitempty"`
	// Variables, name to value.
	Env map[string]string `json:"env,omitempty"`
	// Requests and limits of the exporter.
	Resources corev1.ResourceRequirements `json:"resources,omitzero"`
}

// DatabaseNetworkPolicy says who may talk to the database.
type DatabaseNetworkPolicy struct {
	// Whether there is a NetworkPolicy.
	Enabled bool `json:"enabled,omitempty"`
	// Who may reach the database, besides its own pods; none: the pods of the namespace.
	From []networkingv1.NetworkPolicyPeer `json:"from,omitempty"`
}

// DatabaseServiceAccount is the account under which the pods run.
type DatabaseServiceAccount struct {
	// Whether the chart makes the account.
	Create *bool `json:"create,omitempty"`
	// Name of the account; none: that of the release, or default if the chart makes none.
	Name string `json:"name,omitempty"`
	// Whether the pods get the account's token.
	AutomountToken bool `json:"automountToken,omitempty"`
	// Annotations of the account.
	Annotations map[string]string `json:"annotations,omitempty"`
}
