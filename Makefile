# cluster        builds the test cluster if need be and runs it until Ctrl-C
# cluster-build  only builds it: about ten minutes the first time, cached by content
# test-cluster   runs every test, those on the cluster included, with one cluster for all

# GOWORK=off: the nested modules stand on their own.
export GOWORK = off

# The built binary; printed by the builder, whose progress goes to stderr.
CLUSTER = $$(go run ./internal/testcluster/build)

.PHONY: cluster cluster-build test-cluster

cluster:
	@binary=$(CLUSTER) && exec "$$binary" start

cluster-build:
	@go run ./internal/testcluster/build

test-cluster:
	@binary=$(CLUSTER) && exec "$$binary" exec -- go test ./...
