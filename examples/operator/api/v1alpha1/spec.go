package v1alpha1

import (
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Application is a chart that the operator keeps deployed as a release of the same
// name, in the same namespace.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:shortName=app
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Phase",type=string,JSONPath=`.status.phase`
// +kubebuilder:printcolumn:name="Revision",type=integer,JSONPath=`.status.revision`
// +kubebuilder:printcolumn:name="Chart",type=string,JSONPath=`.status.chart.version`
// +kubebuilder:printcolumn:name="Drift",type=integer,priority=1,JSONPath=`.status.drift.objects`
// +kubebuilder:printcolumn:name="Message",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].message`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:validation:XValidation:rule="self.metadata.name.size() <= 53",message="the name of a release has at most 53 characters"
type Application struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	Spec   ApplicationSpec   `json:"spec"`
	Status ApplicationStatus `json:"status,omitempty"`
}

// ApplicationList is a list of Applications.
//
// +kubebuilder:object:root=true
type ApplicationList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []Application `json:"items"`
}

// ApplicationSpec is what should be deployed, and how.
type ApplicationSpec struct {
	Chart ChartSource `json:"chart"`
	// Interval between two looks for a newer chart at its source.
	// +kubebuilder:default="10m"
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:Pattern="^([0-9]+(\\.[0-9]+)?(ms|s|m|h))+$"
	Interval *metav1.Duration `json:"interval,omitempty"`
	// Values over the chart's own, and over those of ValuesFrom.
	// +kubebuilder:validation:XPreserveUnknownFields
	// +kubebuilder:validation:Type=object
	Values *apiextensionsv1.JSON `json:"values,omitempty"`
	// ValuesFrom are values in ConfigMaps and Secrets of the namespace, later ones
	// over earlier ones.
	// +kubebuilder:validation:MaxItems=32
	ValuesFrom []ValuesReference `json:"valuesFrom,omitempty"`
	// DependsOn are Applications of the namespace that must be ready before a
	// revision of this one is begun.
	// +kubebuilder:validation:MaxItems=32
	// +listType=map
	// +listMapKey=name
	DependsOn []Dependency `json:"dependsOn,omitempty"`
	// Suspend leaves the release as it is.
	Suspend bool `json:"suspend,omitempty"`
	// Drift says what becomes of fields that others have changed.
	// +kubebuilder:default={}
	Drift Drift `json:"drift,omitempty"`
	// Timeout bounds each wait for readiness, and each hook.
	// +kubebuilder:default="5m"
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:Pattern="^([0-9]+(\\.[0-9]+)?(ms|s|m|h))+$"
	Timeout *metav1.Duration `json:"timeout,omitempty"`
	// OnFailure says what becomes of the release if a revision fails.
	// +kubebuilder:default=LeaveFailed
	OnFailure OnFailure `json:"onFailure,omitempty"`
	// History is the number of revisions to keep.
	// +kubebuilder:default=10
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=100
	History int `json:"history,omitempty"`
	// ServiceAccountName is a ServiceAccount of the namespace, with whose permissions
	// everything is read and written. Empty: the operator's default.
	// +kubebuilder:validation:MaxLength=253
	ServiceAccountName string `json:"serviceAccountName,omitempty"`
	// DeletionPolicy says what becomes of the release if the Application is deleted.
	// +kubebuilder:default=Uninstall
	DeletionPolicy DeletionPolicy `json:"deletionPolicy,omitempty"`
}

// ChartSource is where the chart comes from.
//
// +kubebuilder:validation:ExactlyOneOf=builtIn;oci;repository;url;configMap
type ChartSource struct {
	// BuiltIn is a chart of Fairlead itself.
	// +kubebuilder:validation:Enum=webapp;database
	BuiltIn string `json:"builtIn,omitempty"`
	// OCI is a chart in a registry, such as oci://registry.example.com/charts/shop,
	// with a tag or a digest if Version is empty.
	// +kubebuilder:validation:Pattern="^oci://.+$"
	OCI string `json:"oci,omitempty"`
	// Repository is the address of a chart repository, and Name a chart in it.
	Repository *Repository `json:"repository,omitempty"`
	// URL is the address of a packaged chart.
	// +kubebuilder:validation:Pattern="^https?://.+$"
	URL string `json:"url,omitempty"`
	// ConfigMap of the namespace that holds a packaged chart in its binaryData.
	ConfigMap *ConfigMapKey `json:"configMap,omitempty"`
	// Version is exact or a constraint, such as "^1.2", for OCI and Repository. Empty:
	// the newest that is no prerelease.
	// +kubebuilder:validation:MaxLength=253
	Version string `json:"version,omitempty"`
	// SecretName is a Secret of the namespace whose keys username and password are the
	// login for OCI, Repository and URL.
	// +kubebuilder:validation:MaxLength=253
	SecretName string `json:"secretName,omitempty"`
}

