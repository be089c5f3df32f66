package hostile

import (
	"os"
	"testing"

	"github.com/fairlead-dev/fairlead/render/sandbox"
)

func TestMain(m *testing.M) {
	sandbox.Main() // the children of TestSandbox are this program
	os.Exit(m.Run())
}
