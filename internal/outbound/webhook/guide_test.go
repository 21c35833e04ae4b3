package webhook_test

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// The verification that the guide gives accepts what we sign, and nothing else.
func TestGuideVerifies(t *testing.T) {
	python, err := exec.LookPath("python3")
	if err != nil {
		t.Skip("python3 is not installed")
	}
	b, err := os.ReadFile(filepath.Join("..", "..", "..", "docs", "guide", "push-and-stream.md"))
	if err != nil {
		t.Fatal(err)
	}
	code := regexp.MustCompile("(?s)```python\n(.*?)```").FindSubmatch(b)
	if code == nil {
		t.Fatal("the guide holds no verification")
	}
	run := func(v vector, body string) error {
		program := string(code[1]) + fmt.Sprintf(`
import base64
verify({"webhook-id": %q, "webhook-timestamp": "%d", "webhook-signature": %q}, base64.b64decode(%q), %q, now=%d)
`, v.ID, v.Timestamp, "v1a,AAAA v1,AAAA "+v.Signature, base64.StdEncoding.EncodeToString([]byte(body)), v.Key, v.Timestamp+10)
		cmd := exec.CommandContext(t.Context(), python, "-I", "-")
		cmd.Stdin = strings.NewReader(program)
		var out bytes.Buffer
		cmd.Stderr = &out
		if err := cmd.Run(); err != nil {
			return fmt.Errorf("%w: %s", err, out.String())
		}
		return nil
	}
	tried := 0
	for _, v := range vectors(t) {
		if v.Public != "" {
			continue
		}
		tried++
		if err := run(v, v.Body); err != nil {
			t.Errorf("%s: %v", v.Note, err)
		}
		if err := run(v, v.Body+" "); err == nil || !strings.Contains(err.Error(), "not signed with this secret") {
			t.Errorf("%s, with another body: %v", v.Note, err)
		}
	}
	if tried < 2 {
		t.Errorf("%d vectors tried", tried)
	}
}
