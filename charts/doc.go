// Package charts is where charts come from.
package charts
