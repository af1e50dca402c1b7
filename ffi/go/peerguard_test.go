package peerguard

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"
)

func testConfig(change func(*Config)) Config {
	config := DefaultConfig()
	config.MaxPeers = 1000
	config.Jitter = 0
	if change != nil {
		change(&config)
	}
	return config
}

func newGuard(t testing.TB, change func(*Config)) *Guard {
	t.Helper()
	guard := must(New(testConfig(change)))(t)
	t.Cleanup(func() { guard.Close() })
	return guard
}

// newClockedGuard is a guard whose time the test moves.
func newClockedGuard(t testing.TB, change func(*Config)) (*Guard, *ManualClock) {
	t.Helper()
	clock := NewManualClock(time.Hour)
	guard := must(NewWithClock(testConfig(change), clock))(t)
	t.Cleanup(func() { guard.Close() })
	return guard, clock
}

func id(n byte) PeerID { return PeerID{0: n, 31: 1} }

// must(call)(t) is the call's value; its error fails the test.
func must[T any](value T, err error) func(testing.TB) T {
	return func(t testing.TB) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return value
	}
}

func is(t testing.TB, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Fatalf("%v, not %v", err, want)
	}
}

func trip(t testing.TB, guard *Guard, peer PeerID) {
	t.Helper()
	for range 5 {
		must(guard.Report(peer, Result{Outcome: Timeout}))(t)
	}
}

func TestABreakerOpensAndTellsWhenToComeBack(t *testing.T) {
	guard, clock := newClockedGuard(t, nil)
	late := must(guard.Admit(id(1)))(t)
	trip(t, guard, id(1))
	_, err := guard.Admit(id(1))
	is(t, err, ErrRefused)
	is(t, err, Open)
	var no *Refusal
	// Open times are kept in ticks of 2^20 ns, rounded up.
	if !errors.As(err, &no) || no.RetryAfter < 30*time.Second || no.RetryAfter > 30*time.Second+3<<20 {
		t.Fatalf("%#v", no)
	}
	if errors.Is(err, Banned) || !strings.HasPrefix(err.Error(), "peerguard: refused: open, retry after ") {
		t.Fatal(err)
	}
	if text := fmt.Sprintf("%v %s %v", no.Reason, no.Reason, error(no.Reason)); text != "open open open" {
		t.Fatal(text)
	}
	if recorded := must(late.Success(0))(t); recorded != Stale {
		t.Fatal(recorded)
	}
	_, err = late.Failure()
	is(t, err, ErrSpent)
	is(t, late.Cancel(), ErrSpent)
	clock.Advance(no.RetryAfter - 3<<20)
	_, err = guard.Admit(id(1))
	is(t, err, Open)
	clock.Advance(3 << 20)
	for range 2 {
		probe := must(guard.Admit(id(1)))(t)
		if !probe.IsProbe() {
			t.Fatal("no probe")
		}
		if recorded := must(probe.Success(3 * time.Millisecond))(t); recorded != Counted {
			t.Fatal(recorded)
		}
	}
	view, known, err := guard.View(id(1))
	if err != nil || !known || view.State != StateClosed || view.SuccessfulSyncs != 3 || view.Timeouts != 5 {
		t.Fatalf("%+v %v %v", view, known, err)
	}
}

func TestBytesAreTakenRefundedAndCounted(t *testing.T) {
	guard, clock := newClockedGuard(t, func(c *Config) { c.PerPeerUploadLimit = 1000 })
	permit := must(guard.AdmitBytes(id(1), Upload, 600))(t)
	if back := must(permit.Refund(100))(t); back != 100 || permit.Bytes() != 500 {
		t.Fatal(back, permit.Bytes())
	}
	must(permit.Report(Result{Outcome: MessageSuccess, Received: 7}))(t)
	_, err := guard.AdmitBytes(id(1), Upload, 5000)
	is(t, err, PeerExceedsBurst)
	var no *Refusal
	if !errors.As(err, &no) || no.RetryAfter != Forever {
		t.Fatal(err)
	}
	if must(guard.TryUpload(id(1), 900))(t) || !must(guard.TryDownload(id(1), 900))(t) {
		t.Fatal("the buckets")
	}
	clock.Advance(100 * time.Millisecond)
	part := must(guard.GrantUpTo(id(1), Upload, 5000))(t)
	if part.Bytes() != 600 {
		t.Fatal(part.Bytes())
	}
	if err := part.Cancel(); err != nil {
		t.Fatal(err)
	}
	_, err = guard.AdmitBytes(id(1), 9, 1)
	is(t, err, ErrInvalid)
	if err := guard.SetPeerLimits(id(1), 0, Inherit); err != nil {
		t.Fatal(err)
	}
	must(guard.AdmitBytes(id(1), Upload, 5000))(t)
	is(t, guard.UpdateLimits(Limits{Upload: 1 << 41}), ErrConfig)
	if limits := must(guard.Limits())(t); limits.PerPeerUpload != 1000 || limits.Upload != 0 {
		t.Fatal(limits)
	}
}

