package engine_test

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"k8s.io/cli-runtime/pkg/genericclioptions"

	"github.com/fairlead-dev/fairlead/engine"
)

func TestNoKubeconfig(t *testing.T) {
	t.Setenv("HOME", t.TempDir())
	missing := filepath.Join(t.TempDir(), "none")
	t.Setenv("KUBECONFIG", missing)
	t.Setenv("KUBERNETES_MASTER", "")
	t.Setenv("KUBERNETES_SERVICE_HOST", "")
	flags := genericclioptions.NewConfigFlags(true)
	_, err := engine.NewFromGetter(flags, engine.Options{})
	var typed *engine.Error
	if !errors.Is(err, engine.ErrNoKubeconfig) || !errors.As(err, &typed) || typed.Hint == "" || !strings.Contains(err.Error(), "KUBECONFIG="+missing) {
		t.Errorf("%v", err)
	}
	// An address that is given explicitly is used.
	*flags.APIServer = "http://localhost:8080"
	if _, err := engine.NewFromGetter(flags, engine.Options{}); err != nil {
		t.Error(err)
	}
}
