package witness

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/verify"
)

// Bounds of a round.
const (
	atOnce  = 8           // witnesses that are asked at a time
	maxAsks = 3           // of one witness, when the size was another
	refresh = time.Minute // after which a witness is asked for what it has cosigned
	longest = 5 * time.Minute
	atLeast = time.Second // between two rounds
)

// pause keeps a witness that does not answer from being asked each time.
type pause struct {
	until time.Time
	wait  time.Duration
}

// Run compares the ledger with what was witnessed (Start), and holds a round at once,
// on the clock, and when something important happened, until ctx ends. It is called
// once.
func (s *Service) Run(ctx context.Context) {
	if err := s.Start(ctx); err != nil && ctx.Err() == nil {
		s.c.Log.Error("comparing the ledger with what was witnessed", "err", err)
	}
	first := true
	for ctx.Err() == nil {
		if err := s.Round(ctx); err != nil && ctx.Err() == nil {
			s.c.Log.Error("asking the witnesses", "err", err)
		}
		if first {
			first = false
			close(s.started)
		}
		pauseFor(ctx, atLeast, nil)
		pauseFor(ctx, s.c.Every-atLeast, s.kick)
	}
}

func pauseFor(ctx context.Context, d time.Duration, wake <-chan struct{}) {
	timer := time.NewTimer(max(d, 0))
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-wake:
	case <-timer.C:
	}
}

// Kick asks for a round at once.
func (s *Service) Kick() {
	select {
	case s.kick <- struct{}{}:
	default:
	}
}

// facts are what one round or one request goes by.
type facts struct {
	ledger   Ledger
	logKeys  []LogKey
	charters []exchange.Charter // that name witnesses
	states   map[string]State
}

// witnesses lists each witness once, by key.
func (f facts) witnesses() (out []exchange.Witness) {
	for _, c := range f.charters {
		for _, w := range c.Ledger.Witnesses {
			i := slices.IndexFunc(out, func(o exchange.Witness) bool { return o.Key == w.Key })
			switch {
			case i < 0:
				out = append(out, w)
			case out[i].URL == "":
				out[i].URL = w.URL
			}
		}
	}
	return out
}

// keysAt lists the log's keys that sign checkpoints of a size. What was signed with
// a key after its end proves nothing.
func (f facts) keysAt(size int64) (out []string) {
	for _, k := range f.logKeys {
		if k.Until < 0 || size <= k.Until {
			out = append(out, k.Public)
		}
	}
	return out
}

// read reads the facts; without a charter that names witnesses the ledger is not
// asked for.
func (s *Service) read(ctx context.Context) (f facts, err error) {
	f.states = map[string]State{}
	err = s.c.Store.View(ctx, func(tx Tx) error {
		all, err := tx.Charters()
		f.charters = slices.DeleteFunc(slices.Clone(all), func(c exchange.Charter) bool { return len(c.Ledger.Witnesses) == 0 })
		return err
	})
	if err != nil || len(f.charters) == 0 {
		return f, err
	}
	if err := s.c.Settle(ctx); err != nil {
		return f, err
	}
	if f.ledger, err = s.c.Current(); err != nil {
		return f, fmt.Errorf("opening the ledger: %w", err)
	}
	if f.logKeys, err = s.c.Keys(ctx, f.ledger.Number); err != nil {
		return f, err
	}
	err = s.c.Store.View(ctx, func(tx Tx) error {
		states, err := tx.WitnessStates(f.ledger.Number)
		for _, st := range states {
			f.states[st.Key] = st
		}
		return err
	})
	return f, err
}

// Round shows the newest checkpoint to each witness that has an address, and
// keeps what they answer.
func (s *Service) Round(ctx context.Context) error {
	f, err := s.read(ctx)
	if err != nil || len(f.charters) == 0 {
		return err
	}
	if err := s.keep(ctx, f, s.ask(ctx, f)); err != nil {
		return err
	}
	return s.watch(ctx, f)
}

// finding is what one witness said of the ledger.
type finding struct {
	witness exchange.Witness
	signed  *Cosignature
	// checkpoint is what signed is for, as the log signed it.
	checkpoint []byte
	size       int64 // that was cosigned, or at which they differ
	at         time.Time
	differs    Kind
	root       string // of theirs, in base 64
	theirs     []byte
	failure    string
}

