package main

import (
	peerguard "peerguard.example/go"
)

// own compares the guard's ways with each other, on one core.
func own() {
	ids := peers(1024)
	guard := known(ids)
	defer guard.Close()
	peer, err := guard.Peer(ids[0])
	must(err)
	defer peer.Close()
	call := side{"a cgo call", func(_, n int) {
		for range n {
			if _, err := peer.IsTracked(); err != nil {
				panic(err)
			}
		}
	}}
	compare(pair{what: "closed peer", n: 200_000, goal: 10, theirs: call, ours: side{"check by handle", func(_, n int) {
		for range n {
			if peer.Check() != nil {
				panic("refused")
			}
		}
	}}}, 1)

	const many = 64
	var batch peerguard.Batch
	results := make([]peerguard.Result, many)
	for i := range results {
		results[i].Outcome = peerguard.MessageSuccess
	}
	inBatches := func(n int, visit func(ids []peerguard.PeerID)) {
		for at := 0; n > 0; n -= many {
			visit(ids[at : at+many])
			at = (at + many) % len(ids)
		}
	}
	asked := func(ids []peerguard.PeerID) {
		if _, err := guard.AdmitBatch(&batch, ids); err != nil {
			panic(err)
		}
	}
	each64 := func(name string, visit func(id peerguard.PeerID)) side {
		return side{name, func(_, n int) {
			inBatches(n, func(ids []peerguard.PeerID) {
				for _, id := range ids {
					visit(id)
				}
			})
		}}
	}
	ours := side{"AdmitBatch of 64", func(_, n int) { inBatches(n, asked) }}
	compare(pair{what: "64 peers", n: 200_000, goal: 5, ours: ours,
		theirs: each64("64 admits by a call each", func(id peerguard.PeerID) {
			if _, err := guard.AdmitBytes(id, peerguard.Upload, 0); err != nil {
				panic(err)
			}
		})}, 1)
	compare(pair{what: "64 peers", n: 200_000, goal: 1, ours: ours,
		theirs: each64("64 Admits, without a call", func(id peerguard.PeerID) {
			if _, err := guard.Admit(id); err != nil {
				panic(err)
			}
		})}, 1)
	compare(pair{what: "64 peers", n: 200_000, goal: 1, ours: side{"AdmitBatch + ReportBatch", func(_, n int) {
		inBatches(n, func(ids []peerguard.PeerID) {
			asked(ids)
			if _, err := guard.ReportBatch(&batch, results); err != nil {
				panic(err)
			}
		})
	}}, theirs: each64("64 x (Admit + Report)", func(id peerguard.PeerID) {
		permit, err := guard.Admit(id)
		if err != nil {
			panic(err)
		}
		if _, err := permit.Report(results[0]); err != nil {
			panic(err)
		}
	})}, 1)
}
