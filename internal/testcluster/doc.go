// Package testcluster gives tests, demonstrations and benchmarks a real
// Kubernetes control plane: the binary of the nested module test/cluster, built
// once and cached, started in seconds, gone with the process that started it.
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
// the one that FAIRLEAD_TEST_KUBECONFIG names ("cluster exec -- go test ./..."
// sets it, so that all packages share one). With -short such tests are skipped.
// Without the binary they fail and name the command that builds it: nothing
// here builds within a test, and nothing passes without having run.
//
// A test that kills parts of the control plane, or counts what is in the whole
// cluster, starts its own with Start.
//
// Record and Inject look at, count and break the requests of a rest.Config.
package testcluster
