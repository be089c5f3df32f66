package testcluster

// Crash kills the cluster's own process with SIGKILL, leaving its parts alone.
func (c *Cluster) Crash() error {
	err := c.cmd.Process.Kill()
	<-c.exited
	return err
}
