package engine

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/fairlead-dev/fairlead/diff"
	"github.com/fairlead-dev/fairlead/internal/clean"
	"github.com/fairlead-dev/fairlead/render"
)

// readValuesFrom returns the values of a release over those that ConfigMaps and
// Secrets hold for it, and these Secrets.
func (e *Engine) readValuesFrom(ctx context.Context, r Release) (render.Values, []*unstructured.Unstructured, error) {
	if len(r.ValuesFrom) == 0 {
		return r.Values, nil, nil
	}
	var layers []render.Layer
	var secrets []*unstructured.Unstructured
	for i, from := range r.ValuesFrom {
		if err := from.validate(indexed("Release.ValuesFrom", i)); err != nil {
			return render.Values{}, nil, refused("plan", r.Key, err)
		}
		o := diff.Object{Version: "v1", Kind: from.Kind, Namespace: r.Namespace, Name: from.Name}
		failed := func(hint string, err error) error {
			return &Error{Op: "read values", Key: r.Key, Object: o, Hint: hint, Err: err}
		}
		if err := e.blocked(r.Key, o, nil); err != nil {
			return render.Values{}, nil, failed("", fmt.Errorf("blocked by Options.Allow: %w", err))
		}
		u, err := e.getValuesFrom(ctx, o)
		if err != nil {
			if apierrors.IsNotFound(err) && from.Optional {
				continue
			}
			return render.Values{}, nil, explain("read values", r.Key, o, err)
		}
		if from.Kind == "Secret" {
			secrets = append(secrets, u)
		}
		text, ok, err := dataOf(u, from.key())
		switch {
		case err != nil:
			return render.Values{}, nil, failed("", err)
		case !ok && !from.Optional:
			return render.Values{}, nil, failed("name the key in ValuesFrom.Key, or set Optional", fmt.Errorf("it has no key %q", clean.Line(from.key())))
		case !ok:
			continue
		}
		layer, err := from.layer(text)
		if err != nil {
			return render.Values{}, nil, failed("write a path as for helm --set: a.b", errors.New("invalid ValuesFrom.TargetPath"))
		}
		layers = append(layers, layer)
	}
	values, err := r.Limits.MergeValues(append(layers, render.FromValues(r.Values))...)
	if err != nil {
		err = withoutSecrets(redactorOf(secrets...), err)
	}
	return values, secrets, err
}

func (e *Engine) getValuesFrom(ctx context.Context, o diff.Object) (*unstructured.Unstructured, error) {
	m, err := e.cluster.Mapping(ctx, schema.GroupVersionKind{Version: o.Version, Kind: o.Kind}, time.Now())
	if err != nil {
		return nil, err
	}
	return e.cluster.Resource(m, o.Namespace).Get(ctx, o.Name, metav1.GetOptions{})
}

// dataOf is the text of a key of a ConfigMap or Secret.
func dataOf(u *unstructured.Unstructured, key string) (text string, ok bool, err error) {
	text, ok, err = unstructured.NestedString(u.Object, "data", key)
	if err != nil || !ok || u.GetKind() != "Secret" {
		return text, ok, err
	}
	plain, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		err = errors.New("its data is not base64")
	}
	return string(plain), true, err
}

// layer is the text as values.
func (f ValuesFrom) layer(text string) (render.Layer, error) {
	if f.TargetPath == "" {
		return render.FromYAML(f.String(), []byte(text)), nil
	}
	values, err := render.MergeValues(render.FromSetString(f.TargetPath + "=" + setText.Replace(text)))
	return render.FromMap(f.String(), values.Map()), err
}

func (f ValuesFrom) validate(field string) error {
	if err := oneOf(field+".Kind", f.Kind, "ConfigMap", "Secret"); err != nil {
		return err
	}
	if f.Name == "" {
		return invalid(field+".Name", "is empty; name the %s", f.Kind)
	}
	if !isOnePath(f.TargetPath) {
		return invalid(field+".TargetPath", `is %q; accepted is the path of one value, as for helm --set: a.b; write \= and \, in a name`, f.TargetPath)
	}
	return nil
}
