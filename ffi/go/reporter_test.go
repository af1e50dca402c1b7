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
	guard, clock := newClockedGuard(t, nil)
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
	clock.Advance(time.Minute)
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
	called := must(peer.AdmitBytes(Upload, 1))(t)
	for _, permit := range []*Permit{&foreign, &called} {
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
	late := must(peer.Admit())(t)
	peer.Close()
	is(t, reporter.Report(&late, Result{Outcome: MessageSuccess}), ErrClosed)
	first, second := must(guard.Admit(id(1)))(t), must(guard.Admit(id(1)))(t)
	if err := reporter.Report(&first, Result{Outcome: MessageSuccess}); err != nil {
		t.Fatal(err)
	}
	guard.Close()
	is(t, reporter.Report(&second, Result{Outcome: MessageSuccess}), ErrClosed)
	if err := reporter.Close(); err != nil {
		t.Fatal(err)
	}
	if err := reporter.Close(); err != nil {
		t.Fatal(err)
	}
	is(t, reporter.Report(&permit, Result{}), ErrClosed)
}

// What a peer gave by a call is reported by a call of its own, in its turn.
func TestAReporterKeepsTheOrderOfAPeersReports(t *testing.T) {
	guard := newGuard(t, nil)
	peer := must(guard.Peer(id(1)))(t)
	defer peer.Close()
	reporter := guard.Reporter()
	defer reporter.Close()
	for range 6 {
		loaded := must(peer.Admit())(t)
		called := must(peer.AdmitBytes(Upload, 5))(t)
		for _, one := range []struct {
			permit  *Permit
			outcome Outcome
		}{{&loaded, MessageSuccess}, {&called, Timeout}} {
			if err := reporter.Report(one.permit, Result{Outcome: one.outcome}); err != nil {
				t.Fatal(err)
			}
			if one.permit.Bytes() != 0 || one.permit.IsProbe() {
				t.Fatalf("%+v", one.permit)
			}
		}
	}
	if view, _, _ := guard.View(id(1)); view.State != StateClosed || view.Timeouts != 6 || view.SuccessfulMessages != 6 {
		t.Fatalf("%+v", view)
	}
}

func TestAReporterCollectsAPeersPermits(t *testing.T) {
	guard := newGuard(t, nil)
	peer := must(guard.Peer(id(1)))(t)
	reporter := guard.Reporter()
	report := func(outcome Outcome, want error) {
		t.Helper()
		permit := must(peer.Admit())(t)
		is(t, reporter.Report(&permit, Result{Outcome: outcome}), want)
		if want == nil {
			is(t, reporter.Report(&permit, Result{}), ErrSpent)
			is(t, permit.Cancel(), ErrSpent)
		}
	}
	for range 3 {
		report(MessageSuccess, nil)
	}
	report(99, ErrInvalid)
	if reported := successes(t, guard, id(1)); reported != 0 {
		t.Fatal(reported, "before the flush")
	}
	// It keeps its period.
	late := must(peer.Admit())(t)
	for range 5 {
		report(Timeout, nil)
	}
	if reported := successes(t, guard, id(1)); reported != 3 {
		t.Fatal(reported, "after a failure")
	}
	if err := reporter.Report(&late, Result{Outcome: MessageSuccess}); err != nil {
		t.Fatal(err)
	}
	// What waits for a peer that is closed is reported all the same.
	peer.Close()
	if err := reporter.Close(); err != nil {
		t.Fatal(err)
	}
	view, _, err := guard.View(id(1))
	if err != nil || view.SuccessfulMessages != 4 || view.Timeouts != 5 || view.State != StateOpen {
		t.Fatalf("%+v %v", view, err)
	}
}