func TestAPeersGateIsSeenWithoutACall(t *testing.T) {
	guard := newGuard(t, nil)
	peer := must(guard.Peer(id(1)))(t)
	if !must(peer.IsTracked())(t) || peer.ID() != id(1) {
		t.Fatal("not tracked")
	}
	allocations := testing.AllocsPerRun(100, func() {
		if peer.Check() != nil {
			t.Fatal("refused")
		}
		permit, err := peer.Admit()
		if err != nil || !permit.loaded {
			t.Fatal("not by the gate word")
		}
	})
	if allocations != 0 {
		t.Fatal(allocations, "allocations")
	}
	stale := must(peer.Admit())(t)
	for range 5 {
		permit := must(peer.Admit())(t)
		if recorded := must(permit.Report(Result{Outcome: Unreachable}))(t); recorded != Counted {
			t.Fatal(recorded)
		}
		_, err := permit.Failure()
		is(t, err, ErrSpent)
	}
	is(t, peer.Check(), Open)
	_, err := peer.Admit()
	is(t, err, Open)
	if recorded := must(stale.Success(0))(t); recorded != Stale {
		t.Fatal("the generation was not carried: ", recorded)
	}
	must(guard.Reset(id(1)))(t)
	permit := must(peer.AdmitBytes(Download, 10))(t)
	must(permit.Success(0))(t)
	// The peer outlives its guard.
	if err := guard.Close(); err != nil {
		t.Fatal(err)
	}
	_, err = guard.Admit(id(1))
	is(t, err, ErrClosed)
	if err := peer.Check(); err != nil {
		t.Fatal(err)
	}
	permit = must(peer.Admit())(t)
	for range 2 {
		if err := peer.Close(); err != nil {
			t.Fatal(err)
		}
	}
	is(t, peer.Check(), ErrClosed)
	_, err = peer.Admit()
	is(t, err, ErrClosed)
	_, err = permit.Success(0)
	is(t, err, ErrClosed)
}

func TestClosingRacesWithUse(t *testing.T) {
	for range 50 {
		guard := newGuard(t, func(c *Config) { c.MaxPeers = 10 })
		peer := must(guard.Peer(id(1)))(t)
		var wait, begun sync.WaitGroup
		for range 4 {
			wait.Add(1)
			begun.Add(1)
			go func() {
				defer wait.Done()
				used := sync.OnceFunc(begun.Done)
				defer used()
				for {
					permit, err := peer.Admit()
					if err != nil {
						if !errors.Is(err, ErrClosed) {
							t.Error(err)
						}
						return
					}
					if _, err := permit.Success(time.Millisecond); err != nil && !errors.Is(err, ErrClosed) {
						t.Error(err)
					}
					used()
				}
			}()
		}
		begun.Wait()
		guard.Close()
		peer.Close()
		runtime.GC()
		wait.Wait()
	}
}

func TestWhatIsNotClosedIsFreedByTheCollector(t *testing.T) {
	var memory guardHandle
	func() {
		guard, err := New(DefaultConfig())
		if err != nil {
			t.Fatal(err)
		}
		must(guard.Peer(id(1)))(t)
		memory = guardHandle(guard.memory.anchor)
	}()
	for begun := time.Now(); !isFreed(memory); runtime.GC() {
		if time.Since(begun) > time.Minute {
			t.Fatal("the guard's memory is still held")
		}
	}
}

