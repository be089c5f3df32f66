// Package progress shows people what an engine does.
//
//	view := progress.New(os.Stdout, progress.Options{})
//	eng, err := engine.New(cfg, engine.Options{OnEvent: view.OnEvent})
//
// On a terminal it is a live tree: a line for each call at work with a spinner,
// what is done and the time; under it a bar for each object that is waited for,
// and under that the pods that are in trouble. What is done folds into the
// counts, and what matters later (failures, warnings, the outcome) is printed
// above and stays. Between calls nothing is drawn, so that a program may print
// what it likes.
//
// Elsewhere it is a line for each event. In the logs of GitHub Actions and
// GitLab CI the lines of each call are a group that folds, and failures are
// annotations where that exists.
//
// Names and messages come from clusters and charts, which may be hostile:
// characters that control terminals, change the direction of text or are
// commands of a CI system are left out or made harmless.
package progress
