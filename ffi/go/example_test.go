package peerguard_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"time"

	peerguard "peerguard.example/go"
)

func sync(id peerguard.PeerID) error { return errors.New("connection reset") }

// A node asks before each sync, and tells how it went.
func Example() {
	guard, err := peerguard.New(peerguard.DefaultConfig())
	if err != nil {
		panic(err)
	}
	defer guard.Close()

	id := peerguard.DigestPeerID([]byte("some peer"))
	for {
		permit, err := guard.Admit(id)
		var no *peerguard.Refusal
		if errors.As(err, &no) {
			fmt.Println(no.Reason, no.RetryAfter >= 20*time.Second)
			return
		}
		began := time.Now()
		if err := sync(id); err != nil {
			fmt.Println(err)
			permit.Failure()
		} else {
			permit.Success(time.Since(began))
		}
	}
	// Output:
	// connection reset
	// connection reset
	// connection reset
	// connection reset
	// connection reset
	// open true
}

// A connection holds its peer: as long as the peer is closed, a check is one atomic load.
func ExampleGuard_Peer() {
	guard, err := peerguard.New(peerguard.DefaultConfig())
	if err != nil {
		panic(err)
	}
	defer guard.Close()

	peer, err := guard.Peer(peerguard.PeerID{1})
	if err != nil {
		panic(err)
	}
	defer peer.Close()
	fmt.Println(peer.Check())
	if err := guard.Ban(peer.ID(), peerguard.Forever, 1); err != nil {
		panic(err)
	}
	fmt.Println(peer.Check(), errors.Is(peer.Check(), peerguard.Banned))
	// Output:
	// <nil>
	// peerguard: refused: banned true
}

// Why is this peer refused, and for how long?
func ExampleGuard_Explain() {
	config := peerguard.DefaultConfig()
	config.PerPeerUploadLimit = 1000
	guard, err := peerguard.New(config)
	if err != nil {
		panic(err)
	}
	defer guard.Close()

	id := peerguard.PeerID{1}
	guard.Report(id, peerguard.Result{Outcome: peerguard.ProtocolViolation})
	guard.Ban(id, peerguard.Forever, 7)
	why, err := guard.Explain(id)
	if err != nil {
		panic(err)
	}
	fmt.Println(why.Verdict.Reason, why.Verdict.RetryAfter == peerguard.Forever)
	fmt.Println("ban:", why.View.Ban)
	fmt.Println("breaker:", why.View.State, "failures:", why.View.FailuresInWindow)
	fmt.Printf("score: %.0f = %.0f %+.0f\n", why.Score.Score, why.Score.Initial, why.Score.Remembered)
	fmt.Printf("upload: %+v\n", why.PeerUpload)
	for _, event := range why.Events {
		fmt.Println("event:", event.Kind)
	}
	// Output:
	// banned true
	// ban: by an operator (code 7), until unbanned
	// breaker: closed failures: 1
	// score: 40 = 50 -10
	// upload: {Rate:1000 Burst:1000 Available:1000}
	// event: banned
}

// Many peers are asked in one call.
func ExampleGuard_AdmitBatch() {
	guard, err := peerguard.New(peerguard.DefaultConfig())
	if err != nil {
		panic(err)
	}
	defer guard.Close()

	ids := []peerguard.PeerID{{1}, {2}, {3}}
	if err := guard.Force(ids[1], peerguard.ForceOpen); err != nil {
		panic(err)
	}
	var batch peerguard.Batch
	admitted, err := guard.AdmitBatch(&batch, ids)
	if err != nil {
		panic(err)
	}
	fmt.Println(admitted, batch.Refusal(1))
	results := make([]peerguard.Result, len(ids))
	for i := range results {
		results[i] = peerguard.Result{Outcome: peerguard.MessageSuccess, Latency: time.Millisecond}
	}
	reported, err := guard.ReportBatch(&batch, results)
	fmt.Println(reported, err)
	// Output:
	// 2 peerguard: refused: forced_open
	// 2 <nil>
}

// Page, metrics and queries in one call, for an operator on this machine.
func ExampleGuard_Serve() {
	guard, err := peerguard.New(peerguard.DefaultConfig())
	if err != nil {
		panic(err)
	}
	defer guard.Close()

	exporter, err := guard.Serve("127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	defer exporter.Close()
	answer, err := http.Get("http://" + exporter.Address() + "/healthz")
	if err != nil {
		panic(err)
	}
	defer answer.Body.Close()
	fmt.Println(answer.Status)
	// Output:
	// 200 OK
}

// A node that has a server of its own puts the metrics there.
func ExampleExporter_MetricsHandler() {
	guard, err := peerguard.New(peerguard.DefaultConfig())
	if err != nil {
		panic(err)
	}
	defer guard.Close()
	exporter, err := guard.NewExporter(peerguard.DefaultExporterOptions())
	if err != nil {
		panic(err)
	}
	defer exporter.Close()

	mux := http.NewServeMux()
	mux.Handle("/metrics", exporter.MetricsHandler())
	server := httptest.NewServer(mux)
	defer server.Close()
	answer, err := http.Get(server.URL + "/metrics")
	if err != nil {
		panic(err)
	}
	defer answer.Body.Close()
	fmt.Println(answer.Status, answer.Header.Get("Content-Type"))
	// Output:
	// 200 OK text/plain; version=0.0.4; charset=utf-8
}

// What an operator asks, by GraphQL.
func ExampleExporter_Query() {
	guard, err := peerguard.New(peerguard.DefaultConfig())
	if err != nil {
		panic(err)
	}
	defer guard.Close()
	if err := guard.Ban(peerguard.PeerID{1}, peerguard.Forever, 0); err != nil {
		panic(err)
	}
	exporter, err := guard.NewExporter(peerguard.DefaultExporterOptions())
	if err != nil {
		panic(err)
	}
	defer exporter.Close()
	answer, err := exporter.Query("{ getReputationSummary { totalPeers bannedPeers } }", nil, peerguard.Reader)
	var read struct{ Data json.RawMessage }
	if err == nil {
		err = json.Unmarshal(answer, &read)
	}
	fmt.Println(string(read.Data), err)
	// Output:
	// {"getReputationSummary":{"totalPeers":1,"bannedPeers":1}} <nil>
}

// Bytes are taken from the peer's bucket and from that of all peers, or from neither.
func ExampleGuard_TryUpload() {
	config := peerguard.DefaultConfig()
	config.PerPeerUploadLimit = 1000
	// A bucket holds ten times what comes in this time: 100,000 bytes.
	config.RefillInterval = 10 * time.Second
	guard, err := peerguard.New(config)
	if err != nil {
		panic(err)
	}
	defer guard.Close()
	fmt.Println(guard.TryUpload(peerguard.PeerID{1}, 80_000))
	fmt.Println(guard.TryUpload(peerguard.PeerID{1}, 80_000))
	// Output:
	// true <nil>
	// false <nil>
}