func TestABatchIsManyPeersInOneCall(t *testing.T) {
	guard := newGuard(t, nil)
	ids := make([]PeerID, 64)
	results := make([]Result, len(ids))
	for i := range ids {
		ids[i] = id(byte(i))
		results[i] = Result{Outcome: MessageSuccess, Latency: time.Millisecond}
	}
	if err := guard.Ban(ids[5], Forever, 3); err != nil {
		t.Fatal(err)
	}
	var batch Batch
	if admitted := must(guard.AdmitBatch(&batch, ids))(t); admitted != 63 {
		t.Fatal(admitted)
	}
	if batch.Admitted(5) || batch.Refusal(5).Reason != Banned || !batch.Admitted(6) || batch.Refusal(6) != nil {
		t.Fatal("the wrong ones")
	}
	recorded := func(i int, want bool) {
		t.Helper()
		if word, ok := batch.Recorded(i); ok != want || word != Counted {
			t.Fatal(word, ok)
		}
	}
	recorded(6, false)
	if reported := must(guard.ReportBatch(&batch, results))(t); reported != 63 {
		t.Fatal(reported)
	}
	recorded(6, true)
	recorded(5, false)
	if reported := must(guard.ReportBatch(&batch, results))(t); reported != 0 {
		t.Fatal("reported twice")
	}
	recorded(6, false)
	_, err := guard.ReportBatch(&batch, results[1:])
	is(t, err, ErrInvalid)
	must(guard.AdmitBatch(&batch, ids))(t)
	// Of the peer that was refused nothing is asked.
	results[5] = Result{Outcome: 99, Latency: -1}
	results[1].Latency = -1
	_, err = guard.ReportBatch(&batch, results)
	is(t, err, ErrLatency)
	results[1].Latency = 0
	_, err = newGuard(t, nil).ReportBatch(&batch, results)
	is(t, err, ErrPermit)
	if reported := must(guard.ReportBatch(&batch, results))(t); reported != 63 {
		t.Fatal(reported)
	}
	must(guard.AdmitBatch(&batch, ids))(t)
	if allocations := testing.AllocsPerRun(20, func() { guard.AdmitBatch(&batch, ids) }); allocations != 0 {
		t.Fatal(allocations, "allocations")
	}
}

func TestOperatorsSnapshotAndEvents(t *testing.T) {
	guard, _ := newClockedGuard(t, nil)
	for n := range byte(100) {
		must(guard.Report(id(n), Result{Outcome: SyncSuccess, Latency: 20 * time.Millisecond, Sent: 10}))(t)
	}
	must(guard.Report(id(7), Result{Outcome: SyncSuccess}))(t)
	if err := guard.Ban(id(3), time.Hour, 42); err != nil {
		t.Fatal(err)
	}
	if !must(guard.IsBanned(id(3)))(t) {
		t.Fatal("not banned")
	}
	snapshot := must(guard.Snapshot())(t)
	if len(snapshot.Peers) != 100 || snapshot.Totals.TotalPeers != 100 || snapshot.Totals.Banned != 1 ||
		snapshot.Totals.Uploaded != 1000 || snapshot.Latency == nil || snapshot.Latency.Peers != 100 {
		t.Fatalf("%+v", snapshot.Totals)
	}
	view := snapshot.Peers[3]
	if view.ID != id(3) || view.Ban == nil || !view.Ban.ByOperator || view.Ban.Code != 42 || view.Tier != TierBanned {
		t.Fatalf("%+v", view)
	}
	if age := time.Since(snapshot.TakenAt); age < 0 || age > time.Minute {
		t.Fatal(age)
	}
	ids, scores, err := guard.TopPeers(3)
	if err != nil || len(ids) != 3 || ids[0] != id(7) || scores[0] != 54 {
		t.Fatal(ids, scores, err)
	}
	if candidates := must(guard.SyncCandidates(math.MaxInt))(t); len(candidates) != 99 {
		t.Fatal(len(candidates))
	}
	if ids, _, err := guard.TopPeers(math.MaxInt); err != nil || len(ids) != 99 {
		t.Fatal(len(ids), err)
	}
	if !must(guard.Unban(id(3)))(t) || must(guard.Unban(id(3)))(t) {
		t.Fatal("unban")
	}
	if err := guard.Force(id(3), ForceOpen); err != nil {
		t.Fatal(err)
	}
	_, err = guard.Admit(id(3))
	is(t, err, ForcedOpen)
	is(t, guard.Force(id(3), NotForced), ErrInvalid)
	if count := must(guard.EventCount())(t); count != 3 {
		t.Fatal(count)
	}
	newest, next, lost, err := guard.EventsSince(1, math.MaxInt)
	if err != nil || len(newest) != 2 || newest[0].Kind != EventUnbanned || next != 3 || lost != 0 {
		t.Fatalf("%+v %d %d %v", newest, next, lost, err)
	}
	events := must(guard.Events(2))(t)
	events = append(events, must(guard.Events(math.MaxInt))(t)...)
	if len(events) != 3 || events[0].Kind != EventBanned || events[2].Kind.String() != "forced" || events[1].Peer != id(3) {
		t.Fatalf("%+v", events)
	}
	if snapshot := must(guard.Snapshot())(t); snapshot.Totals.Denied(ForcedOpen) != 1 {
		t.Fatal("not counted")
	}
}

