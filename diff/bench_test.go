package diff

import (
	"math/rand/v2"
	"testing"
)

func BenchmarkCompareUnchanged(b *testing.B) {
	x := gen{rand.New(rand.NewPCG(4, 7))}.object()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Compare(Input{Base: x, Live: x, Desired: x, Merged: x, Manager: "fairlead"}, Options{}); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkCompareChanged(b *testing.B) {
	g := gen{rand.New(rand.NewPCG(4, 7))}
	in := Input{Base: g.object(), Live: g.object(), Desired: g.object(), Manager: "fairlead"}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Compare(in, Options{}); err != nil {
			b.Fatal(err)
		}
	}
}
