# make demo           a web shop deployed, changed and rolled back, on a cluster of its own;
#                     VERSION=1.34 as for make cluster
# make operator       an operator over the engine, and a story that it plays on the test cluster
# make stack          a platform of six releases on two clusters: plan, apply, a failure, back
# make test           all tests; on a machine that never built the cluster, ten minutes more
# make test-short     tests without a cluster
# make check          format, vet, lint, licences, known vulnerabilities, race
# make licences       docs/licences.md: what the library compiles in, and under which licence
# make vulnerabilities  govulncheck; says so where its database cannot be reached, and fails
#                     then with VULNERABILITIES=required; VULNDB=URL is another database
# make bench          side by side with Helm 3, Helm 4, Flux and kapp, into docs/benchmarks.md:
#                     20 minutes, and a few more the first time, to build kapp
# make bench-fleet    100, 300 and 1000 releases in one process, beside Helm's SDK, into docs/fleet.md
# make bench-go       the packages' own benchmarks
# make kill           kills a deploy, and the deploy of a stack, before and after every one of its
#                     requests, and draws 120 stacks: half an hour
# make faults         100 deploys on a connection on which a fifth of all requests fail
# make pipeline       plans of a read-only account, applied by another one that is killed
# make attack         every attack on the engine: plans, tenants, secrets
# make hostile        every hostile input of test/hostile in a child with 1 GiB of address space
# make fuzz           every fuzzer for FUZZ_TIME, ten minutes each, with limited memory
# make recording      the progress view in docs/, as text and picture; needs tmux
#                     and Chromium
# make rendering-speed  docs/rendering-speed.md, both engines side by side
# make screenshots    the pictures of reports in docs/, with Chromium
# make cluster        runs the test cluster until Ctrl-C and prints its kubeconfig; its default
#                     StorageClass is named standard, STORAGE_CLASS= makes none
#                     VERSION=1.34 runs Kubernetes of that version, if test/cluster has it
# make test-versions  the tests that touch a cluster on each of these versions
# make cluster-build  only builds it: about ten minutes the first time, cached by content

# GOWORK=off: the nested modules are independent.
export GOWORK = off

STORAGE_CLASS = standard
FUZZ_TIME = 10m
# KiB of address space, for the compiler and the fuzzer with so many workers.
FUZZ_MEMORY = 4000000
FUZZ_PARALLEL = 1

# The built cluster; its path is printed by the builder, whose progress goes to stderr.
CLUSTER = $$(go run ./internal/testcluster/build)

GO_FILES = $$(git ls-files '*.go')

.PHONY: stack kill faults pipeline test-versions attack hostile fuzz demo test test-short check format vet lint licences licence-list vulnerabilities race bench bench-fleet bench-go rendering-speed recording screenshots browser cluster cluster-build operator operator-generate

demo:
	@$(if $(VERSION),FAIRLEAD_TEST_CONTROL_PLANE=$$(go run ./internal/testcluster/build -version $(VERSION))) go run ./examples/demo $(ARGS)

stack:
	@go run ./examples/stack

# One cluster serves the tests of all packages, a namespace each.
test: cluster-build
	@binary=$(CLUSTER) && exec "$$binary" exec -- sh -c 'go test -timeout 30m ./... && cd test/helm && go test -timeout 10m . && cd ../../examples/operator && go test -timeout 10m ./...'

test-short:
	go test -short ./...
	cd test/bench && go test -short .
	cd examples/operator && go test -short ./...

check: format vet lint licence-list vulnerabilities race

format:
	@unformatted=$$(gofmt -l $(GO_FILES)); \
	if [ -n "$$unformatted" ]; then echo "run gofmt -w on:"; echo "$$unformatted"; exit 1; fi

vet:
	go vet ./...
	cd test/cluster && go vet ./...
	cd tools && go vet ./licences && go test ./licences
	cd test/bench && go vet .
	cd test/helm && go vet .
	cd examples/operator && go vet ./...

lint:
	go tool -modfile=tools/go.mod staticcheck ./...

licences:
	@cd tools && go run ./licences -root ..

licence-list:
	@cd tools && go run ./licences -root .. -check

# Whether there is a database shows on one small package, before a minute of
# loading all of them.
vulnerabilities:
	@check="go tool -modfile=tools/go.mod govulncheck $(if $(VULNDB),-db $(VULNDB))"; \
	said=$$($$check -scan package ./internal/graph 2>&1); \
	case "$$said" in \
	*"fetching vulnerabilities"*) echo "NOT CHECKED for known vulnerabilities: $$said" >&2; [ "$(VULNERABILITIES)" != required ];; \
	*) $$check ./...;; \
	esac

# The race detector needs more address space than the children of test/hostile have.
race:
	go test -short -race -timeout 30m -skip TestHostileHistory $$(go list ./... | grep -v /test/hostile)

