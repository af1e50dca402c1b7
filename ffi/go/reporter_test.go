package peerguard

import (
	"runtime"
	"testing"
	"time"
)

func successes(t testing.TB, guard *Guard, peer PeerID) uint64 {
	t.Helper()
	view, _, err := guard.View(peer)
	if err != nil {
		t.Fatal(err)
	}
	return view.SuccessfulMessages
}

func TestAReporterLosesNothing(t *testing.T) {
	guard := newGuard(t, nil)
	reporter := guard.Reporter()
	report := func(outcome Outcome) {
		t.Helper()
		permit := must(guard.Admit(id(1)))(t)
		if err := reporter.Report(&permit, Result{Outcome: outcome}); err != nil {
			t.Fatal(err)
		}
		is(t, reporter.Report(&permit, Result{}), ErrSpent)
		_, err := permit.Success(0)
		is(t, err, ErrSpent)
	}
	for range 100 {
		report(MessageSuccess)
	}
	if reported := successes(t, guard, id(1)); reported != 64 {
		t.Fatal(reported, "before the flush")
	}
	// A failure takes along what waits.
	report(MessageFailure)
	if reported := successes(t, guard, id(1)); reported != 100 {
		t.Fatal(reported, "after a failure")
	}
	report(MessageSuccess)
	if err := reporter.Flush(); err != nil {
		t.Fatal(err)
	}
	if reported := successes(t, guard, id(1)); reported != 101 {
		t.Fatal(reported, "after the flush")
	}
	allocations := testing.AllocsPerRun(100, func() {
		permit, err := guard.Admit(id(1))
		if err != nil {
			t.Fatal(err)
		}
		if err := reporter.Report(&permit, Result{Outcome: MessageSuccess}); err != nil {
			t.Fatal(err)
		}
	})
	if allocations != 0 {
		t.Fatal(allocations, "allocations")
	}
	if err := reporter.Close(); err != nil {
		t.Fatal(err)
	}
	if reported := successes(t, guard, id(1)); reported != 202 {
		t.Fatal(reported, "after the close")
	}
}

func TestAForgottenReporterHandsOverWhatWaits(t *testing.T) {
	guard := newGuard(t, nil)
	func() {
		permit := must(guard.Admit(id(1)))(t)
		if err := guard.Reporter().Report(&permit, Result{Outcome: MessageSuccess}); err != nil {
			t.Fatal(err)
		}
	}()
	for begun := time.Now(); successes(t, guard, id(1)) != 1; runtime.GC() {
		if time.Since(begun) > time.Minute {
			t.Fatal("lost")
		}
	}
}

func TestAReporterHandsOverProbesAndBreaksAtOnce(t *testing.T) {
	guard := newGuard(t, func(c *Config) { c.RecoveryTimeout = 20 * time.Millisecond })
	reporter := guard.Reporter()
	defer reporter.Close()
	for range 5 {
		permit := must(guard.Admit(id(1)))(t)
		if err := reporter.Report(&permit, Result{Outcome: Timeout}); err != nil {
			t.Fatal(err)
		}
	}
	_, err := guard.Admit(id(1))
	is(t, err, Open)
	time.Sleep(30 * time.Millisecond)
	for range 2 {
		probe := must(guard.Admit(id(1)))(t)
		if !probe.IsProbe() {
			t.Fatal("no probe")
		}
		if err := reporter.Report(&probe, Result{Outcome: SyncSuccess}); err != nil {
			t.Fatal(err)
		}
	}
	if view, _, _ := guard.View(id(1)); view.State != StateClosed {
		t.Fatal(view.State)
	}
}

func TestWhatAReporterRefuses(t *testing.T) {
	guard, other := newGuard(t, nil), newGuard(t, nil)
	reporter := guard.Reporter()
	permit := must(guard.Admit(id(1)))(t)
	is(t, reporter.Report(&permit, Result{Outcome: 99}), ErrInvalid)
	is(t, reporter.Report(&permit, Result{Latency: -1}), ErrLatency)
	is(t, reporter.Report(&Permit{}, Result{}), ErrPermit)
	// Permits of others go their own way.
	foreign := must(other.Admit(id(2)))(t)
	peer := must(guard.Peer(id(3)))(t)
	held := must(peer.Admit())(t)
	for _, permit := range []*Permit{&foreign, &held} {
		if err := reporter.Report(permit, Result{Outcome: MessageSuccess}); err != nil {
			t.Fatal(err)
		}
	}
	if successes(t, other, id(2)) != 1 || successes(t, guard, id(3)) != 1 {
		t.Fatal("not reported")
	}
	if err := reporter.Report(&permit, Result{Outcome: MessageSuccess}); err != nil {
		t.Fatal(err)
	}
	guard.Close()
	is(t, reporter.Close(), ErrClosed)
}
