package config_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/forewarn-exchange/forewarn/internal/config"
)

func TestNetworks(t *testing.T) {
	for text, want := range map[string]int{
		``: 0, "[webhooks]\nallow = []": 0, "[webhooks]\nallow = [\"10.1.2.0/24\", \"fd00:1::/48\", \"127.0.0.1/32\"]": 3,
		"[webhooks]\nallow = [\"10.1.2.3/24\"]": -1, "[webhooks]\nallow = [\"10.1.2.0\"]": -1, "[webhooks]\nallow = [\"localhost\"]": -1,
		"[webhooks]\nallow = [\"::ffff:10.0.0.0/104\"]": -1, "[webhooks]\nalow = []": -1, "[webhooks]\nallow = \"10.0.0.0/8\"": -1,
	} {
		file := filepath.Join(t.TempDir(), "forewarn.toml")
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		c, err := config.Load(file)
		if (err != nil) != (want < 0) {
			t.Errorf("%q: %v", text, err)
			continue
		}
		if ns, _ := c.Webhooks.Networks(); want >= 0 && len(ns) != want {
			t.Errorf("%q: %v", text, ns)
		}
	}
}

// What is written for a new folder is read back, with the manual beside it.
func TestWrite(t *testing.T) {
	file := filepath.Join(t.TempDir(), "forewarn.toml")
	if err := config.Write(file, config.Default()); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(file)
	if err != nil || !strings.Contains(string(b), "[webhooks]") || !strings.Contains(string(b), "# Networks that webhooks may reach") {
		t.Errorf("%v\n%s", err, b)
	}
	if c, err := config.Load(file); err != nil || c.Listen != config.Default().Listen || len(c.Webhooks.Allow) != 0 {
		t.Errorf("%+v %v", c, err)
	}
}

func TestLedger(t *testing.T) {
	for text, want := range map[string]string{
		"witness_interval = \"30s\"\nwitness_allow = [\"10.0.0.0/8\"]": "",
		`witness_interval = "often"`:                                   "witness_interval",
		`witness_interval = "1ms"`:                                     "between 1s and 1h",
		`witness_allow = ["10.0.0.1"]`:                                 "ledger.witness_allow",
	} {
		file := filepath.Join(t.TempDir(), config.FileName)
		if err := os.WriteFile(file, []byte("[ledger]\n"+text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := config.Load(file); (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", text, err)
		}
	}
}
