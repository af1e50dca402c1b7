// A node that syncs with six peers over real sockets, three of which are no good.
//
// Each peer is a server on loopback. The node asks the guard before every sync, tells it how the sync went, and in the end
// prints what it has learnt. It exits with 1 if the guard has not kept it from the bad peers.
//
// usage: node [ADDRESS]: with an address such as 127.0.0.1:9100 it serves a page, metrics and queries there.
package main

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"syscall"
	"time"

	peerguard "peerguard.example/go"
)

const (
	rounds   = 60
	reply    = 512
	patience = time.Second
)

type peer struct {
	behaviour      string
	address        string
	handle         *peerguard.Peer
	tried, refused int
}

// serve answers each connection as its behaviour says.
func (p *peer) serve(listener net.Listener) {
	answer := make([]byte, reply)
	for n := 0; ; n++ {
		connection, err := listener.Accept()
		if err != nil {
			return
		}
		switch {
		case p.behaviour == "silent":
			// Until the node hangs up.
			io.Copy(io.Discard, connection)
		case p.behaviour == "flaky" && n%3 == 0:
		default:
			if p.behaviour == "lying" {
				answer[0] = 'x'
			}
			connection.Read(make([]byte, 1))
			connection.Write(answer)
		}
		connection.Close()
	}
}

func start(behaviour string) (*peer, error) {
	if behaviour == "dead" {
		address, err := reserve()
		return &peer{behaviour: behaviour, address: address}, err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	p := &peer{behaviour: behaviour, address: listener.Addr().String()}
	go p.serve(listener)
	return p, nil
}

// reserve binds a port without listening: dialling it is refused, and nobody else gets it.
func reserve() (address string, err error) {
	socket, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM, 0)
	if err != nil {
		return "", err
	}
	if err := syscall.Bind(socket, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		return "", err
	}
	bound, err := syscall.Getsockname(socket)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("127.0.0.1:%d", bound.(*syscall.SockaddrInet4).Port), nil
}

// sync is one sync with the peer: what came of it.
func (p *peer) sync() (result peerguard.Result) {
	began := time.Now()
	defer func() { result.Latency = time.Since(began) }()
	connection, err := net.DialTimeout("tcp", p.address, patience)
	if err != nil {
		return peerguard.Result{Outcome: peerguard.Unreachable}
	}
	defer connection.Close()
	connection.SetDeadline(began.Add(patience))
	if _, err := connection.Write([]byte{'s'}); err != nil {
		return peerguard.Result{Outcome: peerguard.Unreachable}
	}
	answer := make([]byte, reply)
	received, err := io.ReadFull(connection, answer)
	result = peerguard.Result{Outcome: peerguard.SyncSuccess, Sent: 1, Received: uint64(received)}
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		result.Outcome = peerguard.Timeout
	case err != nil:
		result.Outcome = peerguard.SyncFailure
	case answer[0] == 'x':
		result.Outcome = peerguard.ProtocolViolation
	}
	return result
}

// visit syncs with the peer if the guard lets us.
func (p *peer) visit() error {
	permit, err := p.handle.Admit()
	if errors.Is(err, peerguard.ErrRefused) {
		p.refused++
		return nil
	}
	if err != nil {
		return err
	}
	p.tried++
	_, err = permit.Report(p.sync())
	return err
}

func run() (well bool, err error) {
	config := peerguard.DefaultConfig()
	config.MaxPeers = 1000
	config.RecoveryTimeout = 500 * time.Millisecond
	config.ProbeTimeout = 2 * patience // longer than a sync takes
	guard, err := peerguard.New(config)
	if err != nil {
		return false, err
	}
	defer guard.Close()

	if len(os.Args) > 1 {
		exporter, err := guard.Serve(os.Args[1])
		if err != nil {
			return false, err
		}
		defer exporter.Close()
		fmt.Println("page at http://" + exporter.Address())
	}
	var peers []*peer
	for _, behaviour := range []string{"good", "good", "flaky", "silent", "lying", "dead"} {
		p, err := start(behaviour)
		if err != nil {
			return false, err
		}
		// A peer's id is its public key; here it is the digest of its address.
		if p.handle, err = guard.Peer(peerguard.DigestPeerID([]byte(p.address))); err != nil {
			return false, err
		}
		defer p.handle.Close()
		peers = append(peers, p)
	}
	for range rounds {
		for _, p := range peers {
			if err := p.visit(); err != nil {
				return false, err
			}
		}
		time.Sleep(10 * time.Millisecond)
	}

	well = true
	fmt.Printf("%-8s %6s %8s %8s %6s %10s %9s\n", "peer", "tried", "refused", "received", "score", "latency", "state")
	for _, p := range peers {
		view, _, err := guard.View(p.handle.ID())
		if err != nil {
			return false, err
		}
		banned := ""
		if view.Ban != nil {
			banned = ", banned"
		}
		fmt.Printf("%-8s %6d %8d %8d %6.1f %10s %9s%s\n", p.behaviour, p.tried, p.refused, view.BytesReceived, view.Score,
			view.Latency.Round(10*time.Microsecond), view.State, banned)
		switch p.behaviour {
		case "good", "flaky":
			well = well && p.refused == 0
		default:
			well = well && p.tried <= rounds/2
		}
	}
	return well, nil
}

func main() {
	well, err := run()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
	if err != nil || !well {
		os.Exit(1)
	}
}
