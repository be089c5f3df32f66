package order

import (
	"fmt"
	"strconv"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/fairlead-dev/fairlead/diff"
)

// The annotations that put objects in order. See docs/ordering.md.
const (
	DependsOn = "config.kubernetes.io/depends-on"
	Wave      = "fairlead.dev/wave"
	SyncWave  = "argocd.argoproj.io/sync-wave"
)

// annotation reads one without copying the others.
func annotation(u *unstructured.Unstructured, key string) string {
	if u == nil {
		return ""
	}
	metadata, _ := u.Object["metadata"].(map[string]any)
	annotations, _ := metadata["annotations"].(map[string]any)
	s, _ := annotations[key].(string)
	return s
}

// Annotated reports whether an object has an annotation about its order.
func Annotated(u *unstructured.Unstructured) bool {
	return annotation(u, DependsOn) != "" || annotation(u, Wave) != "" || annotation(u, SyncWave) != ""
}

// WaveOf returns the wave that an object asks for, 0 if none. It fails if Wave
// is not an integer; a SyncWave that is none counts as 0, as with Argo CD.
func WaveOf(u *unstructured.Unstructured) (int, error) {
	if text := annotation(u, Wave); text != "" {
		n, err := strconv.ParseInt(strings.TrimSpace(text), 10, 32)
		if err != nil {
			return 0, fmt.Errorf("annotation %s is %q, which is not an integer", Wave, text)
		}
		return int(n), nil
	}
	n, err := strconv.ParseInt(strings.TrimSpace(annotation(u, SyncWave)), 10, 32)
	if err != nil {
		return 0, nil
	}
	return int(n), nil
}

// References returns the objects that DependsOn names, without their versions.
// It fails if it cannot be parsed.
func References(u *unstructured.Unstructured) ([]diff.Object, error) {
	text := annotation(u, DependsOn)
	if text == "" {
		return nil, nil
	}
	var out []diff.Object
	for ref := range strings.SplitSeq(text, ",") {
		ref = strings.TrimSpace(ref)
		parts := strings.Split(ref, "/")
		o := diff.Object{Group: parts[0]}
		switch {
		case len(parts) == 3:
			o.Kind, o.Name = parts[1], parts[2]
		case len(parts) == 5 && parts[1] == "namespaces":
			o.Namespace, o.Kind, o.Name = parts[2], parts[3], parts[4]
		}
		if o.Kind == "" || o.Name == "" || len(parts) == 5 && o.Namespace == "" {
			return nil, fmt.Errorf("annotation %s names %q, which is neither GROUP/namespaces/NAMESPACE/KIND/NAME nor GROUP/KIND/NAME", DependsOn, ref)
		}
		out = append(out, o)
	}
	return out, nil
}

// Reference returns how DependsOn names an object.
func Reference(o diff.Object) string {
	if o.Namespace == "" {
		return o.Group + "/" + o.Kind + "/" + o.Name
	}
	return o.Group + "/namespaces/" + o.Namespace + "/" + o.Kind + "/" + o.Name
}
