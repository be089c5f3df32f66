package diff

import (
	"fmt"
	"strings"
	"testing"
)

func TestMarkdownLimit(t *testing.T) {
	var rep Report
	for i := range 500 {
		ch := Change{Object: Object{Version: "v1", Kind: "ConfigMap", Namespace: "shop", Name: fmt.Sprint("c", i)}, Action: Updated,
			Fields: []Field{{Path: "data.a", Live: "x", Desired: strings.Repeat("y", 150), Cause: Chart}}}
		if i == 499 {
			ch.Fields[0].Cause = Conflict
			ch.Fields[0].Manager = "kubectl"
		}
		rep.Changes = append(rep.Changes, ch)
	}
	for _, limit := range []int{0, 3000, 20000, 1 << 20} {
		out := markdown(t, rep, MarkdownOptions{Limit: limit})
		if limit == 0 {
			limit = commentLimit
		}
		if len(out) > limit {
			t.Errorf("limit %d: %d bytes", limit, len(out))
		}
		first := strings.Index(out, "<summary>")
		if first < 0 || !strings.Contains(out[first:first+60], "c499") {
			t.Errorf("limit %d: the conflict does not come first", limit)
		}
		if strings.Count(out, "<details") != strings.Count(out, "</details>") {
			t.Errorf("limit %d: cut inside an object", limit)
		}
		if limit == 3000 && !strings.Contains(out, "did not fit") {
			t.Errorf("limit %d: omitted objects are not counted", limit)
		}
	}
}

func TestMarkdownIsInert(t *testing.T) {
	rep := Report{Title: "<b>@all</b> [x](http://y)", Changes: []Change{{
		Object: Object{Kind: "ConfigMap", Name: "a"}, Action: Updated, Reason: "</details><script>",
		Fields: []Field{{Path: "data.a", Live: "x", Desired: "a\n```\n</details>\n", Cause: Chart}},
	}}}
	out := markdown(t, rep, MarkdownOptions{})
	for _, bad := range []string{"<b>", "@all", "[x]", "<script>"} {
		if strings.Contains(out, bad) {
			t.Errorf("%q stands in\n%s", bad, out)
		}
	}
	if !strings.Contains(out, "````diff") {
		t.Errorf("the fence can be closed from inside:\n%s", out)
	}
}
