package stack

import (
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/fairlead-dev/fairlead/engine"
)

// Every text of a status that repeats what a cluster or a chart says is hidden, so that
// a field that is added is hidden, too, or listed here. The status that is given stays
// as it is.
func TestEveryTextOfAStatusIsHidden(t *testing.T) {
	const secret = "correct-horse-battery"
	shown := []string{ // names, Kubernetes' words, and what was hidden when it was recorded
		"Revision.Key.Namespace", "Revision.Key.Name", "Revision.Status", "Revision.Chart", "Revision.AppVersion",
		"Revision.Cause", "Revision.Description", "Revision.Broken",
		"Objects.Object.Group", "Objects.Object.Version", "Objects.Object.Kind", "Objects.Object.Namespace", "Objects.Object.Name",
		"Objects.State", "Objects.Cause",
		"Objects.Pods.Name", "Objects.Pods.Node", "Objects.Pods.Phase", "Objects.Pods.Container", "Objects.Pods.Cause",
		"Objects.Events.Object",
	}
	var given engine.Status
	texts(reflect.ValueOf(&given).Elem(), "", func(_ string, v reflect.Value) { v.SetString("it is " + secret) })
	out := hideStatus(&given, redactorOf(secretOf(secret)))
	hidden := 0
	texts(reflect.ValueOf(out).Elem(), "", func(path string, v reflect.Value) {
		switch shows := strings.Contains(v.String(), secret); {
		case shows && !slices.Contains(shown, path):
			t.Errorf("%s shows the secret", path)
		case !shows:
			hidden++
		}
	})
	texts(reflect.ValueOf(&given).Elem(), "", func(path string, v reflect.Value) {
		if !strings.Contains(v.String(), secret) {
			t.Errorf("%s of the status that was given is changed", path)
		}
	})
	if hidden < 10 {
		t.Errorf("only %d texts are hidden", hidden)
	}
}

// texts calls do for the texts of a value, with the names of the fields that lead to
// each. It gives slices that are empty an item.
func texts(v reflect.Value, path string, do func(path string, text reflect.Value)) {
	switch v.Kind() {
	case reflect.String:
		do(strings.TrimPrefix(path, "."), v)
	case reflect.Slice:
		if v.Len() == 0 {
			v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		}
		for i := range v.Len() {
			texts(v.Index(i), path, do)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if f := v.Type().Field(i); f.IsExported() {
				texts(v.Field(i), path+"."+f.Name, do)
			}
		}
	}
}