func TestWhatIsWrongIsSaid(t *testing.T) {
	config := DefaultConfig()
	config.FailureThreshold = 99
	_, err := New(config)
	is(t, err, ErrConfig)
	if !strings.Contains(err.Error(), "FailureThreshold must be 1 to 31") {
		t.Fatal(err)
	}
	if classic := ClassicConfig(); classic.BanDuration != Forever || classic.Backoff {
		t.Fatalf("%+v", classic)
	}
	guard := newGuard(t, nil)
	_, err = guard.Report(id(1), Result{Outcome: 99})
	is(t, err, ErrInvalid)
	_, err = guard.Report(id(1), Result{Latency: -1})
	is(t, err, ErrLatency)
	is(t, guard.Ban(id(1), 0, 0), ErrInvalid)
	wrongLimit := func(err error, field string) {
		t.Helper()
		var wrong *ConfigError
		if !errors.As(err, &wrong) || wrong.Field != field || wrong.Allowed == "" {
			t.Fatal(err)
		}
	}
	wrongLimit(guard.UpdateLimits(Limits{PerPeerDownload: 1 << 41}), "PerPeerDownload")
	wrongLimit(guard.SetPeerLimits(id(1), 1<<41, Inherit), "Upload")
	wrongLimit(guard.SetPeerLimits(id(1), Inherit, 1<<41), "Download")
	var none Permit
	_, err = none.Success(0)
	is(t, err, ErrPermit)
	for range 2 {
		if err := guard.Close(); err != nil {
			t.Fatal(err)
		}
	}
	_, err = guard.Snapshot()
	is(t, err, ErrClosed)
	_, err = guard.Peer(id(1))
	is(t, err, ErrClosed)
}

func TestIDsAreRead(t *testing.T) {
	text := strings.Repeat("ab", 32)
	parsed, err := ParsePeerID(text)
	if err != nil || parsed.String() != text {
		t.Fatal(parsed, err)
	}
	for _, bad := range []string{"", text[1:], "g" + text[1:]} {
		_, err := ParsePeerID(bad)
		is(t, err, ErrPeerID)
		is(t, parsed.UnmarshalText([]byte(bad)), ErrPeerID)
	}
	encoded := must(json.Marshal(map[PeerID]PeerID{parsed: parsed}))(t)
	var decoded map[PeerID]PeerID
	if err := json.Unmarshal(encoded, &decoded); err != nil || decoded[parsed] != parsed {
		t.Fatal(string(encoded), err)
	}
	if digest := DigestPeerID([]byte("abc")); !strings.HasPrefix(digest.String(), "ba7816bf") {
		t.Fatal(digest)
	}
}

func TestCallsWithoutAPermitBringAPeerBack(t *testing.T) {
	guard, clock := newClockedGuard(t, nil)
	trip(t, guard, id(1))
	if must(guard.ShouldCommunicate(id(1)))(t) || !must(guard.ShouldCommunicate(id(2)))(t) {
		t.Fatal("the wrong one")
	}
	clock.Advance(time.Minute)
	// Without a probe out a report does not count for the breaker.
	if recorded := must(guard.Report(id(1), Result{}))(t); recorded != Ignored {
		t.Fatal(recorded)
	}
	for range 2 {
		if !must(guard.ShouldCommunicate(id(1)))(t) {
			t.Fatal("no probe")
		}
		if recorded := must(guard.Report(id(1), Result{}))(t); recorded != Counted {
			t.Fatal(recorded)
		}
	}
	if view, _, _ := guard.View(id(1)); view.State != StateClosed {
		t.Fatal(view.State)
	}
}

func TestAManualClockStandsUntilItIsMoved(t *testing.T) {
	clock := NewManualClock(-1)
	clock.Advance(-1)
	clock.Advance(5)
	if clock.Now() != 5 {
		t.Fatal(clock.Now())
	}
	clock.Set(3)
	if clock.Now() != 3 {
		t.Fatal(clock.Now())
	}
	clock.Set(Forever)
	clock.Advance(Forever)
	if clock.Now() != Forever {
		t.Fatal(clock.Now())
	}
	for _, none := range []*ManualClock{nil, {}} {
		_, err := NewWithClock(DefaultConfig(), none)
		is(t, err, ErrInvalid)
	}
}
