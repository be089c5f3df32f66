#!/bin/sh
# new.sh VERSION writes the module file for the control plane of a version of
# Kubernetes, such as 1.34.2: its go.mod has no versions for the staging modules,
# which Kubernetes publishes under 0.34.2.
set -eu
cd "$(dirname "$0")/.."
export GOWORK=off GOFLAGS=-mod=mod
version=$1
minor=${version%.*}
staging=v0.${version#*.}
file=versions/$minor.mod
theirs=$(go mod download -json "k8s.io/kubernetes@v$version" | sed -n 's/^.*"GoMod": "\(.*\)".*$/\1/p')
of() { sed -n "s|^[[:space:]]*\(require \)\{0,1\}$1 \(v[^ ]*\).*|\2|p" "$theirs" | head -n 1; }
{
	printf 'module github.com/fairlead-dev/fairlead/test/cluster\n\ngo 1.26.0\n\nrequire (\n'
	for module in github.com/spf13/cobra go.etcd.io/etcd/client/pkg/v3 go.etcd.io/etcd/server/v3; do
		printf '\t%s %s\n' "$module" "$(of "$module")"
	done
	printf '\tk8s.io/component-base %s\n\tk8s.io/kubernetes v%s\n)\n\nreplace (\n' "$staging" "$version"
	sed -n "s|^[[:space:]]*\(k8s.io/[^ ]*\) v0\.0\.0\( .*\)\{0,1\}$|\t\1 => \1 $staging|p" "$theirs"
	printf ')\n'
} >"$file"
rm -f "versions/$minor.sum"
go list -modfile="$file" -deps ./controlplane >/dev/null
