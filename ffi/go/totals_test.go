package peerguard

import (
	"regexp"
	"testing"
)

func TestTotalsAreThoseOfASnapshot(t *testing.T) {
	guard, _ := newClockedGuard(t, func(c *Config) { c.DownloadLimit = 1 << 20 })
	for n := range byte(50) {
		must(guard.Report(id(n), Result{Outcome: SyncSuccess, Sent: 10}))(t)
	}
	trip(t, guard, id(3))
	_, err := guard.Admit(id(3))
	is(t, err, Open)
	totals := must(guard.Totals())(t)
	if totals != must(guard.Snapshot())(t).Totals {
		t.Fatalf("%+v", totals)
	}
	if totals.TotalPeers != 50 || totals.Open != 1 || totals.Uploaded != 500 || totals.Denied(Open) != 1 {
		t.Fatalf("%+v", totals)
	}
	peers, capacity, err := guard.Occupancy()
	if err != nil || peers != 50 || uint64(capacity) != totals.Capacity || capacity < 1000 {
		t.Fatal(peers, capacity, err)
	}
	if err := guard.Close(); err != nil {
		t.Fatal(err)
	}
	_, err = guard.Totals()
	is(t, err, ErrClosed)
	_, _, err = guard.Occupancy()
	is(t, err, ErrClosed)
}

func TestAHeldPeerIsReportedWithoutAPermit(t *testing.T) {
	guard := newGuard(t, nil)
	peer := must(guard.Peer(id(1)))(t)
	for range 5 {
		if recorded := must(peer.Report(Result{Outcome: Timeout, Received: 2}))(t); recorded != Counted {
			t.Fatal(recorded)
		}
	}
	is(t, peer.Check(), Open)
	if recorded := must(peer.Report(Result{Outcome: SyncSuccess}))(t); recorded != Ignored {
		t.Fatal(recorded)
	}
	view, _, err := guard.View(id(1))
	if err != nil || view.Timeouts != 5 || view.SuccessfulSyncs != 1 || view.BytesReceived != 10 {
		t.Fatalf("%+v %v", view, err)
	}
	_, err = peer.Report(Result{Latency: -1})
	is(t, err, ErrLatency)
	_, err = peer.Report(Result{Outcome: 99})
	is(t, err, ErrInvalid)
	result := Result{Outcome: MessageSuccess, Sent: 1}
	if allocations := testing.AllocsPerRun(100, func() { peer.Report(result) }); allocations != 0 {
		t.Fatal(allocations, "allocations")
	}
	if err := peer.Close(); err != nil {
		t.Fatal(err)
	}
	_, err = peer.Report(Result{})
	is(t, err, ErrClosed)
}

func TestTheLibraryTellsItsVersion(t *testing.T) {
	if version := Version(); !regexp.MustCompile(`^\d+\.\d+\.\d+`).MatchString(version) {
		t.Fatal(version)
	}
}
