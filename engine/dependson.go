package engine

import (
	"fmt"
	"strconv"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/fairlead-dev/fairlead/diff"
)

// Annotations by which objects of a release are put in order, beyond the order
// of their kinds. See docs/ordering.md.
const (
	// AnnotationDependsOn names objects of the same release that must be ready
	// before this one is applied, and that are deleted after it: a list,
	// separated by commas, of GROUP/namespaces/NAMESPACE/KIND/NAME, or
	// GROUP/KIND/NAME for what is in no namespace; GROUP is empty for the core
	// kinds. It is kpt's and cli-utils' annotation.
	AnnotationDependsOn = "config.kubernetes.io/depends-on"
	// AnnotationWave is an integer, 0 if there is none: the objects of a lower
	// wave are ready before those of a higher one are applied, and are deleted
	// after them.
	AnnotationWave = "fairlead.dev/wave"
	// AnnotationSyncWave is Argo CD's, and counts where AnnotationWave is not
	// set. What is no integer counts as 0, as it does there.
	AnnotationSyncWave = "argocd.argoproj.io/sync-wave"
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

// hasOrder says whether an object says anything of its order.
func hasOrder(u *unstructured.Unstructured) bool {
	return annotation(u, AnnotationDependsOn) != "" || annotation(u, AnnotationWave) != "" || annotation(u, AnnotationSyncWave) != ""
}

// waveOf is the wave that an object asks for.
func waveOf(u *unstructured.Unstructured) (int, error) {
	if text := annotation(u, AnnotationWave); text != "" {
		n, err := strconv.ParseInt(strings.TrimSpace(text), 10, 32)
		if err != nil {
			return 0, fmt.Errorf("annotation %s is %q, which is no integer", AnnotationWave, text)
		}
		return int(n), nil
	}
	n, err := strconv.ParseInt(strings.TrimSpace(annotation(u, AnnotationSyncWave)), 10, 32)
	if err != nil {
		return 0, nil
	}
	return int(n), nil
}

// dependsOn is what an object asks to be ready before it, by identity.
func dependsOn(u *unstructured.Unstructured) ([]diff.Object, error) {
	text := annotation(u, AnnotationDependsOn)
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
			return nil, fmt.Errorf("annotation %s names %q, which is neither GROUP/namespaces/NAMESPACE/KIND/NAME nor GROUP/KIND/NAME", AnnotationDependsOn, ref)
		}
		out = append(out, o)
	}
	return out, nil
}

// reference is how AnnotationDependsOn names an object.
func reference(o diff.Object) string {
	if o.Namespace == "" {
		return o.Group + "/" + o.Kind + "/" + o.Name
	}
	return o.Group + "/namespaces/" + o.Namespace + "/" + o.Kind + "/" + o.Name
}
