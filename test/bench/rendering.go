package main

import (
	"context"
	"time"
)

// renderingPrefix is the prefix of the names of sections without a cluster.
const renderingPrefix = "rendering: "

// Operations on charts only.
const (
	opRenderCold  operation = "load and render"
	opRenderAgain operation = "render again"
)

// rendering measures charts without a cluster.
func (s *session) rendering(ctx context.Context, folder string) error {
	charts, err := chartShapes(s.root)
	if err != nil {
		return err
	}
	if folder != "" {
		more, err := chartsBelow(folder)
		if err != nil {
			return err
		}
		charts = append(charts, more...)
	}
	for _, chart := range charts {
		c := section{name: renderingPrefix + chart.name, workload: workload{name: chart.name}, peers: []string{helm3Name, helm4Name, fairleadName}, budget: 30 * time.Second}
		if err := s.render(ctx, c, chart); err != nil {
			return err
		}
	}
	return nil
}

// render measures one chart: in a new process, and again in the same one.
func (s *session) render(ctx context.Context, c section, chart renderedChart) error {
	return s.repeat(c, func(c section, peer string) error {
		p, err := start(ctx, setup{Peer: peer})
		if err != nil {
			return err
		}
		cold, err := p.order(order{Render: &renderTask{Chart: chart.folder, Times: 1}})
		var again figures
		if err == nil {
			again, err = p.order(order{Render: &renderTask{Chart: chart.folder, Times: 1}})
		}
		if err == nil {
			times := max(1, int(time.Second/2/max(again.Wall, time.Millisecond)))
			again, err = p.order(order{Render: &renderTask{Chart: chart.folder, Times: times}})
			again.Wall /= time.Duration(times)
			again.CPU /= time.Duration(times)
		}
		if err != nil {
			s.row(c, opRenderCold, peer).Error = err.Error()
			return p.stop()
		}
		c.fresh = true
		r := s.row(c, opRenderCold, peer)
		s.sample(r, cold)
		c.fresh = false
		r = s.row(c, opRenderAgain, peer)
		s.sample(r, again)
		return p.stop()
	})
}
