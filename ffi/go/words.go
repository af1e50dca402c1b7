package peerguard

// #include "peerguard.h"
import "C"

// The words of the enumerations. They stand here and not only in the library, so that to print one takes no cgo call.
var (
	reasonWords = []string{
		C.PEERGUARD_REASON_NONE: "none",
		Banned:                  "banned",
		ForcedOpen:              "forced_open",
		Open:                    "open",
		ProbesOut:               "probes_out",
		PeerBytes:               "peer_bytes",
		PeerExceedsBurst:        "peer_exceeds_burst",
		GlobalBytes:             "global_bytes",
		GlobalExceedsBurst:      "global_exceeds_burst",
		TableFull:               "table_full",
	}
	eventWords = []string{
		EventOpened:     "opened",
		EventHalfOpened: "half_opened",
		EventClosed:     "closed",
		EventProbesLost: "probes_lost",
		EventForced:     "forced",
		EventReset:      "reset",
		EventBanned:     "banned",
		EventUnbanned:   "unbanned",
		EventEvicted:    "evicted",
	}
	stateWords = []string{StateClosed: "closed", StateOpen: "open", StateHalfOpen: "half_open"}
	tierWords  = []string{
		TierBanned:    "banned",
		TierProbation: "probation",
		TierNeutral:   "neutral",
		TierGood:      "good",
		TierTrusted:   "trusted",
	}
	forcedWords = []string{
		NotForced:      "none",
		ForceOpen:      "open",
		ForceClosed:    "closed",
		ForceObserving: "observe",
	}
	outcomeWords = []string{
		SyncSuccess:       "sync_success",
		MessageSuccess:    "message_success",
		SyncFailure:       "sync_failure",
		MessageFailure:    "message_failure",
		Timeout:           "timeout",
		Unreachable:       "unreachable",
		ProtocolViolation: "protocol_violation",
		Fatal:             "fatal",
		Cancelled:         "cancelled",
		LocalError:        "local_error",
	}
	recordedWords = []string{
		Counted:   "counted",
		Stale:     "stale",
		Ignored:   "ignored",
		Untracked: "untracked",
	}
	directionWords = []string{Upload: "upload", Download: "download"}
	roleWords      = []string{Reader: "reader", Operator: "operator"}
	seriesWords    = []string{SeriesNone: "none", SeriesWorst: "worst", SeriesTop: "top", SeriesAll: "all"}
	formatWords    = []string{ClassicMetrics: "classic", OpenMetrics: "openmetrics"}
)

// word is the number's word; "unknown", as the library says, for a number that is none.
func word[E ~uint32](words []string, number E) string {
	if uint64(number) >= uint64(len(words)) {
		return "unknown"
	}
	return words[number]
}

// String is the word of the metrics.
func (r Reason) String() string { return word(reasonWords, r) }

// String is the word for the kind.
func (k EventKind) String() string { return word(eventWords, k) }

// String is the word of the metrics.
func (s State) String() string { return word(stateWords, s) }

// String is the word of the snapshot's JSON.
func (t Tier) String() string { return word(tierWords, t) }

// String is the word of the snapshot's JSON.
func (f Forced) String() string { return word(forcedWords, f) }

// String is the outcome in snake case.
func (o Outcome) String() string { return word(outcomeWords, o) }

// String is the answer in snake case.
func (r Recorded) String() string { return word(recordedWords, r) }

// String is the word of the metrics.
func (d Direction) String() string { return word(directionWords, d) }

// String is "reader" or "operator".
func (r Role) String() string { return word(roleWords, r) }

// String is the choice in one word.
func (s Series) String() string { return word(seriesWords, s) }

// String is "classic" or "openmetrics".
func (f MetricsFormat) String() string { return word(formatWords, f) }