// Repository is a chart in a chart repository.
type Repository struct {
	// +kubebuilder:validation:Pattern="^https?://.+$"
	URL string `json:"url"`
	// +kubebuilder:validation:MinLength=1
	Name string `json:"name"`
}

// ConfigMapKey is a key of a ConfigMap.
type ConfigMapKey struct {
	// +kubebuilder:validation:MinLength=1
	Name string `json:"name"`
	// +kubebuilder:default=chart.tgz
	Key string `json:"key,omitempty"`
}

// ValuesReference is as engine.ValuesFrom.
type ValuesReference struct {
	// +kubebuilder:validation:Enum=ConfigMap;Secret
	Kind string `json:"kind"`
	// +kubebuilder:validation:MinLength=1
	Name string `json:"name"`
	// Key of the data. Empty: values.yaml.
	Key string `json:"key,omitempty"`
	// TargetPath is the value that the data becomes, as for helm --set. Empty: the data
	// is a values file.
	TargetPath string `json:"targetPath,omitempty"`
	// Optional: the object, or its key, need not exist.
	Optional bool `json:"optional,omitempty"`
}

// Dependency is another Application of the namespace.
type Dependency struct {
	// +kubebuilder:validation:MinLength=1
	Name string `json:"name"`
	// ReadyExpr is a CEL expression over the variable app, which is the other
	// Application: app.status.revision >= 2. It is needed besides its condition Ready.
	// +kubebuilder:validation:MaxLength=4096
	ReadyExpr string `json:"readyExpr,omitempty"`
}

// Drift says what becomes of fields that others have changed.
type Drift struct {
	// Mode. Off: they stay until the next revision. Report: they are listed in the
	// status, too. Correct: they are set back.
	// +kubebuilder:default=Report
	Mode DriftMode `json:"mode,omitempty"`
	// Ignore are fields that stay with another field manager, always.
	// +kubebuilder:validation:MaxItems=64
	Ignore []IgnoreRule `json:"ignore,omitempty"`
}

// IgnoreRule selects fields; empty parts select all.
//
// +kubebuilder:validation:MinProperties=1
type IgnoreRule struct {
	// Kind is "Deployment", or "Deployment.apps" where two groups have one.
	Kind string `json:"kind,omitempty"`
	// Path of the field and of all below it, such as spec.replicas.
	Path string `json:"path,omitempty"`
	// Manager is a pattern of the other field manager's name, with * and ?.
	Manager string `json:"manager,omitempty"`
}

// DriftMode is one of the constants.
// +kubebuilder:validation:Enum=Off;Report;Correct
type DriftMode string

// The modes of Drift.
const (
	DriftOff     DriftMode = "Off"
	DriftReport  DriftMode = "Report"
	DriftCorrect DriftMode = "Correct"
)

// OnFailure is as engine.OnFailure.
// +kubebuilder:validation:Enum=LeaveFailed;RollBack;RollBackOrUninstall
type OnFailure string

// What becomes of a release if a revision fails.
const (
	LeaveFailed         OnFailure = "LeaveFailed"
	RollBack            OnFailure = "RollBack"
	RollBackOrUninstall OnFailure = "RollBackOrUninstall"
)

// DeletionPolicy is one of the constants.
// +kubebuilder:validation:Enum=Uninstall;Orphan
type DeletionPolicy string

// What becomes of a release if its Application is deleted.
const (
	Uninstall DeletionPolicy = "Uninstall"
	Orphan    DeletionPolicy = "Orphan"
)
