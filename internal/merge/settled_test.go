package merge

import (
	"slices"
	"testing"
)

func TestSettled(t *testing.T) {
	const live = `apiVersion: example.com/v1
kind: Thing
metadata:
  name: x
  namespace: shop
  uid: u
  labels: {a: "1", theirs: "2"}
  managedFields:
  - manager: fairlead
    operation: Apply
    apiVersion: example.com/v1
    fieldsV1:
      "f:metadata": {"f:labels": {"f:a": {}}}
      "f:spec": {"f:whole": {}, "f:none": {}, "f:size": {}, "f:ports": {'k:{"port":80,"protocol":"TCP"}': {".": {}, "f:port": {}}, 'k:{"port":81,"protocol":"TCP"}': {".": {}, "f:port": {}, "f:name": {}}}}
  - {manager: edit, operation: Update, apiVersion: example.com/v1, fieldsV1: {"f:metadata": {"f:labels": {"f:theirs": {}}}}}
  - {manager: was, operation: Update, apiVersion: example.com/v1, subresource: status, fieldsV1: {"f:status": {}}}
spec: {size: 3, default: 1, none: {}, whole: [{a: x}], ports: [{port: 80, protocol: TCP}, {port: 81, protocol: TCP, name: b}]}
status: {ready: true}
`
	const ports = "ports: [{port: 80}, {port: 81, name: b}]"
	for name, tc := range map[string]struct {
		labels, spec string
		former       []string
		want         bool
	}{
		"all the same":                {spec: "{size: 3, none: {}, whole: [{a: x}], " + ports + "}", want: true},
		"a former manager of status":  {spec: "{size: 3, none: {}, whole: [{a: x}], " + ports + "}", former: []string{"was"}, want: true},
		"a former manager has fields": {spec: "{size: 3, none: {}, whole: [{a: x}], " + ports + "}", former: []string{"edit"}},
		"another value":               {spec: "{size: 4, none: {}, whole: [{a: x}], " + ports + "}"},
		"a field less":                {spec: "{none: {}, whole: [{a: x}], " + ports + "}"},
		"a field more":                {spec: "{size: 3, default: 1, none: {}, whole: [{a: x}], " + ports + "}"},
		"a null":                      {spec: "{size: null, none: {}, whole: [{a: x}], " + ports + "}"},
		"another whole":               {spec: "{size: 3, none: {}, whole: [{a: x}, {a: y}], " + ports + "}"},
		"something in nothing":        {spec: "{size: 3, none: {a: 1}, whole: [{a: x}], " + ports + "}"},
		"an item less":                {spec: "{size: 3, none: {}, whole: [{a: x}], ports: [{port: 80}]}"},
		"an item more":                {spec: "{size: 3, none: {}, whole: [{a: x}], ports: [{port: 80}, {port: 81, name: b}, {port: 82}]}"},
		"another order":               {spec: "{size: 3, none: {}, whole: [{a: x}], ports: [{port: 81, name: b}, {port: 80}]}"},
		"another item":                {spec: "{size: 3, none: {}, whole: [{a: x}], ports: [{port: 80, protocol: UDP}, {port: 81, name: b}]}"},
		"another name in an item":     {spec: "{size: 3, none: {}, whole: [{a: x}], ports: [{port: 80}, {port: 81, name: c}]}"},
		"a default of an item":        {spec: "{size: 3, none: {}, whole: [{a: x}], ports: [{port: 80, protocol: TCP}, {port: 81, name: b}]}"},
		"another's label":             {labels: `, theirs: "2"`, spec: "{size: 3, none: {}, whole: [{a: x}], " + ports + "}"},
		"not an object":               {spec: "3"},
		"no spec":                     {spec: "null"},
	} {
		desired := parse(t, "apiVersion: example.com/v1\nkind: Thing\nmetadata: {name: x, namespace: shop, labels: {a: \"1\""+tc.labels+"}}\nspec: "+tc.spec+"\n")
		if got := Settled(parse(t, live), desired, "fairlead", func(e map[string]any) bool { return slices.Contains(tc.former, e["manager"].(string)) }); got != tc.want {
			t.Errorf("%s: settled is %t", name, got)
		}
		if Settled(parse(t, live), desired, "other", func(map[string]any) bool { return false }) {
			t.Errorf("%s: settled for a manager that owns nothing", name)
		}
	}
}
