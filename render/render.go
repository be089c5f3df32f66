package render

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/fairlead-dev/fairlead/internal/account"
	"github.com/fairlead-dev/fairlead/internal/chartfile"
)

func (c *Chart) render(ctx context.Context, in Input) (*Manifest, error) {
	in, err := in.checked()
	if err != nil {
		return nil, err
	}
	if c == nil || c.parsed == nil {
		return nil, &Error{Op: "render", Err: errors.New("no chart"), Hint: "load one with LoadFS or LoadArchive"}
	}
	ctx, release, err := in.reserve(ctx)
	if err != nil {
		return nil, &Error{Op: "render", Chart: c.info.Name, Err: err, Hint: budgetHint(err)}
	}
	defer release()
	ctx, cancel := withTime(ctx, in.Limits)
	defer cancel()
	spent := in.Limits.account(ctx)
	m, instance, err := c.renderFiles(ctx, spent, in)
	if err != nil {
		return nil, err
	}
	rest := make(map[string]string, len(m.Files))
	for name, text := range m.Files {
		if !strings.HasSuffix(name, notesName) {
			rest[name] = text
		} else if name == path.Join(c.info.Name, "templates", notesName) {
			m.Notes = text
		}
	}
	parsing := newParsing(ctx, in.Limits, spent)
	if err := m.parse(parsing, rest, in); err != nil {
		return nil, c.place(err, instance)
	}
	for _, crd := range instance.CRDs() {
		if err := c.addCRDs(m, parsing, crd); err != nil {
			return nil, err
		}
	}
	if !in.DeferCRDs {
		m.CRDs, m.crds = objectsOf(m.crds), nil
	} else {
		m.CRDs = objectsOf(slices.DeleteFunc(slices.Clone(m.crds), func(c crd) bool { return c.deferred }))
	}
	if err := m.postRender(ctx, in.PostRenderScope, in.PostRender); err != nil {
		return nil, err
	}
	return m, nil
}

const notesName = "NOTES.txt"

// renderFiles does what Helm's engine does, and what comes before it.
func (c *Chart) renderFiles(ctx context.Context, spent *account.Account, in Input) (*Manifest, *chartfile.Instance, error) {
	if err := c.parsed.CheckInstallable(); err != nil {
		return nil, nil, c.renderError(err)
	}
	meter := in.Limits.meter(ctx, spent)
	var instance *chartfile.Instance
	var err error
	if in.ChartValues == nil {
		instance, err = c.parsed.Instance(in.Values.merged(), in.Helm.rules(), meter)
	} else {
		instance, err = c.parsed.InstanceOver(in.ChartValues.Map(), in.Values.merged(), in.Helm.rules(), meter)
	}
	if err != nil {
		return nil, nil, c.valuesError(err)
	}
	defer c.readAhead(ctx, instance.CRDs())()
	values, err := instance.Coalesce(in.Values.merged(), meter)
	if err != nil {
		return nil, nil, c.valuesError(err)
	}
	if !in.SkipSchema {
		if err := c.checkSchema(instance, values, in, meter); err != nil {
			return nil, nil, err
		}
	}
	given := Capabilities{}
	if in.Capabilities != nil {
		given = *in.Capabilities
	}
	caps, err := chartfile.NewCapabilities(given.KubeVersion.Version, given.KubeVersion.Major, given.KubeVersion.Minor, given.APIVersions, given.HelmVersion)
	if err != nil {
		return nil, nil, &Error{Op: "render", Chart: c.info.Name, Err: err, Hint: `give a version such as "v1.37.0" in Input.Capabilities`}
	}
	if version := caps.KubeVersion.Version; !chartfile.FitsKube(c.info.KubeVersion, version) {
		return nil, nil, &Error{
			Op: "render", Chart: c.info.Name, File: c.info.Name + "/Chart.yaml",
			Err:  fmt.Errorf("chart requires kubeVersion: %s which is incompatible with Kubernetes %s", c.info.KubeVersion, version),
			Hint: "use a chart version that supports this cluster",
		}
	}
	release := chartfile.Release{Name: in.Name, Namespace: in.Namespace, Revision: in.Revision, Upgrade: in.Upgrade}
	files, err := c.execute(ctx, spent, instance, instance.Data(values, release, caps), in)
	if err != nil {
		return nil, nil, err
	}
	return &Manifest{
		Files: files, Chart: c.Info(), Name: in.Name, Namespace: in.Namespace, Values: in.Values,
		Capabilities: Capabilities{
			KubeVersion: KubeVersion{caps.KubeVersion.Version, caps.KubeVersion.Major, caps.KubeVersion.Minor},
			APIVersions: caps.APIVersions, HelmVersion: caps.HelmVersion.Version,
		},
	}, instance, nil
}

