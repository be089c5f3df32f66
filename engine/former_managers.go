package engine

import "strings"

// helmManager is the field manager of Helm's command.
const helmManager = "helm"

// HelmManagers are the field managers of Helm, for Options.FormerManagers. To
// add other tools, use slices.Concat(engine.HelmManagers(),
// engine.FluxManagers()).
func HelmManagers() []string { return []string{helmManager} }

// FluxManagers are the field managers of Flux's kustomize-controller and
// helm-controller.
func FluxManagers() []string { return []string{"kustomize-controller", "helm-controller"} }

// ArgoCDManagers are the field managers of Argo CD: the one of its server-side
// apply, and the one of its client-side apply.
func ArgoCDManagers() []string { return []string{"argocd-controller", "argocd-application-controller"} }

// TerraformManagers are the field managers of Terraform's providers: of the
// resource kubernetes_manifest, of those for single kinds, and of the providers
// that name themselves.
func TerraformManagers() []string {
	return []string{"Terraform", "HashiCorp", "terraform-provider-*"}
}

// KubectlManagers are the field managers of those kubectl commands that write
// what a manifest holds. kubectl scale and kubectl rollout are not among them.
func KubectlManagers() []string {
	return []string{
		"kubectl", "kubectl-client-side-apply", "kubectl-last-applied", "kubectl-create", "kubectl-replace",
		"kubectl-edit", "kubectl-patch", "kubectl-set", "kubectl-label", "kubectl-annotate", "kubectl-expose", "kubectl-run",
	}
}

func isPattern(manager string) bool { return strings.ContainsAny(manager, "*?[\\") }
