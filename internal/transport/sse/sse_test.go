package sse

import (
	"bufio"
	"bytes"
	"fmt"
	"testing"
)

func TestSlots(t *testing.T) {
	var s Slots
	for i := range Each {
		if !s.Take("a") {
			t.Fatalf("stream %d of one client refused", i)
		}
	}
	if s.Take("a") {
		t.Error("one too many was taken")
	}
	if !s.Take("b") {
		t.Error("another client was refused")
	}
	s.Give("a")
	if !s.Take("a") {
		t.Error("a place that became free was refused")
	}
	s = Slots{}
	for i := range All {
		if !s.Take(fmt.Sprint(i)) {
			t.Fatalf("stream %d of all refused", i)
		}
	}
	if s.Take("x") {
		t.Error("more than all were taken")
	}
	for i := range All {
		s.Give(fmt.Sprint(i))
	}
	if len(s.each) != 0 || s.all != 0 {
		t.Error("clients that are gone are kept")
	}
}

func TestLines(t *testing.T) {
	for in, want := range map[string]string{
		`{"a":1}`: `{"a":1}`, "{\n \"a\":1}": "{\ndata:  \"a\":1}", "{\r\n}": "{ \ndata: }", "\r": " ", "": "", "ä\n": "ä\ndata: ",
	} {
		var b bytes.Buffer
		out := bufio.NewWriter(&b)
		n, err := lines{out}.Write([]byte(in))
		if out.Flush(); err != nil || n != len(in) || b.String() != want {
			t.Errorf("%q becomes %q (%d, %v), want %q", in, b.String(), n, err, want)
		}
	}
}
