// Package render turns a chart and values into Kubernetes objects.
package render
