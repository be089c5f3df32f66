package engine

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/fairlead-dev/fairlead/diff"
)

// hidesElsewhere finds a hidden value that could be more than a value. Without
// digests of what a plan hides it can be another one when the plan is applied.
// That is harmless in the places where secrets belong: the data of Secrets and
// ConfigMaps, environment variables, annotations. Anywhere else, such as in an
// image or a command, it would be something that no one has reviewed.
func hidesElsewhere(o diff.Object, fields []diff.Field) (path string, found bool) {
	for _, f := range fields {
		if !f.Secret {
			continue
		}
		path := withoutHashes(f.Path)
		if strings.Contains(path, "[secret]") {
			return path, true
		}
		plain := quoted.ReplaceAllString(path, `""`)
		if isData(o, plain) || annotationPath.MatchString(plain) || variablePath.MatchString(plain) && strings.HasSuffix(plain, ".value") {
			continue
		}
		root := plain[strings.LastIndexByte(plain, '.')+1:]
		if variablePath.MatchString(plain) {
			root = "env"
		}
		for _, v := range []any{f.Live, f.Desired} {
			if hidesIn(v, root, "") {
				return path, true
			}
		}
	}
	return "", false
}

var (
	quoted         = regexp.MustCompile(`"(\\.|[^"\\])*"`)
	annotationPath = regexp.MustCompile(`(^|\.)metadata\.annotations($|[.\[])`)
	variablePath   = regexp.MustCompile(`\.env\[[^\]]*\](\.value)?$`)
)

func isData(o diff.Object, path string) bool {
	if o.Group != "" || o.Kind != "Secret" && o.Kind != "ConfigMap" {
		return false
	}
	return isWithin(path, "data") || isWithin(path, "stringData") || isWithin(path, "binaryData")
}

// hidesIn reports whether a value holds placeholders elsewhere than in
// annotations and in the values of environment variables. It is that of the
// field key, within the field outer.
func hidesIn(v any, key, outer string) bool {
	switch v := v.(type) {
	case string:
		return strings.Contains(withoutHashes(v), "[secret]") && (key != "value" || outer != "env")
	case []any:
		for _, e := range v {
			if hidesIn(e, key, outer) {
				return true
			}
		}
	case map[string]any:
		for k, e := range v {
			if strings.Contains(withoutHashes(k), "[secret]") || (k != "annotations" || key != "metadata") && hidesIn(e, k, key) {
				return true
			}
		}
	}
	return false
}

func hiddenError(k Key, o diff.Object, path string) error {
	return &Error{
		Op: "apply", Key: k, Object: o, Hint: "set Options.PlanKey where the plan is made and where it is applied",
		Err: fmt.Errorf("%w: the plan hides %s, and has no key for digests", ErrPlanDigest, path),
	}
}

// digestKeyError says that the digests of a plan are keyed otherwise than they
// would be now.
func digestKeyError(k Key, was, is DigestKey) error {
	hint := "make the plan again"
	if was == KeyedByOptions || is == KeyedByOptions {
		hint = "set the same Options.PlanKey where the plan is made and where it is applied"
	}
	shown := func(by DigestKey) string {
		switch by {
		case KeyedByOptions, KeyedByRevision:
			return "keyed by " + string(by)
		}
		return "without a key"
	}
	return &Error{Op: "apply", Key: k, Hint: hint, Err: fmt.Errorf("%w: they are %s, and would be %s now", ErrPlanDigest, shown(was), shown(is))}
}
