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

// What an exchange by key waits for with 100,000 peers: on each step a call follows that does nothing, and nothing behind a call
// begins before it has ended.
func BenchmarkWaits(b *testing.B) {
	const peers = 100_000
	guard, ids := known(b, peers)
	for i := range ids {
		// To the top, where a score stays.
		for range 25 {
			must(guard.Report(ids[i], Result{Outcome: SyncSuccess}))(b)
		}
		must(guard.Admit(ids[i]))(b)
	}
	call := func() { isFreed(guardHandle(guard.handle)) }
	var sink uint64
	for _, step := range []struct {
		name string
		do   func(id *PeerID)
	}{
		{"call", func(*PeerID) { call() }},
		{"key", func(id *PeerID) { sink += guard.hints.hash(id); call() }},
		{"hint", func(id *PeerID) { sink += uint64(*guard.hints.ask(guard.hints.hash(id))); call() }},
		{"record", func(id *PeerID) {
			seen, _ := guard.hints.find(id, guard.hints.hash(id))
			sink += seen.gate
			call()
		}},
		{"Admit", func(id *PeerID) { _, _ = guard.Admit(*id) }},
		{"AdmitAndReport", func(id *PeerID) {
			permit, _ := guard.Admit(*id)
			permit.Report(Result{Outcome: MessageSuccess})
		}},
	} {
		b.Run(step.name, func(b *testing.B) {
			at := 0
			for range b.N {
				step.do(&ids[at])
				if at += 7919; at >= peers {
					at -= peers
				}
			}
		})
	}
}
