// Package stixtest generates STIX 2.1 bundles of any size for tests and
// benchmarks. The same arguments give the same bytes.
package stixtest

import (
	"encoding/hex"
	"fmt"
	"io"
	"math/rand/v2"
	"strconv"
	"time"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
)

// Options shape a bundle. The zero value gives objects of about 1,000 bytes
// without markings.
type Options struct {
	Size  int          // bytes of an object, roughly; default 1000, at least 500
	TLP   exchange.TLP // marking of every object; its definition is the second object
	Start time.Time    // created of the first object; default 2026-01-01T00:00:00Z
}

// Bundle writes a bundle of n objects: an identity, then, of every ten,
// six indicators and one each of malware, ipv4-addr, vulnerability and
// relationship, all valid, each with an id of its own.
func Bundle(w io.Writer, n int, seed uint64, opt Options) error {
	_, err := io.Copy(w, Reader(n, seed, opt))
	return err
}

// Reader is the bundle that Bundle writes, made as it is read.
func Reader(n int, seed uint64, opt Options) io.Reader {
	if opt.Size <= 0 {
		opt.Size = 1000
	}
	if opt.Start.IsZero() {
		opt.Start = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	}
	return &generator{n: n, seed: seed, opt: opt, next: -1}
}

type generator struct {
	n    int
	seed uint64
	opt  Options
	next int // object to come; -1 is what stands before the first
	buf  []byte
	off  int
	done bool
}

func (g *generator) Read(p []byte) (int, error) {
	read := 0
	for read < len(p) {
		if g.off == len(g.buf) {
			if g.done {
				break
			}
			g.fill()
		}
		m := copy(p[read:], g.buf[g.off:])
		g.off += m
		read += m
	}
	if read == 0 && len(p) > 0 {
		return 0, io.EOF
	}
	return read, nil
}

func (g *generator) fill() {
	b := g.buf[:0]
	switch {
	case g.next < 0:
		b = append(b, `{"type":"bundle","id":"`...)
		b = append(b, ID("bundle", g.seed, -1)...)
		b = append(b, `","objects":[`...)
	case g.next < g.n:
		if g.next > 0 {
			b = append(b, ',')
		}
		b = append(b, '\n')
		b = g.object(b, g.next)
	default:
		b = append(b, "\n]}\n"...)
		g.done = true
	}
	g.next++
	g.buf, g.off = b, 0
}

// ID is the id of the i-th object of the bundle with this seed, a version 4
// UUID behind the type.
func ID(typ string, seed uint64, i int) string {
	return typ + "--" + string(appendUUID(nil, seed, i))
}

// Type is the type of the i-th object.
func Type(i int, opt Options) string {
	switch {
	case i == 0:
		return "identity"
	case i == 1 && opt.TLP != exchange.TLPUnset:
		return "marking-definition"
	}
	switch i % 10 {
	case 6:
		return "malware"
	case 7:
		return "ipv4-addr"
	case 8:
		return "vulnerability"
	case 9:
		return "relationship"
	}
	return "indicator"
}

func appendUUID(b []byte, seed uint64, i int) []byte {
	r := rand.NewPCG(seed, uint64(i)*0x9E3779B97F4A7C15+1)
	var u [16]byte
	for k, v := range [2]uint64{r.Uint64(), r.Uint64()} {
		for j := range 8 {
			u[8*k+j] = byte(v >> (8 * j))
		}
	}
	u[6], u[8] = u[6]&0x0F|0x40, u[8]&0x3F|0x80
	for j, part := range [5][]byte{u[:4], u[4:6], u[6:8], u[8:10], u[10:]} {
		if j > 0 {
			b = append(b, '-')
		}
		b = hex.AppendEncode(b, part)
	}
	return b
}

func (g *generator) object(b []byte, i int) []byte {
	typ := Type(i, g.opt)
	if typ == "marking-definition" {
		return append(b, MarkingObject(g.opt.TLP)...)
	}
	start := len(b)
	b = append(b, `{"type":"`+typ+`","spec_version":"2.1","id":"`...)
	b = append(b, typ...)
	b = append(b, "--"...)
	b = appendUUID(b, g.seed, i)
	if typ != "ipv4-addr" {
		at := g.opt.Start.Add(time.Duration(i) * time.Millisecond)
		b = append(b, `","created":"`...)
		b = at.AppendFormat(b, "2006-01-02T15:04:05.000Z")
		b = append(b, `","modified":"`...)
		b = at.Add(time.Hour).AppendFormat(b, "2006-01-02T15:04:05.000Z")
		if i > 0 {
			b = append(b, `","created_by_ref":"identity--`...)
			b = appendUUID(b, g.seed, 0)
		}
	}
	b = append(b, '"')
	b = g.own(b, typ, i)
	if g.opt.TLP != exchange.TLPUnset {
		b = append(b, `,"object_marking_refs":["`+MarkingID(g.opt.TLP)+`"]`...)
	}
	b = append(b, `,"x_generated":"`...)
	for k := uint64(i); len(b)-start < g.opt.Size-2; k++ {
		b = append(b, words[k*7%uint64(len(words))]...)
	}
	return append(b, `"}`...)
}

var words = [...]string{
	"the loader writes ", "a scheduled task ", "beacon over HTTPS ", "under \\u00e4 name ", "that changes daily, ",
	"drops \\\"stage two\\\" ", "and waits. ", "Seen in logistics ", "and in energy; ", "the host then resolves ", "a fresh domain. ",
}

// own appends the properties of the type.
func (g *generator) own(b []byte, typ string, i int) []byte {
	num := strconv.Itoa(i)
	switch typ {
	case "identity":
		return append(b, `,"name":"Generated Originator","identity_class":"organization"`...)
	case "malware":
		return append(b, `,"name":"Family `+num+`","is_family":true,"malware_types":["trojan"]`...)
	case "vulnerability":
		return append(b, `,"name":"Weakness `+num+`","external_references":[{"source_name":"generated","external_id":"W-`+num+`"}]`...)
	case "ipv4-addr":
		return fmt.Appendf(b, `,"value":"10.%d.%d.%d"`, i>>16&255, i>>8&255, i&255)
	case "relationship":
		// Seven before a relationship stands an indicator, three before it malware.
		b = append(b, `,"relationship_type":"indicates","source_ref":"`...)
		b = append(b, Type(i-7, g.opt)...)
		b = append(b, "--"...)
		b = appendUUID(b, g.seed, i-7)
		b = append(b, `","target_ref":"malware--`...)
		b = appendUUID(b, g.seed, i-3)
		return append(b, '"')
	}
	b = append(b, `,"name":"Indicator `+num+`","pattern":"[domain-name:value = 'host`+num+`.example']","pattern_type":"stix","valid_from":"`...)
	b = g.opt.Start.AppendFormat(b, "2006-01-02T15:04:05Z")
	return append(b, `","indicator_types":["malicious-activity"]`...)
}
