package diff

// Schema defines how the fields of an object merge. Node is called with the path
// of a list, map or scalar, where list items are "[]": the image of a container
// is spec, template, spec, containers, [], image.
//
// Implementations must be safe for concurrent use and must not keep path.
type Schema interface {
	Node(o Object, path []string) Node
}

// Node is how a [Schema] treats a value. The zero Node is a struct or map
// merged by field, a list replaced as a whole, a scalar compared by value.
type Node struct {
	// Keys are the fields that identify the items of a list, which is then
	// merged item by item.
	Keys []string
	// Defaults are the values of Keys that may be missing in an item.
	Defaults map[string]any
	// Set is true for a list of scalars merged by value.
	Set bool
	// Atomic is true for a map that is replaced as a whole.
	Atomic bool
	// Free is true for a map whose keys are data and not field names; an empty
	// one equals an absent one.
	Free bool
	// Quantity is true for a scalar compared as a resource quantity: 1000m equals 1.
	Quantity bool
}
