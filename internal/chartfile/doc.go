// Package chartfile holds what the renderer takes from Helm's own packages:
// what a chart's files mean, which of its subcharts a release has, how its
// values combine, and what --set expressions say. It is the one place to change
// when Helm's packages are left behind.
//
// Nothing here is written to after loading, so a [Chart] is shared freely: what
// depends on the values of one render is an [Instance], made of the chart and
// sharing what it can.
package chartfile
