package storage

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"fmt"
	"io"
	"math"
	"path"
	"runtime"
	"strconv"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// relevant reads the revisions from an index on, and says what came of each.
func (s *shelf) relevant(from int) string {
	s.t.Helper()
	inventory, err := s.Inventory(s.ctx, s.ns, "shop")
	if err != nil {
		s.t.Fatal(err)
	}
	records, first, broken, err := s.Relevant(s.ctx, inventory, from, 4)
	if err != nil {
		s.t.Fatal(err)
	}
	var got []string
	for i, r := range records {
		status := "broken"
		if r != nil {
			status = string(r.Status)
		}
		got = append(got, fmt.Sprint(inventory.Revisions[first+i].Revision, " ", status))
	}
	out := strings.Join(got, ", ")
	for _, b := range broken {
		out += "; broken " + path.Base(b.Object)
	}
	return out
}

// forge stores a Secret as a client that may write Secrets can.
func (s *shelf) forge(revision, status string, body []byte) {
	s.t.Helper()
	secret := &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{
			Name:   "sh.helm.release.v1.shop.v" + revision,
			Labels: map[string]string{labelOwner: ownerHelm, labelName: "shop", labelStatus: status, labelRevision: revision},
		},
		Type: secretType, Data: map[string][]byte{bodyKey: body},
	}
	if _, err := s.secrets.CoreV1().Secrets(s.ns).Create(s.ctx, secret, metav1.CreateOptions{}); err != nil {
		s.t.Fatal(err)
	}
}

// filled is a body whose JSON is a text over and over between two others.
func filled(before, fill string, times int, after string) []byte {
	var out bytes.Buffer
	encode := base64.NewEncoder(base64.StdEncoding, &out)
	zip, _ := gzip.NewWriterLevel(encode, gzip.BestSpeed)
	io.WriteString(zip, before)
	block := strings.Repeat(fill, 1000)
	for range times / 1000 {
		io.WriteString(zip, block)
	}
	io.WriteString(zip, after)
	zip.Close()
	encode.Close()
	return out.Bytes()
}

// bombs are what follows the name of a revision in bodies of less than 1 MB that
// come to much more.
var bombs = map[string]func(head string) []byte{
	"manifest": func(head string) []byte { return filled(head+`"manifest":"`, "x", 60_000_000, `"}`) },
	"values":   func(head string) []byte { return filled(head+`"config":{"a":[`, "[],", 15_000_000, `[]]}}`) },
	"members":  func(head string) []byte { return filled(head+`"x":0`, `,"a":0`, 8_000_000, `}`) },
	"hooks":    func(head string) []byte { return filled(head+`"hooks":[`, "{},", 15_000_000, `{}]}`) },
	"endless":  func(head string) []byte { return filled(head+`"manifest":"`, "x", 200_000_000, `"}`) },
	"not JSON": func(string) []byte { return filled("", "[", 30_000_000, "") },
	"not compressed": func(head string) []byte {
		return []byte(base64.StdEncoding.EncodeToString([]byte(head + `"config":{"a":[` + strings.Repeat("[],", 200_000) + `[]]}}`)))
	},
}

// What several revisions come to has one bound, and those beyond it are passed
// over. The budget is spent on the newest and on the last healthy one first.
func TestRevisionsHaveOneBudget(t *testing.T) {
	for kind, bomb := range bombs {
		t.Run(kind, func(t *testing.T) {
			s := newShelf(t)
			s.create(StatusDeployed)
			for revision := 2; revision <= 6; revision++ {
				s.forge(strconv.Itoa(revision), "failed", bomb(fmt.Sprintf(`{"name":"shop","version":%d,"info":{"status":"failed"},`, revision)))
			}
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			got := s.relevant(0)
			runtime.ReadMemStats(&after)
			if allocated := (after.TotalAlloc - before.TotalAlloc) >> 20; allocated > 700 {
				t.Errorf("reading 6 revisions allocated %d MiB", allocated)
			}
			want := "1 deployed, 2 broken, "
			if kind == "not compressed" { // for which there is room
				want = "1 deployed, 2 failed, 3 failed, 4 failed, 5 failed, 6 failed"
			}
			if !strings.HasPrefix(got, want) {
				t.Errorf("got %s", got)
			}
		})
	}
}

// Numbers that were not reached by deploying do not count, and the next revision
// is the one after the last real one.
func TestImplausibleRevisions(t *testing.T) {
	s := newShelf(t)
	s.create(StatusSuperseded, StatusDeployed)
	for _, n := range []string{strconv.Itoa(math.MaxInt64), "99999999999999999999999", "x", "1000000000", "0003"} {
		s.forge(n, "deployed", []byte("x"))
	}
	inventory, err := s.Inventory(s.ctx, s.ns, "shop")
	if err != nil {
		t.Fatal(err)
	}
	if last := inventory.Revisions[len(inventory.Revisions)-1]; last.Revision != 2 || len(inventory.Revisions) != 2 {
		t.Errorf("revisions: %v", inventory.Revisions)
	}
	if len(inventory.Ignored) != 5 {
		t.Errorf("ignored: %q", inventory.Ignored)
	}
	if got := s.relevant(1); got != "2 deployed" {
		t.Error(got)
	}
	newest, err := s.Newest(s.ctx, s.ns, true)
	if err != nil || len(newest) != 1 || newest[0].Revision > maxListed {
		t.Errorf("newest: %v, %v", newest, err)
	}
}

// More failed revisions than can be read are passed over without a request.
func TestManyRevisionsAreNotRead(t *testing.T) {
	s := newShelf(t)
	s.create(StatusDeployed)
	for n := 2; n < maxRead+10; n++ {
		s.forge(strconv.Itoa(n), "failed", []byte("x"))
	}
	if got := s.relevant(0); !strings.HasPrefix(got, "1 deployed, 2 broken, ") || strings.Count(got, ";") != maxRead+8 {
		t.Error(got)
	}
}
