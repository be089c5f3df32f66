package render

import "io/fs"

// Kustomization is a kustomization as a source of its own. It is immutable and safe for concurrent use.
type Kustomization struct {
	dir   string
	files fs.FS
}

// Manifests are plain manifests as a source of their own. They are immutable and safe for concurrent use.
type Manifests struct {
	objects []Object
}
