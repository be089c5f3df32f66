// Package diff says what would change in Kubernetes objects, field by field,
// and why.
package diff
