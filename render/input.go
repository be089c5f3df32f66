package render

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"time"

	"github.com/fairlead-dev/fairlead/internal/clean"
)

// Input is what a render depends on, apart from the chart. The same input gives
// the same manifest, if it has a Seed and a time for the templates that use them.
type Input struct {
	// Name of the release: a DNS subdomain of at most 53 characters, as in Helm.
	Name string
	// Namespace of the release. Empty means "default".
	Namespace string
	// Revision is .Release.Revision. Zero means 1.
	Revision int
	// Upgrade makes .Release.IsUpgrade true and .Release.IsInstall false.
	Upgrade bool
	// Values over the chart's own. Zero means the chart's own defaults.
	Values Values
	// ChartValues take the place of the chart's own values, as those of the stored
	// chart do with helm upgrade --reuse-values; the subcharts keep theirs. Nil:
	// the chart's own.
	ChartValues *Values
	// Capabilities of the cluster. Nil means the defaults: see [Capabilities].
	Capabilities *Capabilities
	// Seed makes the random functions of templates deterministic. Zero: they are
	// random, and no two renders draw the same.
	Seed Seed
	// Now is the time for the functions now, date, ago and others of dates and, with
	// a Seed, for certificates; local dates are then in UTC. Zero: the clock, read by each call,
	// and the zone of the program.
	Now time.Time
	// Lookup serves the template function lookup. Nil means that it returns
	// empty, as in helm template.
	Lookup LookupFunc
	// PostRender changes the rendered objects, in this order.
	PostRender []PostRenderer
	// PostRenderScope says what they are given. Empty: the objects, without hooks and
	// CRDs, as in Helm 3.
	PostRenderScope PostRenderScope
	// Limits on this render. Zero means safe limits.
	Limits Limits
	// Share is the tenant's share of a [Budget], of which the render takes its
	// memory. Nil: it takes what Limits allow and waits for nothing.
	Share *Share
	// Helm is the version of Helm whose rules a template sees where they differ.
	// Empty: [Helm3].
	Helm HelmVersion
	// Strict makes a missing value an error, as helm lint --strict does.
	Strict bool
	// DeferCRDs leaves the definitions of the folders crds/ out of [Manifest].CRDs;
	// [Manifest.DecodeCRDs] has them, decoded when it is called. Their YAML is checked
	// all the same. Sources other than a [Chart] may ignore it. False: all are decoded.
	DeferCRDs bool
	// SkipSchema leaves out the check of the values against values.schema.json.
	SkipSchema bool
	// SchemaLoader loads what values.schema.json refers to outside of the chart,
	// by the URL of the reference: http, https, urn or any other scheme. It is
	// called by each render that checks such a schema and may keep what it has
	// loaded. Nil: nothing is loaded, and such a reference is a [*RemoteError].
	SchemaLoader func(ctx context.Context, url string) ([]byte, error)
}

// String returns the release without its values.
func (in Input) String() string {
	return clean.Line(fmt.Sprintf("release %s/%s, revision %d, %s", in.Namespace, in.Name, in.Revision, in.Values))
}

// GoString returns [Input.String].
func (in Input) GoString() string { return "render.Input{ " + in.String() + " }" }

// Format writes [Input.String] for every verb.
func (in Input) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, in.String()) }

// MarshalJSON writes the release without its values, for logs: an input is not
// stored.
func (in Input) MarshalJSON() ([]byte, error) {
	return json.Marshal(map[string]any{
		"name": in.Name, "namespace": in.Namespace, "revision": in.Revision, "upgrade": in.Upgrade, "values": in.Values.String(),
	})
}

// layers are the values with the origins of all that the caller gives.
func (in Input) layers() Values {
	if in.ChartValues == nil {
		return in.Values
	}
	return in.Values.Over(*in.ChartValues)
}

// LookupFunc serves the template function lookup: one object, or with an
// empty name a list object of all in the namespace (in all namespaces if that
// is empty too). What does not exist is a nil map and no error. It is called
// from the goroutine that renders.
type LookupFunc func(ctx context.Context, apiVersion, kind, namespace, name string) (map[string]any, error)

// PostRenderer changes objects between rendering and what follows. It is given
// the objects in install order, and hooks and CRDs if [Input].PostRenderScope says
// so, and must not change them in place: it returns new ones. A returned object whose
// Text is empty is printed from its content; duplicates are refused, and the
// install order is made again.
type PostRenderer interface {
	PostRender(ctx context.Context, objects []Object) ([]Object, error)
}

// PostRenderFunc makes a [PostRenderer] of a function.
type PostRenderFunc func(ctx context.Context, objects []Object) ([]Object, error)

// PostRender calls the function.
func (f PostRenderFunc) PostRender(ctx context.Context, objects []Object) ([]Object, error) {
	return f(ctx, objects)
}
