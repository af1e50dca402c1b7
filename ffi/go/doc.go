// Package peerguard answers, for a peer-to-peer node, "may I talk to this peer now, and how much may I send?", and learns
// from every answer: a circuit breaker, a reputation and byte limits for every peer, under one gate.
//
//	guard, err := peerguard.New(peerguard.DefaultConfig())
//	...
//	permit, err := guard.Admit(id)
//	if err != nil {
//		var no *peerguard.Refusal
//		if errors.As(err, &no) {
//			comeBack(no.Reason, no.RetryAfter)
//		}
//		return err
//	}
//	if err := syncWith(id); err != nil {
//		permit.Failure()
//	} else {
//		permit.Success(took)
//	}
//
// Everything may be used from any goroutine at any time, but one Permit, Batch or Reporter by one at a time. To admit a peer
// that was admitted before and is simply closed takes no cgo call; everything else is one call, about 40 ns beyond what the
// library takes. A [Reporter] shares one call between many reports, [Guard.AdmitBatch] asks for many peers at once, and
// [Guard.Peer] holds a peer for a connection's lifetime. [Guard.Explain] tells why a peer is refused, [Guard.Serve] shows an
// operator how all of them fare.
package peerguard
