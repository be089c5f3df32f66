// Package render turns charts and values into manifests.
package render
