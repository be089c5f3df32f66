// Package helm holds no code, only tests: what the engine deploys, Helm 3 and
// Helm 4 list, read, roll back, upgrade and uninstall through their own action
// packages, and the other way round, on the test cluster. It is a module of
// its own because of Helm 4.
package helm