// ask asks all witnesses, some at a time.
func (s *Service) ask(ctx context.Context, f facts) []finding {
	var wg sync.WaitGroup
	var mu sync.Mutex
	var out []finding
	slots := make(chan struct{}, atOnce)
	checkpoint := f.ledger.Log.Checkpoint()
	for _, w := range f.witnesses() {
		st := f.states[w.Key]
		if s.c.Asker == nil || w.URL == "" || !s.due(f, st) {
			continue
		}
		wg.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			found := s.askOne(ctx, f, w, st.Size, checkpoint)
			s.pace(w.Key, found)
			mu.Lock()
			defer mu.Unlock()
			out = append(out, found)
		})
	}
	wg.Wait()
	return out
}

// due reports whether there is something to ask a witness, and it is not one that
// did not answer just now.
func (s *Service) due(f facts, st State) bool {
	now := s.c.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	if now.Before(s.pauses[st.Key].until) {
		return false
	}
	return st.Seen.IsZero() || st.Failure != "" || st.Size != f.ledger.Log.Size() || now.Sub(st.Seen) >= refresh
}

// pace asks a witness that fails less and less often.
func (s *Service) pace(key string, f finding) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if f.failure == "" {
		delete(s.pauses, key)
		return
	}
	p := s.pauses[key]
	p.wait = min(max(s.c.Every, 2*p.wait), longest)
	p.until = s.c.Now().Add(p.wait)
	s.pauses[key] = p
}

// askOne asks one witness to cosign a checkpoint (C2SP tlog-witness). When it goes
// by another size than we thought, it is asked again from there.
func (s *Service) askOne(ctx context.Context, f facts, w exchange.Witness, old int64, checkpoint []byte) finding {
	out := finding{witness: w}
	c, err := open(f, checkpoint)
	if err != nil {
		s.c.Log.Error("reading our own checkpoint", "err", err)
		out.failure = "setup"
		return out
	}
	for range maxAsks {
		if old > c.Size {
			return s.claimed(ctx, f, out, old)
		}
		body, err := request(f.ledger.Log, old, c.Size, checkpoint)
		if err != nil {
			s.c.Log.Error("proving the ledger to a witness", "from", old, "to", c.Size, "err", err)
			out.failure = "setup"
			return out
		}
		a := s.c.Asker.AddCheckpoint(ctx, w.URL, body)
		switch a.Outcome {
		case Signed:
			return cosigned(f, out, c, checkpoint, a.Body)
		case OtherSize:
			if a.Size != old {
				old = a.Size
				continue
			}
			out.differs, out.size = Refused, old
		case Contradicts:
			out.differs, out.size = Refused, old
		case UnknownKey:
			out.failure = "key" // it knows the log under another key
		case UnknownLog:
			out.failure = "origin"
		default:
			out.failure = a.Failure
		}
		return out
	}
	out.failure = "answer"
	return out
}

// cosigned takes the signature out of the answer; lines of others are passed over.
func cosigned(f facts, out finding, c verify.Signed, checkpoint, lines []byte) finding {
	signed, err := open(f, append(slices.Clone(checkpoint), lines...), out.witness.Key)
	if err != nil || len(signed.Witness) == 0 {
		out.failure = "answer"
		return out
	}
	line, err := lineOf(append(slices.Clone(checkpoint), lines...), out.witness.Key)
	if err != nil {
		out.failure = "answer"
		return out
	}
	out.size, out.at, out.checkpoint = c.Size, signed.Witness[0].At, checkpoint
	out.signed = &Cosignature{Size: c.Size, Key: out.witness.Key, Line: line, At: out.at}
	return out
}

// claim is a size that a witness named and that is not here.
type claim struct {
	size  int64
	since time.Time
}

// claims is a finding once a checkpoint of a witness, or of somebody, has twice, a round
// apart, had more entries than there are: another process may just have written them.
func (s *Service) claims(f facts, out finding, size int64, theirs []byte) finding {
	now := s.c.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	if size <= f.ledger.Log.Size() {
		delete(s.ahead, out.witness.Key)
		return out
	}
	before, known := s.ahead[out.witness.Key]
	if !known && len(s.ahead) < 1000 {
		s.ahead[out.witness.Key] = claim{size, now}
	}
	if known && before.size > f.ledger.Log.Size() && now.Sub(before.since) >= s.c.Every {
		out.differs, out.size, out.theirs = Ahead, size, theirs
	}
	return out
}
