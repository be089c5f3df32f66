package engine

// CRDPolicy decides what happens to CustomResourceDefinitions that exist. Those
// that do not are created. CRDs of a chart's crds/ directory belong to the
// cluster: no policy deletes them, and those that belong to another release, or
// fields of theirs that another manager owns, are left alone.
type CRDPolicy string

const (
	// CRDsCompatible changes them unless something is removed that is in use:
	// a version in which objects are stored, or a field that objects set. That
	// is a problem of the plan. The default.
	CRDsCompatible CRDPolicy = ""
	// CRDsCreate leaves those of crds/ as they are once they exist, as Helm
	// does. Those of templates change as with CRDsCompatible.
	CRDsCreate CRDPolicy = "Create"
	// CRDsUnsafeAll changes them whatever that removes, as far as the API
	// server allows: what objects set in fields that are removed is lost.
	CRDsUnsafeAll CRDPolicy = "UnsafeAll"
	// CRDsSkip ignores those of crds/, which are installed by other means.
	// Those of templates change as with CRDsCompatible.
	CRDsSkip CRDPolicy = "Skip"
)
