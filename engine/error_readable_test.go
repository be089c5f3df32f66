package engine

import (
	"strings"
	"testing"
)

func TestReadable(t *testing.T) {
	for name, c := range map[string]struct {
		text   string
		secret bool
		want   string
		hint   string // a part of it
	}{
		"a number for a string": {
			text: `failed to create typed patch object (shop/web; apps/v1, Kind=Deployment): .spec.a[name="b"].c: expected string, got &value.valueUnstructured{Value:1}`,
			want: `spec.a[name="b"].c: expected a string, got the number 1`, hint: "in quotes",
		},
		"several": {
			text: "errors:\n  .data.a: expected string, got &value.valueUnstructured{Value:true}\n  .spec.b: field not declared in schema",
			want: "data.a: expected a string, got the boolean true; spec.b: field not declared in schema", hint: "in quotes",
		},
		"a secret": {
			text: ".data.a: expected string, got &value.valueUnstructured{Value:12345}", secret: true,
			want: "data.a: expected a string, got a number", hint: "in quotes",
		},
		"a secret mapping": {
			text: `.data.a: expected string, got &value.valueUnstructured{Value:map[string]interface {}{"pass":"word"}}`, secret: true,
			want: "data.a: expected a string, got a mapping",
		},
		"a list in a list": {text: ".a: expected map, got &{[[]]}", want: "a: expected a mapping, got a list"},
		"null":             {text: ".a: expected map, got nil", want: "a: expected a mapping, got null"},
		"a decoder's": {
			text: `Job in version "v1" cannot be handled as a Job: json: cannot unmarshal bool into Go struct field EnvVar.spec.template.spec.containers.env.value of type string`,
			want: "spec.template.spec.containers.env.value: expected a string, got a boolean", hint: "in quotes",
		},
		"a number in quotes": {
			text: ".spec.replicas: expected numeric (int or float), got string",
			want: "spec.replicas: expected a number, got a string", hint: "without quotes",
		},
		"an object without a name": {
			text: `Job.batch "" is invalid: spec.template: Required value`, want: "spec.template: Required value",
		},
		"a value in Go's notation": {
			text: `Deployment.apps "web" is invalid: spec.selector: Invalid value: v1.LabelSelector{MatchLabels:map[string]string{"app":"b}"}, MatchExpressions:[]v1.LabelSelectorRequirement(nil)}: field is immutable`,
			want: `Deployment.apps "web" is invalid: spec.selector: field is immutable`,
		},
		"a pointer": {
			text: `x: Invalid value: &v1.X{A:1}: no`, want: "x: no",
		},
		"a difference of structs": {
			text: "Pod \"p\" is invalid: spec: Forbidden: pod updates may not change fields other than `a`,`b`\n  core.PodSpec{\n- \tA: \"}\",\n+ \tA: \"2\",\n  }\n",
			want: "Pod \"p\" is invalid: spec: Forbidden: pod updates may not change fields other than `a`,`b`",
		},
		"a unified difference": {
			text: "[spec.persistentvolumesource: Forbidden: is immutable after creation\n@@ -2,7 +2,7 @@\n {\n- \"A\": 1\n+ \"A\": 2\n }\n, spec.volumeMode: Invalid value: \"Block\": field is immutable]",
			want: "[spec.persistentvolumesource: Forbidden: is immutable after creation\n, spec.volumeMode: Invalid value: \"Block\": field is immutable]",
		},
		"JSON of Go's names": {
			text: `nodeAffinity: Invalid value: {"Required":{"A":[{"B":"}"}]}}: field is immutable`, want: "nodeAffinity: field is immutable",
		},
		"JSON stays": {
			text: `spec.selector: Invalid value: {"matchLabels":{"a":"b"}}: field is immutable`, want: `spec.selector: Invalid value: {"matchLabels":{"a":"b"}}: field is immutable`,
		},
		"a quota": {
			text: `pods "a" is forbidden: exceeded quota: small, requested: pods=1, used: pods=1, limited: pods=1`,
			want: `pods "a" is forbidden: exceeded quota: small, requested: pods=1, used: pods=1, limited: pods=1`, hint: "raise the quota",
		},
		"a quota of what is not set": {
			text: `pods "a" is forbidden: failed quota: small: must specify limits.cpu for: web`,
			want: `pods "a" is forbidden: failed quota: small: must specify limits.cpu for: web`, hint: "set the requests and limits",
		},
		"a webhook that does not respond": {
			text: `Internal error occurred: failed calling webhook "a.example.com": Post "https://a": connection refused`,
			want: `Internal error occurred: failed calling webhook "a.example.com": Post "https://a": connection refused`, hint: "get webhook a.example.com running",
		},
		"a webhook": {
			text: `admission webhook "a.example.com" denied the request: no`, want: `admission webhook "a.example.com" denied the request: no`,
			hint: "admission webhook a.example.com refuses",
		},
		"a mutating policy": {
			text: `policy 'a' with binding 'b' denied request: no`, want: `policy 'a' with binding 'b' denied request: no`, hint: "admission policy a refuses",
		},
		"an unknown field": {
			text: `Job in version "v1" cannot be handled as a Job: strict decoding error: unknown field "spec.a"`,
			want: `strict decoding error: unknown field "spec.a"`, hint: "FieldValidation",
		},
		"nothing to change": {text: "it is being deleted", want: "it is being deleted"},
		"nothing":           {},
		"an open brace":     {text: "a v1.X{", want: "a …"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := readable(c.text, c.secret); got != c.want {
				t.Errorf("%q, want %q", got, c.want)
			}
			if got := refusalHint(c.text); !strings.Contains(got, c.hint) || c.hint == "" && got != "" {
				t.Errorf("hint is %q, want %q", got, c.hint)
			}
		})
	}
}

func TestWithoutMisfits(t *testing.T) {
	web := map[string]any{"name": "web", "imagee": "x", "env": []any{
		map[string]any{"name": "A", "value": "1"}, map[string]any{"name": "B"}, map[string]any{"name": "A", "value": "2"},
	}}
	object := map[string]any{"spec": map[string]any{"a.b/c": "x", "replicants": int64(1), "list": []any{map[string]any{"x": "y", "z": "z"}}, "containers": []any{web}}}
	for path, want := range map[string]bool{
		".spec.replicants": true, ".spec.a.b/c": true, `.spec.containers[name="web"].imagee`: true,
		`.spec.containers[name="web"].env[name="A"]`: true, `.spec.containers[name="other"].image`: false, ".spec.nothing": false, ".spec.list[0].x": true, "": false, "[": false,
	} {
		if got := removeAt(object, path); got != want {
			t.Errorf("%s: %v", path, got)
		}
	}
	spec := object["spec"].(map[string]any)
	env := web["env"].([]any)
	if len(spec) != 2 || web["imagee"] != nil || len(env) != 2 || env[1].(map[string]any)["value"] != "2" || len(spec["list"].([]any)[0].(map[string]any)) != 1 {
		t.Errorf("left is %v", object)
	}
}
