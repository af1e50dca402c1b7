package peerguard

import (
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"sync"
	"testing"
	"time"
)

// byCall is an admit that the library makes, for comparing.
func byCall(t testing.TB, guard *Guard, id PeerID) (Permit, error) {
	t.Helper()
	var permit Permit
	err := guard.ask(&id, &permit)
	return permit, err
}

func TestAHintSaysWhatTheCallSays(t *testing.T) {
	// Few places, so that records are evicted, and hints point to other peers' records.
	guard, clock := newClockedGuard(t, func(c *Config) {
		c.MaxPeers = 64
		c.RecoveryTimeout = 2 * time.Millisecond
		c.BanDuration = 2 * time.Millisecond
		c.MaxOpenTime = 4 * time.Millisecond
	})
	outcomes := []Outcome{SyncSuccess, MessageSuccess, MessageSuccess, Timeout, SyncFailure, ProtocolViolation, Cancelled}
	random := rand.New(rand.NewPCG(7, 11))
	hits, refusals := 0, 0
	for range 200_000 {
		clock.Advance(5 * time.Microsecond)
		peer := id(byte(random.IntN(90)))
		switch random.IntN(40) {
		case 0:
			must(guard.Reset(peer))(t)
		case 1:
			must(guard.Unban(peer))(t)
		case 2:
			must(guard.Report(peer, Result{Outcome: Fatal}))(t)
		}
		seen, known := guard.hints.find(&peer, guard.hints.hash(&peer))
		permit, err := byCall(t, guard, peer)
		if known && err == nil && !permit.IsProbe() {
			hits++
			if uint32(permit.raw.slot) != seen.slot || uint32(permit.raw.life) != seen.life ||
				permit.raw.generation != generationOf(seen.gate) {
				t.Fatalf("%+v is not %+v", seen, permit.raw)
			}
		}
		if err != nil {
			refusals++
			// The hint may admit only whom the call admits.
			if known && seen.gate&closedMask == 0 {
				t.Fatalf("%+v for a peer that is refused: %v", seen, err)
			}
		} else if err := permit.Cancel(); err != nil {
			t.Fatal(err)
		}
		hinted, err := guard.Admit(peer)
		if err == nil {
			must(hinted.Report(Result{Outcome: outcomes[random.IntN(len(outcomes))]}))(t)
		}
	}
	if hits < 10_000 || refusals < 1_000 {
		t.Fatal(hits, "hits", refusals, "refusals")
	}
}

// Ids that are alike in all but one of the words that are compared, and such that a wrong comparison takes for alike.
func TestARecordIsNobodyElses(t *testing.T) {
	guard := newGuard(t, nil)
	words := [4]uint64{0, ^uint64(0), 0x0123456789abcdef, 0x0123456789abcdee}
	ids := make([]PeerID, 256)
	slots := make([]uint32, len(ids))
	for i := range ids {
		for word := range 4 {
			binary.LittleEndian.PutUint64(ids[i][8*word:], words[i>>(2*word)&3])
		}
		must(guard.Report(ids[i], Result{Outcome: SyncSuccess}))(t)
		slots[i] = uint32(must(guard.Admit(ids[i]))(t).raw.slot)
	}
	for i, slot := range slots {
		for j := range ids {
			if _, same := guard.hints.look(&ids[j], slot); same != (i == j) {
				t.Fatalf("%v in the record of %v: %v", ids[j], ids[i], same)
			}
		}
	}
}

// Two peers whose hints look alike do not drive out each other's.
func TestHintsThatLookAlikeLieSideBySide(t *testing.T) {
	guard := newGuard(t, func(c *Config) { c.MaxPeers = 4096 })
	h := guard.hints
	type place struct {
		set uint64
		tag uint32
	}
	seen := map[place]PeerID{}
	for n := uint64(0); ; n++ {
		var one PeerID
		binary.LittleEndian.PutUint64(one[:], n)
		sum := h.hash(&one)
		at := place{sum & h.last, h.tag(sum)}
		other, ok := seen[at]
		seen[at] = one
		if !ok {
			continue
		}
		for _, peer := range []PeerID{one, other, one} {
			must(guard.Report(peer, Result{Outcome: SyncSuccess}))(t)
			must(guard.Admit(peer))(t)
		}
		for _, peer := range []PeerID{one, other} {
			if _, known := h.find(&peer, h.hash(&peer)); !known {
				t.Fatal("forgotten")
			}
		}
		return
	}
}

