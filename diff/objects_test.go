package diff_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"github.com/fairlead-dev/fairlead/diff"
)

// objects reads YAML documents.
func objects(t testing.TB, text string) []*unstructured.Unstructured {
	t.Helper()
	var out []*unstructured.Unstructured
	for doc := range strings.SplitSeq(text, "\n---\n") {
		u := &unstructured.Unstructured{}
		data, err := yaml.YAMLToJSON([]byte(doc))
		if err == nil {
			err = json.Unmarshal(data, &u.Object)
		}
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, u)
	}
	return out
}

func config(name, key, value string) string {
	return fmt.Sprintf("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: %s}\ndata: {%s: %s}", name, key, value)
}

// Two renders are compared object by object, each in the way that Objects
// documents.
func TestObjects(t *testing.T) {
	const ns = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: web, namespace: %s}\ndata: {a: b}"
	for name, c := range map[string]struct {
		before, after string
		want          []string // action, object and paths of fields
		warning       string
	}{
		"added, changed, removed": {
			config("gone", "a", "b") + "\n---\n" + config("web", "a", "b"), config("web", "a", "c") + "\n---\n" + config("more", "a", "b"),
			[]string{"Updated ConfigMap web data.a", "Created ConfigMap more data.a", "Deleted ConfigMap gone"}, "",
		},
		"the order does not matter": {
			config("a", "a", "b") + "\n---\n" + config("b", "a", "b"), config("b", "a", "b") + "\n---\n" + config("a", "a", "b"),
			[]string{"Unchanged ConfigMap b", "Unchanged ConfigMap a"}, "",
		},
		"removed values": {
			config("web", "a", "b, c: d"), config("web", "a", "b"), []string{"Updated ConfigMap web data.c"}, "",
		},
		"a policy": {
			"apiVersion: v1\nkind: PersistentVolumeClaim\nmetadata: {name: db, annotations: {helm.sh/resource-policy: keep}}", config("web", "a", "b"),
			[]string{"Created ConfigMap web data.a", "Kept PersistentVolumeClaim db"}, "",
		},
		"another version": {
			"apiVersion: autoscaling/v1\nkind: HorizontalPodAutoscaler\nmetadata: {name: web}\nspec: {maxReplicas: 3}",
			"apiVersion: autoscaling/v2\nkind: HorizontalPodAutoscaler\nmetadata: {name: web}\nspec: {maxReplicas: 3}",
			[]string{"Updated HorizontalPodAutoscaler web apiVersion"}, "",
		},
		"another group": {
			"apiVersion: extensions/v1beta1\nkind: Ingress\nmetadata: {name: web}", "apiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata: {name: web}",
			[]string{"Created Ingress web", "Deleted Ingress web"}, "",
		},
		"lists": {
			"apiVersion: v1\nkind: List\nitems:\n- {apiVersion: v1, kind: ConfigMap, metadata: {name: web}, data: {a: b}}\n- {apiVersion: v1, kind: ConfigMapList, items: [{apiVersion: v1, kind: ConfigMap, metadata: {name: inner}, data: {a: b}}]}",
			config("web", "a", "b") + "\n---\n" + config("inner", "a", "c"),
			[]string{"Unchanged ConfigMap web", "Updated ConfigMap inner data.a"}, "",
		},
		"twice": {
			config("web", "a", "b"), config("web", "a", "c") + "\n---\n" + config("more", "a", "b") + "\n---\n" + config("web", "a", "d"),
			[]string{"Created ConfigMap more data.a", "Updated ConfigMap web data.a"}, "ConfigMap web is more than once in what is rendered after; the last one counts",
		},
		"a namespace that is said now": {
			config("web", "a", "b"), fmt.Sprintf(ns, "shop"), []string{"Updated ConfigMap shop/web metadata.namespace"}, "",
		},
		"a namespace that is no longer said": {
			fmt.Sprintf(ns, "shop"), config("web", "a", "b"), []string{"Updated ConfigMap shop/web metadata.namespace"}, "",
		},
		"another namespace": {
			fmt.Sprintf(ns, "shop"), fmt.Sprintf(ns, "store"), []string{"Created ConfigMap store/web data.a", "Deleted ConfigMap shop/web"}, "",
		},
		"one of several namespaces": {
			fmt.Sprintf(ns, "shop") + "\n---\n" + fmt.Sprintf(ns, "store"), config("web", "a", "b"),
			[]string{"Created ConfigMap web data.a", "Deleted ConfigMap store/web", "Deleted ConfigMap shop/web"}, "",
		},
		"generated names": {
			"apiVersion: batch/v1\nkind: Job\nmetadata: {generateName: job-}\nspec: {suspend: true}",
			"apiVersion: batch/v1\nkind: Job\nmetadata: {generateName: job-}\nspec: {suspend: true}\n---\napiVersion: batch/v1\nkind: Job\nmetadata: {generateName: job-}",
			[]string{"Unchanged Job job-", "Created Job job-"}, "",
		},
	} {
		t.Run(name, func(t *testing.T) {
			before, after := objects(t, c.before), objects(t, c.after)
			report, err := diff.Objects(before, after, diff.Options{})
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, ch := range report.Changes {
				line := string(ch.Action) + " " + ch.Object.String()
				for _, f := range ch.Fields {
					line += " " + f.Path
					if f.Cause != diff.Chart && f.Cause != diff.Removed {
						t.Errorf("%s has cause %s", f.Path, f.Cause)
					}
				}
				got = append(got, strings.TrimSpace(line))
			}
			if !reflect.DeepEqual(got, c.want) {
				t.Errorf("got  %q\nwant %q", got, c.want)
			}
			if warnings := strings.Join(report.Warnings, "\n"); warnings != c.warning {
				t.Errorf("warnings: %q", warnings)
			}
			if !reflect.DeepEqual(before, objects(t, c.before)) || !reflect.DeepEqual(after, objects(t, c.after)) {
				t.Error("the renders were changed")
			}
			again, err := diff.Objects(after, after, diff.Options{})
			if err != nil {
				t.Fatal(err)
			}
			for _, ch := range again.Changes {
				if ch.Action != diff.Unchanged || len(ch.Fields) > 0 {
					t.Errorf("compared with itself: %+v", ch)
				}
			}
		})
	}
}

