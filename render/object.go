package render

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	sigsyaml "sigs.k8s.io/yaml"

	"github.com/fairlead-dev/fairlead/internal/yamlread"
)

// Object is one rendered Kubernetes object. It is shared: treat it as read-only
// and change a DeepCopy.
type Object struct {
	// Unstructured is the parsed object; never nil. Whole numbers are int64,
	// others float64, as everywhere in Kubernetes.
	*unstructured.Unstructured
	// Source is the path of the template that made it,
	// "web/templates/deployment.yaml", of the file for CRDs and plain
	// manifests, and empty where a post-renderer made it.
	Source string
	// Text is the YAML text of its document as rendered, with comments. For an
	// item of a List it is that of the item alone. It may be empty where a program
	// made the object: [Object.Document] then writes it.
	Text string
}

// Document returns the YAML text of the object's document, without a newline at
// its end: Text or, where that is empty, the object written as YAML, its keys
// sorted. It fails for an object that is neither, or that no YAML can hold.
func (o Object) Document() (string, error) {
	if o.Text != "" {
		return o.Text, nil
	}
	if o.Unstructured == nil || len(o.Object) == 0 {
		return "", &Error{Op: "render", File: o.Source, Err: errors.New("the object is empty"), Hint: "leave it out, or set its content"}
	}
	text, err := sigsyaml.Marshal(o.Object)
	if err != nil {
		return "", &Error{Op: "render", File: o.Source, Err: fmt.Errorf("%s: %w", o.ID(), err), Hint: "an object holds maps, slices, strings, booleans, int64, and finite float64 only"}
	}
	return strings.TrimSuffix(string(text), "\n"), nil
}

// ID names the object for people and for comparison: "Kind.group
// namespace/name", with what is empty left out.
func (o Object) ID() string {
	return identify(o.Unstructured, "")
}

func identify(u *unstructured.Unstructured, namespace string) string {
	gvk := u.GroupVersionKind()
	id := gvk.Kind
	if gvk.Group != "" {
		id += "." + gvk.Group
	}
	if ns := u.GetNamespace(); ns != "" {
		namespace = ns
	}
	if namespace != "" {
		return id + " " + namespace + "/" + u.GetName()
	}
	return id + " " + u.GetName()
}

type objectJSON struct {
	Source string          `json:"source,omitempty"`
	Text   string          `json:"text,omitempty"`
	Object json.RawMessage `json:"object,omitempty"`
}

// MarshalJSON writes source and text, and the object where the text is missing.
func (o Object) MarshalJSON() ([]byte, error) {
	j := objectJSON{Source: o.Source, Text: o.Text}
	if o.Text == "" && o.Unstructured != nil {
		raw, err := json.Marshal(o.Unstructured.Object)
		if err != nil {
			return nil, err
		}
		j.Object = raw
	}
	return json.Marshal(j)
}

// UnmarshalJSON reads what MarshalJSON wrote.
func (o *Object) UnmarshalJSON(data []byte) error {
	var j objectJSON
	if err := json.Unmarshal(data, &j); err != nil {
		return err
	}
	text := j.Text + "\n" // as where it was rendered
	if j.Text == "" {
		text = string(j.Object)
	}
	content, err := parseObject(yamlread.Decoder{}, text)
	if err != nil {
		e := yamlError(err)
		e.Op, e.File = "parse", j.Source
		return e
	}
	dropNulls(content)
	*o = Object{Unstructured: &unstructured.Unstructured{Object: content}, Source: j.Source, Text: j.Text}
	return nil
}
