package engine_test

import (
	"strings"
	"testing"

	"helm.sh/helm/v3/pkg/action"
)

// Templates see the version and the kinds of the API server as Helm shows them:
// what Helm installed from them needs no change.
func TestCapabilitiesAsInHelm(t *testing.T) {
	f := newFixture(t)
	// Without the kinds that other tests define meanwhile.
	templates := map[string]string{"a.yaml": `apiVersion: v1
kind: ConfigMap
metadata: {name: capabilities}
data:
  version: {{ .Capabilities.KubeVersion.Version | quote }}
  git: {{ .Capabilities.KubeVersion.GitVersion | quote }}
  text: {{ .Capabilities.KubeVersion | toString | quote }}
  major: {{ .Capabilities.KubeVersion.Major | quote }}
  minor: {{ .Capabilities.KubeVersion.Minor | quote }}
  newer: {{ semverCompare ">=1.34-0" .Capabilities.KubeVersion.Version | quote }}
  policies: {{ .Capabilities.APIVersions.Has "admissionregistration.k8s.io/v1/MutatingAdmissionPolicy" | quote }}
  deployments: {{ .Capabilities.APIVersions.Has "apps/v1/Deployment" | quote }}
  served: |
    {{- range .Capabilities.APIVersions | sortAlpha }}
    {{- if or (contains ".k8s.io/" .) (not (contains "." .)) }}
    {{ . }}
    {{- end }}
    {{- end }}
`}
	install := action.NewInstall(f.helm())
	install.ReleaseName, install.Namespace = "shop", f.namespace
	if _, err := install.RunWithContext(f.ctx, helmChart(t, templates), nil); err != nil {
		t.Fatal(err)
	}
	for _, c := range f.plan(f.release(f.chart(templates))).Report.Changes {
		if c.Changed() {
			t.Errorf("%s %s: %v", c.Action, c.Object, c.Fields)
		}
	}
	v, err := f.client.Discovery().ServerVersion()
	if err != nil {
		t.Fatal(err)
	}
	data, _ := f.object("v1/configmaps/capabilities")["data"].(map[string]any)
	served, _ := data["served"].(string)
	if data["version"] != v.GitVersion || data["minor"] != v.Minor || data["deployments"] != "true" || !strings.Contains(served, "\napps/v1/Deployment\n") {
		t.Errorf("the API server is %v, and templates see %v", v, data)
	}
}