kill: cluster-build
	@binary=$(CLUSTER) && FAIRLEAD_KILL_ALL=1 FAIRLEAD_STACKS=120 exec "$$binary" exec -- go test -count=1 -timeout 60m -v -run 'TestKilledAtEveryRequest|TestPassesKilledAtEveryRequest|TestStackKilledAtEveryRequest|TestDrawnStacks' ./engine ./engine/stack

faults: cluster-build
	@binary=$(CLUSTER) && FAIRLEAD_FAULTS=100 exec "$$binary" exec -- go test -count=1 -timeout 60m -v -run "TestUnreliableConnection|TestServersRestartDuringDeploys" ./engine

test-versions: cluster-build
	go run ./test/versions

pipeline: cluster-build
	@binary=$(CLUSTER) && exec "$$binary" exec -- go test -count=1 -v -run TestPipeline ./examples/pipeline

# FAIRLEAD_TAMPER is for how long plans are edited at random.
attack: cluster-build
	@binary=$(CLUSTER) && FAIRLEAD_ATTACK_ALL=1 exec "$$binary" exec -- go test -count=1 -timeout 60m -run TestAttack $$(go list ./... | grep -v /test/hostile)

hostile:
	FAIRLEAD_HOSTILE_ALL=1 go test -count=1 -v -timeout 60m ./test/hostile
	FAIRLEAD_HOSTILE_ALL=1 go test -count=1 -v -timeout 60m -run TestHostileHistory ./internal/storage

# Minimising what covers more would take nearly all of the time otherwise.
fuzz:
	@git grep -n '^func Fuzz' -- '*_test.go' | sed -E 's|^(.*)/[^/]*:[0-9]+:func (Fuzz[A-Za-z]*).*|./\1 \2|' | while read -r package name; do \
		(ulimit -v $(FUZZ_MEMORY); MALLOC_ARENA_MAX=1 GOMEMLIMIT=600MiB exec go test -parallel $(FUZZ_PARALLEL) -run '^$$' -fuzz "^$$name\$$" -fuzztime $(FUZZ_TIME) -fuzzminimizetime 20x "$$package") || exit 1; done

# BENCH_CHARTS=DIR also renders each chart below DIR; BENCH_FLAGS="-only fresh"
# and the like are the command's own.
bench: cluster-build
	@programs=$$(mktemp -d) && trap 'rm -rf "$$programs"' EXIT && cd test/bench && \
	(cd programs && go build -o "$$programs/kapp" carvel.dev/kapp/cmd/kapp) && \
	go build -o "$$programs/bench" . && "$$programs/bench" -kapp "$$programs/kapp" $(BENCH_FLAGS)

bench-fleet: cluster-build
	cd test/bench && go build -o /tmp/fairlead-bench-$$$$ . && \
	{ /tmp/fairlead-bench-$$$$ -fleet 100,300,1000 $(BENCH_FLAGS); status=$$?; rm -f /tmp/fairlead-bench-$$$$; exit $$status; }

bench-go:
	go test -run '^$$' -bench . -benchmem ./...

recording: cluster-build browser
	@program=$$(mktemp) && frames=$$(mktemp) && trap 'rm -f "$$program" "$$frames"' EXIT && go build -o "$$program" ./examples/progress && \
	sh tools/record.sh "$$program" > "$$frames" && sed 's/\x1b\[[0-9;]*m//g' "$$frames" > docs/progress.txt && \
	go run ./internal/screenshot -terminal "$$frames" docs/progress.png

rendering-speed:
	go test -run '^$$' -bench Render -benchmem -count 6 -timeout 2h ./render > /tmp/rendering-speed.txt
	go run ./test/speed < /tmp/rendering-speed.txt > docs/rendering-speed.md

screenshots: browser
	go run ./internal/screenshot -report docs/report.json docs

browser:
	@for name in chromium chromium-browser google-chrome chrome; do command -v $$name > /dev/null && found=1; done; \
	[ -n "$$found" ] || { apt-get update && apt-get install -y --no-install-recommends chromium fonts-dejavu-core; }

cluster: cluster-build
	@binary=$(CLUSTER) && \
	$(if $(VERSION),control_plane=$$(go run ./internal/testcluster/build -version $(VERSION)) &&) \
	exec "$$binary" start $(if $(STORAGE_CLASS),-storage-class $(STORAGE_CLASS)) $(if $(VERSION),-control-plane "$$control_plane")

operator: cluster-build
	@binary=$(CLUSTER) && program=$$(mktemp) && trap 'rm -f "$$program"' EXIT && \
	(cd examples/operator && go build -o "$$program" .) && "$$binary" exec -- "$$program" story

# The deep copies and the CRD of the example operator, from its types.
operator-generate:
	cd examples/operator && go tool controller-gen object crd paths=./api/... output:crd:dir=chart/crds

cluster-build:
	@go run ./internal/testcluster/build > /dev/null
