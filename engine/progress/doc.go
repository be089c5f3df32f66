// Package progress displays the events of an engine.
//
//	view := progress.New(os.Stdout, progress.Options{})
//	eng, err := engine.New(cfg, engine.Options{OnEvent: view.OnEvent})
//
// On a terminal it is a live tree: a line for each running operation with a
// spinner, its counts and the elapsed time; below it a bar for each object that
// is not ready, and below that its pods in trouble. Ready objects are only
// counted; failures, warnings and the result are printed above the tree and
// stay. Between operations nothing is drawn, so that a program can print its own
// output.
//
// Of a stack (package stack) it is a tree of releases: those in progress with their
// objects, those that wait, and a count of those that are done.
//
// Elsewhere it is a line for each event. In the logs of GitHub Actions and
// GitLab CI the lines of each operation are a collapsible group, and failures
// are annotations where these are supported.
//
// Names and messages from clusters and charts are not trusted: characters that
// control terminals, change the direction of text or are commands of a CI system
// are removed or escaped.
package progress
