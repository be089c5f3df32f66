package storage

import (
	"fmt"
	"strconv"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

const (
	secretType = "helm.sh/release.v1"
	bodyKey    = "release"

	labelOwner    = "owner"
	ownerHelm     = "helm"
	labelName     = "name"
	labelStatus   = "status"
	labelRevision = "version"
	labelCreated  = "createdAt"
	labelModified = "modifiedAt"

	annotationPrefix      = "fairlead.dev/"
	annotationCause       = annotationPrefix + "cause"
	annotationDescription = annotationPrefix + "description"
	annotationChart       = annotationPrefix + "chart"
	annotationVersion     = annotationPrefix + "chart-version"
	annotationAppVersion  = annotationPrefix + "app-version"
	annotationDeployed    = annotationPrefix + "deployed"
)

func secretName(name string, revision int) string {
	return fmt.Sprintf("sh.helm.release.v1.%s.v%d", name, revision)
}

func systemLabel(name string) bool {
	switch name {
	case labelOwner, labelName, labelStatus, labelRevision, labelCreated, labelModified:
		return true
	}
	return false
}

func newSecret(r *Record, body []byte, stamp string, now time.Time) *corev1.Secret {
	labels := map[string]string{}
	for k, v := range r.Labels {
		if !systemLabel(k) {
			labels[k] = v
		}
	}
	labels[labelOwner] = ownerHelm
	labels[labelName] = r.Name
	labels[labelStatus] = string(r.Status)
	labels[labelRevision] = strconv.Itoa(r.Revision)
	labels[stamp] = strconv.FormatInt(now.Unix(), 10)
	return &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{
			Name: secretName(r.Name, r.Revision), Namespace: r.Namespace, Labels: labels,
			ResourceVersion: r.resourceVersion,
			Annotations: map[string]string{
				annotationCause:       r.Cause,
				annotationDescription: r.Description,
				annotationChart:       r.Chart.Name,
				annotationVersion:     r.Chart.Version,
				annotationAppVersion:  r.Chart.AppVersion,
				annotationDeployed:    r.LastDeployed.UTC().Format(time.RFC3339Nano),
			},
		},
		Type: secretType,
		Data: map[string][]byte{bodyKey: body},
	}
}

// metaOf reads labels and annotations; ok is false for a Secret that is no
// revision.
func metaOf(o metav1.ObjectMeta) (m Meta, ok bool) {
	revision, err := strconv.Atoi(o.Labels[labelRevision])
	if err != nil || revision < 1 || o.Labels[labelName] == "" || o.Name != secretName(o.Labels[labelName], revision) {
		return Meta{}, false
	}
	m = Meta{Name: o.Labels[labelName], Namespace: o.Namespace, Revision: revision, Status: Status(o.Labels[labelStatus])}
	a := o.Annotations
	if _, m.Annotated = a[annotationDeployed]; !m.Annotated {
		return m, true
	}
	m.Cause, m.Description = a[annotationCause], a[annotationDescription]
	m.Chart, m.Version, m.AppVersion = a[annotationChart], a[annotationVersion], a[annotationAppVersion]
	m.LastDeployed, _ = time.Parse(time.RFC3339Nano, a[annotationDeployed]) // a broken one is shown as none
	return m, true
}
