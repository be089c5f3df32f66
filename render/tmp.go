package render

type document struct{}
type originNode struct{}