// place adds the chart and the template's line to an error of a document.
func (c *Chart) place(err error, instance *chartfile.Instance) error {
	var e *Error
	if !errors.As(err, &e) {
		return err
	}
	if e.Chart == "" {
		e.Chart = chartOf(e.File, c.info.Name)
	}
	if e.printed == "" {
		return err
	}
	for _, source := range instance.Sources() {
		if source.Name == e.File {
			e.Line = templateLine(source.Text, e.printed)
		}
	}
	return err
}

func (c *Chart) renderError(err error) error {
	var of *chartfile.Error
	if errors.As(err, &of) {
		chart := cmp.Or(of.Chart, c.info.Name)
		e := &Error{Op: "render", Chart: chart, File: path.Join(chart, of.File), Hint: of.Hint, Err: of.Err}
		var ref *chartfile.RefError
		if errors.As(err, &ref) {
			e.Err = &RemoteError{File: e.File, Ref: ref.URL, Err: ref.Err}
		}
		return e
	}
	return &Error{Op: "render", Chart: c.info.Name, Err: err}
}

var mismatch = regexp.MustCompile(`^type mismatch on (\S+):`)

// limitError returns the error of a limit that the chart has exceeded, or of a
// context that has ended; nil for any other.
func (c *Chart) limitError(err error) *Error {
	e := &Error{Op: "render", Chart: c.info.Name, Err: err}
	var inner *chartfile.LimitError
	var own *LimitError
	switch {
	case errors.As(err, &inner):
		own = &LimitError{Limit: inner.Limit, Max: inner.Max, Subject: inner.Subject}
		e.Err = own
	case errors.As(err, &own):
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return e
	default:
		return nil
	}
	e.Hint = limitHint(own.Limit)
	return e
}

// valuesError returns an error of combining values with the charts' own.
func (c *Chart) valuesError(err error) error {
	if e := c.limitError(err); e != nil {
		return e
	}
	e := &Error{Op: "render", Chart: c.info.Name, Err: err, Hint: "look at the values"}
	if m := mismatch.FindStringSubmatch(err.Error()); m != nil {
		e.Path = m[1]
		e.Err = fmt.Errorf("the values of subchart %s must be a mapping: %w", m[1], err)
		e.Hint = "give a mapping there, or leave it out"
	}
	return e
}

var releaseName = regexp.MustCompile(`^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$`)

const maxReleaseName = 53

// checked refuses names that Kubernetes would, and fills in what is empty.
func (in Input) checked() (Input, error) {
	refused := func(format string, args ...any) (Input, error) {
		return in, &Error{Op: "render", Err: fmt.Errorf(format, args...), Hint: "use lower case letters, digits and dashes, beginning and ending with a letter or digit"}
	}
	switch {
	case in.Name == "":
		return refused("the release has no name")
	case len(in.Name) > maxReleaseName:
		return refused("the release name %q has %d characters, Helm allows %d", in.Name, len(in.Name), maxReleaseName)
	case !releaseName.MatchString(in.Name):
		return refused("the release name %q is no DNS subdomain", in.Name)
	}
	if in.Namespace == "" {
		in.Namespace = "default"
	}
	if len(in.Namespace) > 63 || strings.Contains(in.Namespace, ".") || !releaseName.MatchString(in.Namespace) {
		return refused("the namespace %q is no DNS label", in.Namespace)
	}
	if err := in.Helm.validate(); err != nil {
		return in, &Error{Op: "render", Err: err}
	}
	if in.Revision == 0 {
		in.Revision = 1
	}
	in.Limits = in.Limits.WithDefaults()
	return in, nil
}

func withTime(ctx context.Context, limits Limits) (context.Context, context.CancelFunc) {
	cause := &LimitError{Limit: "Time", Max: int64(limits.Time)}
	return context.WithTimeoutCause(ctx, limits.Time, cause)
}
