// Package helm only contains tests, on the test cluster: Helm 3 and Helm 4 list,
// read, roll back, upgrade and uninstall releases of the engine through their own
// action packages, and the other way round. It is a separate module because of
// Helm 4.
package helm
