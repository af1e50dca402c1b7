package peerguard

// #include "peerguard.h"
import "C"

import (
	"errors"
	"fmt"
	"time"
)

// Errors, for errors.Is. With each of them but ErrInternal nothing was done, unless the call says else.
var (
	// ErrRefused is what every [Refusal] is.
	ErrRefused = errors.New("peerguard: refused")
	// ErrClosed: the guard, peer or exporter was closed.
	ErrClosed = errors.New("peerguard: closed")
	// ErrConfig: a configured value is out of its range. A [ConfigError] tells which.
	ErrConfig = errors.New("peerguard: configuration")
	// ErrTableFull: no record can be made for the peer.
	ErrTableFull = errors.New("peerguard: table full")
	// ErrSpent: the permit has been reported or cancelled.
	ErrSpent = errors.New("peerguard: permit spent")
	// ErrPermit: not a permit of this guard or peer.
	ErrPermit = errors.New("peerguard: not a permit")
	// ErrLatency: a latency is negative.
	ErrLatency = errors.New("peerguard: latency")
	// ErrInvalid: a number is no enumerator of its kind, or a length or time is out of range.
	ErrInvalid = errors.New("peerguard: invalid argument")
	// ErrPeerID: the text is no peer id.
	ErrPeerID = errors.New("peerguard: not a peer id")
	// ErrText: a text is not what it should be: an address, a request.
	ErrText = errors.New("peerguard: invalid text")
	// ErrUnsupported: the library was built without exporters.
	ErrUnsupported = errors.New("peerguard: not in this build of the library")
	// ErrSystem: an address cannot be had, or the system gave no thread.
	ErrSystem = errors.New("peerguard: refused by the system")
	// ErrToken: to serve at an address that is not a loopback one, a token is needed.
	ErrToken = errors.New("peerguard: this address needs a token")
	// ErrTooMany: 2^20 guards, peers or exporters are open already.
	ErrTooMany = errors.New("peerguard: too many open")
	// ErrLibrary: the library that is linked has another interface than this package was made for.
	ErrLibrary = errors.New("peerguard: library of another version")
	// ErrInternal: a bug in the library was met.
	ErrInternal = errors.New("peerguard: internal error")
)

// failure turns a status into an error; nil for yes and no.
func failure(status C.int32_t) error {
	switch status {
	case C.PEERGUARD_OK, C.PEERGUARD_NO:
		return nil
	case C.PEERGUARD_ERR_FREED, C.PEERGUARD_ERR_HANDLE:
		// Handles of this package are made by it: what is none has been closed.
		return ErrClosed
	case C.PEERGUARD_ERR_CONFIG:
		return ErrConfig
	case C.PEERGUARD_ERR_TABLE_FULL:
		return ErrTableFull
	case C.PEERGUARD_ERR_SPENT:
		return ErrSpent
	case C.PEERGUARD_ERR_PERMIT:
		return ErrPermit
	case C.PEERGUARD_ERR_LATENCY:
		return ErrLatency
	case C.PEERGUARD_ERR_ENUM, C.PEERGUARD_ERR_LENGTH:
		return ErrInvalid
	case C.PEERGUARD_ERR_TEXT:
		return ErrText
	case C.PEERGUARD_ERR_UNSUPPORTED:
		return ErrUnsupported
	case C.PEERGUARD_ERR_SYSTEM:
		return ErrSystem
	case C.PEERGUARD_ERR_TOKEN:
		return ErrToken
	case C.PEERGUARD_ERR_TOO_MANY:
		return ErrTooMany
	default:
		return fmt.Errorf("%w: %s", ErrInternal, C.GoString(C.peerguard_status_text(status)))
	}
}

// Reason tells why a request was refused. It prints as its word, such as "open". It is an error, so that
// errors.Is(err, peerguard.Open) works.
type Reason uint32

// Reasons, in the order in which the rules are asked.
const (
	// Banned: a ban is in force.
	Banned Reason = C.PEERGUARD_REASON_BANNED
	// ForcedOpen: an operator forced the breaker open.
	ForcedOpen Reason = C.PEERGUARD_REASON_FORCED_OPEN
	// Open: the breaker is open.
	Open Reason = C.PEERGUARD_REASON_OPEN
	// ProbesOut: the breaker is half-open and all its probes are out.
	ProbesOut Reason = C.PEERGUARD_REASON_PROBES_OUT
	// PeerBytes: the peer's byte bucket is short.
	PeerBytes Reason = C.PEERGUARD_REASON_PEER_BYTES
	// PeerExceedsBurst: the request is larger than the peer's burst; it can never pass.
	PeerExceedsBurst Reason = C.PEERGUARD_REASON_PEER_EXCEEDS_BURST
	// GlobalBytes: the byte bucket of all peers is short.
	GlobalBytes Reason = C.PEERGUARD_REASON_GLOBAL_BYTES
	// GlobalExceedsBurst: the request is larger than the burst of all peers; it can never pass.
	GlobalExceedsBurst Reason = C.PEERGUARD_REASON_GLOBAL_EXCEEDS_BURST
	// TableFull: the peer is a newcomer, no record can be made for it, and [Config].RefuseNewcomers is set.
	TableFull Reason = C.PEERGUARD_REASON_TABLE_FULL
)

// Error is the word too, as [syscall.Errno] does it: fmt prints an error by Error, not by String.
func (r Reason) Error() string { return r.String() }

// Forever stands for a time that does not come, or a ban that ends only when lifted. It is the largest [time.Duration], which
// prints as 2562047h47m16.854775807s: compare with it first, or print the whole [Ban], which says it in words, or the whole
// [Refusal], which then tells no time.
const Forever time.Duration = 1<<63 - 1

// Refusal is a no: why, and when to come back.
type Refusal struct {
	// Reason is the first rule that refused.
	Reason Reason
	// RetryAfter is how long until that rule no longer refuses; [Forever] = never by itself.
	RetryAfter time.Duration
}

// Error says both, such as "peerguard: refused: open, retry after 29.3s"; without a time if there is none.
func (r *Refusal) Error() string {
	text := "peerguard: refused: " + r.Reason.String()
	if r.RetryAfter == Forever {
		return text
	}
	return fmt.Sprintf("%s, retry after %s", text, r.RetryAfter)
}

// Is makes errors.Is find [ErrRefused] and the [Reason].
func (r *Refusal) Is(target error) bool {
	reason, ok := target.(Reason)
	return target == ErrRefused || ok && reason == r.Reason
}

func refusal(no *C.peerguard_rejection) *Refusal {
	return &Refusal{Reason: Reason(no.reason), RetryAfter: duration(no.retry_after)}
}

// refusalIfAny is nil for a rejection without a reason.
func refusalIfAny(no *C.peerguard_rejection) *Refusal {
	if no.reason == C.PEERGUARD_REASON_NONE {
		return nil
	}
	return refusal(no)
}

func duration(nanos C.uint64_t) time.Duration {
	if nanos > C.uint64_t(Forever) {
		return Forever
	}
	return time.Duration(nanos)
}

// nanos is a duration for C; negative ones count as 0.
func nanos(d time.Duration) C.uint64_t {
	switch {
	case d == Forever:
		return C.PEERGUARD_NONE
	case d < 0:
		return 0
	default:
		return C.uint64_t(d)
	}
}
