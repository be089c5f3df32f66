package kustomize

import (
	"net/url"
	"path"
	"regexp"
	"strings"
)

// remotePattern is what kustomize takes for a repository, in lower case: a
// scheme, a user in front of a host, or GitHub.
var remotePattern = regexp.MustCompile(`^(git::)?([a-z][a-z0-9+.-]*://|[a-z][a-z0-9-]*@|(www\.)?github\.com[/:])`)

// isRemote knows what kustomize would fetch. It is lower-cased and parsed by the
// same functions as kustomize does, which know letters that fold to ASCII.
func isRemote(ref string) bool { return remotePattern.MatchString(strings.ToLower(ref)) || isWeb(ref) }

func isWeb(ref string) bool {
	u, err := url.Parse(ref)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https")
}

// place is where references are looked at.
type place struct {
	file string // that holds them
	dir  string // that they are relative to
	root string // the folder that they must not leave: "." or that of a remote
}

// local gives what a reference means, as a path from the root of all files, and
// as kustomize is to see it: relative and with a dot in front, so that it never
// looks like a URL.
func (w *walk) local(at place, ref string) (name, relative string, err error) {
	if isRemote(ref) {
		name, err := w.load(at, ref)
		if err != nil {
			return "", "", err
		}
		up := "./"
		if at.dir != "." {
			up = strings.Repeat("../", strings.Count(at.dir, "/")+1)
		}
		return name, up + name, nil
	}
	const hint = "refer to a file or folder in the file system, relative to the kustomization"
	if path.IsAbs(ref) || ref == "" {
		return "", "", refusal(at.file, hint, "the reference %q is not a relative path", ref)
	}
	name = path.Join(at.dir, ref)
	if !within(name, at.root) {
		return "", "", refusal(at.file, hint, "the reference %q leads out of the file system", ref)
	}
	if _, ok := w.files[name]; !ok && !w.dirs[name] {
		return "", "", refusal(at.file, hint, "the reference %q leads to nothing", ref)
	}
	relative = path.Clean(ref)
	if relative != ".." && !strings.HasPrefix(relative, "../") {
		relative = "./" + relative
	}
	return name, relative, nil
}

// within says that a clean relative path stays in a folder.
func within(name, root string) bool {
	if name == ".." || strings.HasPrefix(name, "../") {
		return false
	}
	return root == "." || name == root || strings.HasPrefix(name, root+"/")
}

// mounts is the folder for what is loaded from elsewhere. Its name begins with a
// dot, as none of the caller's does.
const mounts = ".remote"