func TestAHintedPermitIsTheCallsPermit(t *testing.T) {
	guard := newGuard(t, nil)
	for range 3 {
		must(guard.Report(id(1), Result{Outcome: Timeout}))(t)
	}
	must(guard.Admit(id(1)))(t)
	hinted := must(guard.Admit(id(1)))(t)
	called := must(byCall(t, guard, id(1)))(t)
	if hinted.raw != called.raw {
		t.Fatalf("%+v is not %+v", hinted.raw, called.raw)
	}
	allocations := testing.AllocsPerRun(100, func() {
		permit, err := guard.Admit(id(1))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := permit.Report(Result{Outcome: MessageSuccess}); err != nil {
			t.Fatal(err)
		}
	})
	if allocations != 0 {
		t.Fatal(allocations, "allocations")
	}
	if recorded := must(called.Failure())(t); recorded != Counted {
		t.Fatal(recorded)
	}
	if _, err := hinted.Refund(1); err != nil {
		t.Fatal(err)
	}
	if err := hinted.Cancel(); err != nil {
		t.Fatal(err)
	}
	is(t, hinted.Cancel(), ErrSpent)
	if err := guard.Ban(id(1), time.Hour, 1); err != nil {
		t.Fatal(err)
	}
	_, err := guard.Admit(id(1))
	is(t, err, Banned)
	guard.Close()
	_, err = guard.Admit(id(1))
	is(t, err, ErrClosed)
}

// Newcomers take the places of others all the while; no report may reach another peer.
func TestNoReportGoesAstrayWhileRecordsChangeHands(t *testing.T) {
	guard := newGuard(t, func(c *Config) { c.MaxPeers = 48; c.FailureThreshold = 31 })
	const workers, turns = 4, 30_000
	// Each worker has peers of its own, held so that their records stay, and sends strangers through the rest.
	var done sync.WaitGroup
	for worker := range byte(workers) {
		mine := id(worker)
		held := must(guard.Peer(mine))(t)
		defer held.Close()
		done.Add(1)
		go func() {
			defer done.Done()
			random := rand.New(rand.NewPCG(uint64(worker), 1))
			for range turns {
				permit, err := guard.Admit(mine)
				if err != nil {
					t.Error(err)
					return
				}
				if _, err := permit.Report(Result{Outcome: MessageSuccess}); err != nil {
					t.Error(err)
					return
				}
				stranger := PeerID{0: 99, 1: worker, 2: byte(random.IntN(200)), 31: 1}
				permit, err = guard.Admit(stranger)
				if err == nil {
					_, err = permit.Report(Result{Outcome: MessageFailure})
				}
				if err != nil && !errors.Is(err, ErrRefused) {
					t.Error(err)
				}
			}
		}()
	}
	done.Wait()
	for worker := range byte(workers) {
		view, known, err := guard.View(id(worker))
		if err != nil || !known || view.SuccessfulMessages != turns || view.FailedMessages != 0 {
			t.Fatalf("%+v %v %v", view, known, err)
		}
	}
	if totals := must(guard.Snapshot())(t).Totals; totals.Evictions == 0 {
		t.Fatal("no record changed hands")
	}
}

func TestABatchSaysWhatSingleAdmitsSay(t *testing.T) {
	guard := newGuard(t, func(c *Config) {
		c.MaxPeers = 64
		c.RecoveryTimeout, c.MaxOpenTime = time.Hour, time.Hour
	})
	random := rand.New(rand.NewPCG(5, 3))
	var batch Batch
	ids := make([]PeerID, 40)
	results := make([]Result, len(ids))
	hinted, called, refused := 0, 0, 0
	for range 3_000 {
		for i := range ids {
			ids[i] = id(byte(random.IntN(90)))
			results[i].Outcome = MessageSuccess
			if random.IntN(30) == 0 {
				results[i].Outcome = Timeout
			}
		}
		if random.IntN(4) == 0 {
			must(guard.Reset(ids[0]))(t)
			must(guard.Report(ids[1], Result{Outcome: Fatal}))(t)
		}
		admitted := must(guard.AdmitBatch(&batch, ids))(t)
		hinted += len(ids) - len(batch.asked)
		called += len(batch.asked)
		for i, peer := range ids {
			permit, err := byCall(t, guard, peer)
			if (err == nil) != batch.Admitted(i) || (err == nil) != (batch.Refusal(i) == nil) {
				t.Fatal(i, err, batch.Admitted(i), batch.Refusal(i))
			}
			var refusal *Refusal
			if errors.As(err, &refusal) && refusal.Reason != batch.Refusal(i).Reason {
				t.Fatal(i, refusal, batch.Refusal(i))
			}
			if err != nil {
				refused++
				admitted++
				continue
			}
			if batch.permits[i] != permit.raw {
				t.Fatalf("%+v is not %+v", batch.permits[i], permit.raw)
			}
			must(0, permit.Cancel())(t)
		}
		if admitted != len(ids) {
			t.Fatal(admitted, "of", len(ids))
		}
		must(guard.ReportBatch(&batch, results))(t)
	}
	if hinted < 10_000 || called < 10_000 || refused < 1_000 {
		t.Fatal(hinted, "hinted", called, "called", refused, "refused")
	}
}
