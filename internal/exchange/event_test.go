package exchange

import (
	"encoding/json"
	"testing"
	"time"
)

// The bytes stand in databases, and a ledger will carry them: the form may
// never change.
func TestCanonicalEvent(t *testing.T) {
	at := time.Date(2026, 11, 21, 22, 53, 36, 21_039_999, time.FixedZone("", 2*3600))
	e := Event{
		Seq: 7, At: at, Kind: EventWaveOpened, Program: "early-warning", Org: "alpha",
		Actor:   Actor{Person: "per_1", Token: "fw_1", Org: "owner", Channel: ChannelAPI, Name: "never in the record"},
		Subject: []string{"b", "a"},
		Detail: Detail{
			"text": "\"\\/\b\f\n\r\t\x01\u007f<ä€😀\xff", "no": false, "zero": 0, "size": int64(1 << 40), "at": at, "list": []string{"ü", ""},
			"empty": "", "none": []string(nil), "never": time.Time{}, "nothing": nil,
		},
	}
	const want = `{"actor_org":"owner","actor_person":"per_1","actor_token":"fw_1","at":"2026-11-21T20:53:36.021039Z","channel":"api",` +
		`"d_at":"2026-11-21T20:53:36.021039Z","d_list":["ü",""],"d_no":false,"d_size":1099511627776,` +
		`"d_text":"\"\\/\b\f\n\r\t\u0001` + "\u007f" + `<ä€😀` + "\ufffd" + `","d_zero":0,` +
		`"kind":"wave.open","org":"alpha","program":"early-warning","subject":["b","a"],"v":1}`
	got := e.Canonical()
	if string(got) != want || !json.Valid(got) {
		t.Errorf("canonical form\n%s\nwant\n%s", got, want)
	}
}

// A fact of another type would have no one form: the act that records it fails,
// in whatever test runs it first.
func TestEventDetailOfAnotherType(t *testing.T) {
	for _, v := range []any{1.5, []int{1}, ContentClass("poc"), map[string]any{}} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%T is taken", v)
				}
			}()
			Event{Detail: Detail{"x": v}}.Canonical()
		}()
	}
}
