package notary_test

import (
	"strings"
	"testing"

	"github.com/forewarn-exchange/forewarn/internal/notary"
	"github.com/forewarn-exchange/forewarn/internal/store/sqlstore"
	"github.com/forewarn-exchange/forewarn/internal/store/storetest"
)

func TestMain(m *testing.M) { storetest.Main(m) }

const text = "forewarn notice v1\nrecall rec_c3v5kq2x7mzt4a6e\n"

func open(t *testing.T, db *sqlstore.DB, name string) *notary.Notary {
	t.Helper()
	n, err := notary.Open(t.Context(), sqlstore.For[notary.Tx](db), name)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestKeyIsMadeOnce(t *testing.T) {
	storetest.Each(t, func(t *testing.T, e storetest.Engine) {
		db := e.Open(t)
		first := open(t, db, "Glass Harbour + friends")
		if name, _, _ := strings.Cut(first.Key(), "+"); name != "Glass-Harbour---friends" {
			t.Errorf("the key's name is %q", name)
		}
		again := open(t, db, "another name")
		if again.Key() != first.Key() {
			t.Errorf("a second key: %s, %s", first.Key(), again.Key())
		}
		signed, err := again.Sign(text)
		if err != nil {
			t.Fatal(err)
		}
		got, name, err := notary.Verify(signed, first.Key())
		if err != nil || got != text || name != "Glass-Harbour---friends" {
			t.Errorf("%q by %q: %v", got, name, err)
		}
		other := open(t, storetest.SQLite(t), "")
		for what, c := range map[string]struct {
			signed, key string
		}{
			"another key":      {string(signed), other.Key()},
			"a changed letter": {strings.Replace(string(signed), "rec_c", "rec_d", 1), first.Key()},
			"no signature":     {text, first.Key()},
			"no key":           {string(signed), "forewarn"},
			"too large":        {strings.Repeat("a", notary.MaxNote+1), first.Key()},
		} {
			if _, _, err := notary.Verify([]byte(c.signed), c.key); err == nil {
				t.Errorf("%s: verified", what)
			}
		}
		if _, _, err := notary.Verify([]byte(strings.ReplaceAll(string(signed), "\n", "\r\n")), first.Key()); err != nil {
			t.Errorf("with other ends of lines: %v", err)
		}
	})
}

func FuzzVerify(f *testing.F) {
	const key = "forewarn+5f8d1b9e+AXrQ8ptRVJmSmGNs3wVZ0vW1q6NTWqCNLTtXyCZ8n4Xv"
	f.Add([]byte(text+"\n— forewarn Xw==\n"), key)
	f.Add([]byte(""), "")
	f.Fuzz(func(t *testing.T, signed []byte, key string) {
		if got, _, err := notary.Verify(signed, key); err == nil && !strings.HasPrefix(strings.ReplaceAll(string(signed), "\r\n", "\n"), got) {
			t.Errorf("%q is verified of %q", got, signed)
		}
	})
}
