package peerguard

import "testing"

func benchmarkIDs(n int) []PeerID {
	ids := make([]PeerID, n)
	for i := range ids {
		ids[i] = PeerID{byte(i), byte(i >> 8), byte(i >> 16), 1}
	}
	return ids
}

func known(b *testing.B, peers int) (*Guard, []PeerID) {
	guard := newGuard(b, func(c *Config) { c.MaxPeers = uint64(peers) * 2 })
	ids := benchmarkIDs(peers)
	for _, id := range ids {
		must(guard.Report(id, Result{Outcome: MessageSuccess}))(b)
	}
	return guard, ids
}

func BenchmarkCgoCall(b *testing.B) {
	guard := newGuard(b, nil)
	for b.Loop() {
		isFreed(guardHandle(guard.handle))
	}
}

func BenchmarkPeerCheck(b *testing.B) {
	guard := newGuard(b, nil)
	peer := must(guard.Peer(id(1)))(b)
	b.ReportAllocs()
	for b.Loop() {
		if peer.Check() != nil {
			b.Fatal("refused")
		}
	}
}

func BenchmarkPeerAdmit(b *testing.B) {
	guard := newGuard(b, nil)
	peer := must(guard.Peer(id(1)))(b)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := peer.Admit(); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkAdmit(b *testing.B) {
	guard, ids := known(b, 1000)
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		if _, err := guard.Admit(ids[i%1000]); err != nil {
			b.Fatal(err)
		}
		i++
	}
}

// Each operation is one peer.
func BenchmarkAdmitBatch64(b *testing.B) {
	guard, ids := known(b, 1024)
	var batch Batch
	b.ReportAllocs()
	at := 0
	for i := 0; i < b.N; i += 64 {
		if _, err := guard.AdmitBatch(&batch, ids[at:at+64]); err != nil {
			b.Fatal(err)
		}
		at = (at + 64) % 1024
	}
}

func BenchmarkAdmitAndReport(b *testing.B) {
	guard, ids := known(b, 1000)
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		permit, err := guard.Admit(ids[i%1000])
		if err != nil {
			b.Fatal(err)
		}
		permit.Report(Result{Outcome: MessageSuccess})
		i++
	}
}
