// Package testcluster runs a real Kubernetes control plane for tests, demos and
// benchmarks: the binary of the nested module test/cluster, which is built once
// and cached, starts in seconds, and ends with the process that started it.
//
//	func TestMain(m *testing.M) { testcluster.Main(m) }
//
//	func TestSomething(t *testing.T) {
//		cluster := testcluster.Shared(t)
//		namespace := cluster.Namespace(t)
//		client, err := kubernetes.NewForConfig(cluster.Config())
//		…
//	}
//
// A test process starts its shared cluster at the first call of Shared, or uses
// the one of FAIRLEAD_TEST_KUBECONFIG ("cluster exec -- go test ./..." sets it,
// so that all packages share one). With -short such tests are skipped. Without
// the binary they fail and name the command that builds it: tests never build it
// themselves, and never pass without having run.
//
// A test that kills parts of the control plane, or lists objects of the entire
// cluster, starts a separate one with Start.
//
// Record and Inject record requests of a rest.Config, and inject faults.
package testcluster
