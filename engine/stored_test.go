package engine_test

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"encoding/json"
	"io"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// What tests do to stored revisions, as other writers would.

func (f *fixture) revisionSecret(revision int) *corev1.Secret {
	f.Helper()
	list, err := f.client.CoreV1().Secrets(f.key.Namespace).List(f.ctx, metav1.ListOptions{
		LabelSelector: metav1.FormatLabelSelector(&metav1.LabelSelector{MatchLabels: map[string]string{"owner": "helm", "name": f.key.Name}}),
	})
	if err != nil {
		f.Fatal(err)
	}
	for i := range list.Items {
		if strings.HasSuffix(list.Items[i].Name, ".v"+string(rune('0'+revision))) {
			return &list.Items[i]
		}
	}
	f.Fatalf("no Secret of revision %d", revision)
	return nil
}

// rewrite changes the body of a stored revision, and its label of status.
func (f *fixture) rewrite(revision int, change func(release map[string]any)) {
	f.Helper()
	s := f.revisionSecret(revision)
	zipped, err := base64.StdEncoding.DecodeString(string(s.Data["release"]))
	if err != nil {
		f.Fatal(err)
	}
	z, err := gzip.NewReader(bytes.NewReader(zipped))
	if err != nil {
		f.Fatal(err)
	}
	text, err := io.ReadAll(z)
	if err != nil {
		f.Fatal(err)
	}
	var release map[string]any
	if err := json.Unmarshal(text, &release); err != nil {
		f.Fatal(err)
	}
	change(release)
	if text, err = json.Marshal(release); err != nil {
		f.Fatal(err)
	}
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	if _, err := w.Write(text); err != nil {
		f.Fatal(err)
	}
	if err := w.Close(); err != nil {
		f.Fatal(err)
	}
	s.Data["release"] = []byte(base64.StdEncoding.EncodeToString(out.Bytes()))
	delete(s.Annotations, "fairlead.dev/digest") // a client that can write the one can write the other
	s.Labels["status"] = release["info"].(map[string]any)["status"].(string)
	if _, err := f.client.CoreV1().Secrets(f.key.Namespace).Update(f.ctx, s, metav1.UpdateOptions{}); err != nil {
		f.Fatal(err)
	}
}

func (f *fixture) rewriteManifest(revision int, old, with string) {
	f.Helper()
	f.rewrite(revision, func(release map[string]any) {
		release["manifest"] = strings.ReplaceAll(release["manifest"].(string), old, with)
	})
}

// interrupt changes a stored revision as if its process had been killed.
func (f *fixture) interrupt(revision int, status string) {
	f.Helper()
	f.rewrite(revision, func(release map[string]any) { release["info"].(map[string]any)["status"] = status })
}