// A value of a Secret is hidden wherever it is, and also if it is only in an
// object that does not count, or the caller's Redactor does not know it.
func TestObjectsHideSecrets(t *testing.T) {
	const secret = "apiVersion: v1\nkind: Secret\nmetadata: {name: db}\nstringData: {password: %s}"
	before := objects(t, fmt.Sprintf(secret, "correct-horse")+"\n---\n"+fmt.Sprintf(secret, "battery-staple")+"\n---\n"+config("web", "url", "postgres://correct-horse@db"))
	after := objects(t, fmt.Sprintf(secret, "tr0ub4dor")+"\n---\n"+config("web", "url", "postgres://tr0ub4dor@db")+"\n---\n"+config("again", "old", "battery-staple"))
	for name, r := range map[string]*diff.Redactor{"none": nil, "one that knows nothing": diff.NewRedactor(diff.RedactorOptions{})} {
		report, err := diff.Objects(before, after, diff.Options{Secrets: r})
		if err != nil {
			t.Fatal(err)
		}
		var out bytes.Buffer
		if err := report.WriteText(&out, diff.TextOptions{}); err != nil {
			t.Fatal(err)
		}
		if err := json.NewEncoder(&out).Encode(report); err != nil {
			t.Fatal(err)
		}
		for _, hidden := range []string{"correct-horse", "battery-staple", "tr0ub4dor"} {
			if strings.Contains(out.String(), hidden) {
				t.Errorf("with the Redactor %s, %s is shown:\n%s", name, hidden, &out)
			}
		}
		if !strings.Contains(out.String(), "data.password") {
			t.Errorf("the change of the password is not shown:\n%s", &out)
		}
	}
}

func TestObjectsRefuseWhatIsNone(t *testing.T) {
	good := objects(t, config("web", "a", "b"))
	for name, text := range map[string]string{
		"no kind":       "apiVersion: v1\nmetadata: {name: web}",
		"no apiVersion": "kind: ConfigMap\nmetadata: {name: web}",
		"no name":       "apiVersion: v1\nkind: ConfigMap",
		"in a list":     "apiVersion: v1\nkind: List\nitems: [text]",
	} {
		_, err := diff.Objects(good, append(append(good, nil), objects(t, text)...), diff.Options{})
		var invalid *diff.ObjectError
		if !errors.As(err, &invalid) || invalid.In != "after" || invalid.Index != 2 {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func ExampleObjects() {
	base := []*unstructured.Unstructured{deployment("web:1.0", 3)}
	head := []*unstructured.Unstructured{deployment("web:2.0", 3)}
	report, err := diff.Objects(base, head, diff.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(report.Summary())
	// Output: 1 to update (image)
}
