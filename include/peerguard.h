/* peerguard: may I talk to this peer now, and how much may I send?
 *
 * A circuit breaker, a reputation and byte limits for every peer of a peer-to-peer node, under one gate.
 *
 *     peerguard_config config;
 *     peerguard_guard guard;
 *     peerguard_config_init(&config, sizeof config);
 *     if (peerguard_new(&config, NULL, &guard) != PEERGUARD_OK) ...
 *
 *     peerguard_permit permit;
 *     peerguard_rejection no;
 *     switch (peerguard_admit(guard, &id, &permit, &no)) {
 *     case PEERGUARD_OK: {
 *         int well = sync_with(&id);
 *         peerguard_report(guard, &permit, well ? PEERGUARD_SYNC_SUCCESS : PEERGUARD_SYNC_FAILURE,
 *                          PEERGUARD_NONE, NULL, NULL);
 *         break;
 *     }
 *     case PEERGUARD_NO: come_back(no.reason, no.retry_after); break;
 *     default: a bug of the caller's; see peerguard_status_text
 *     }
 *
 *     peerguard_free(guard);
 *
 * What holds for every function:
 *
 * - Answers. PEERGUARD_OK (0) is yes or done; PEERGUARD_NO (1) is no; what is negative is an error, and then, but for
 *   PEERGUARD_ERR_PANIC, nothing was done. Refusals are not errors.
 * - Memory. What is handed out is copied into memory of yours; nothing is borrowed. The only texts that are returned are
 *   static. Pointers are used during the call only, except a clock's context.
 * - Pointers. NULL and misaligned ones are refused with a code; NULL is fine only where it says so. That the memory is
 *   there and large enough cannot be checked.
 * - Structs that may grow begin with struct_size; set it to the sizeof of yours, or let the init function do it.
 * - Handles (guards, peers, snapshots, exporters, texts) are 64-bit values, not pointers. One that was freed, that is of
 *   another kind, or that was never given out is refused with a code. Freeing waits for the calls that other threads are
 *   making on it.
 * - Threads. Every function may be called from any thread at any time, on the same handles too. None blocks another but
 *   what makes or frees handles and the publications of an exporter. Memory that you pass must not be written by others
 *   meanwhile.
 * - Not from inside: a call on a handle that is made by a clock of yours, or by a signal handler, while the same thread is
 *   in a call is refused with PEERGUARD_ERR_REENTRANT. What makes or frees a handle must not be called by a signal handler at
 *   all: it might wait for a lock that the interrupted thread holds.
 * - After fork, a child that runs another program needs nothing. One that goes on has a copy of the guards as they stood,
 *   without the threads: it may make guards of its own, and must neither use nor free handles from before. A free might
 *   wait for ever for a thread that is not there, an exporter has stopped, and what is recorded reaches the child only.
 * - Of several errors in one call one is told.
 * - Bugs of the library come back as PEERGUARD_ERR_PANIC, with a message on the standard error output; the process goes
 *   on. Only the want of memory ends it.
 * - Times are nanoseconds, rates are bytes per second, ids are 32 bytes.
 */


#ifndef PEERGUARD_H
#define PEERGUARD_H

#include <stddef.h>
#include <stdint.h>

// Yes, or done.
#define PEERGUARD_OK 0

// No. A gate refused (see `peerguard_rejection`), or there is nothing of what was asked for. Not an error.
#define PEERGUARD_NO 1

// A pointer that may not be NULL is NULL.
#define PEERGUARD_ERR_NULL -1

// A pointer is not aligned for its type.
#define PEERGUARD_ERR_ALIGNMENT -2

// The handle was never given out, or stands for another kind of object.
#define PEERGUARD_ERR_HANDLE -3

// The handle was freed.
#define PEERGUARD_ERR_FREED -4

// `struct_size` is not a size that this library knows.
#define PEERGUARD_ERR_STRUCT_SIZE -5

// A length or count is out of range.
#define PEERGUARD_ERR_LENGTH -6

// A number is no enumerator of its kind.
#define PEERGUARD_ERR_ENUM -7

// A field of a configuration, an exporter's option or a limit is out of its range. `peerguard_config_check` tells which, for
// limits too if they are put into a configuration, and `peerguard_exporter_options_check` does for options.
#define PEERGUARD_ERR_CONFIG -8

// A latency is NaN, infinite or negative.
#define PEERGUARD_ERR_LATENCY -9

// No record can be made for the peer: all places that its key may take hold peers in use or with an operator's setting.
#define PEERGUARD_ERR_TABLE_FULL -10

// The permit has been reported or cancelled already.
#define PEERGUARD_ERR_SPENT -11

// The memory holds no permit, or one that another guard or peer gave.
#define PEERGUARD_ERR_PERMIT -12

// The peer has no record, so there is no gate word to read.
#define PEERGUARD_ERR_UNTRACKED -13

// The call was made from inside another call of the same thread: from a node's clock or from a signal handler.
#define PEERGUARD_ERR_REENTRANT -14

// A bug in the library was met; the call may have taken effect in part. The next call works.
#define PEERGUARD_ERR_PANIC -15

// There are 2^20 handles of this kind already.
#define PEERGUARD_ERR_TOO_MANY -16

// The text is not what it should be: a peer id, an address, a request.
#define PEERGUARD_ERR_TEXT -17

// The library was built without this.
#define PEERGUARD_ERR_UNSUPPORTED -18

// The system refused: an address that cannot be had, or a thread.
#define PEERGUARD_ERR_SYSTEM -19

// To serve at an address that is not a loopback one, a token is needed.
#define PEERGUARD_ERR_TOKEN -20

// Version of this interface. A library whose number differs from the header's must not be used with it.
#define PEERGUARD_ABI_VERSION 1

// In a time: for ever, or never. In a limit of one peer: as for all peers. In a latency: not known.
#define PEERGUARD_NONE UINT64_MAX

// A newcomer that no record can be made for is served without one, and counted.
#define PEERGUARD_NEWCOMERS_UNTRACKED 0

// Such a newcomer is refused with PEERGUARD_REASON_TABLE_FULL.
#define PEERGUARD_NEWCOMERS_REFUSE 1

// Bytes of a peer id's text, with the 0 at its end.
#define PEERGUARD_ID_TEXT 65

// To the peer.
#define PEERGUARD_UPLOAD 0

// From the peer.
#define PEERGUARD_DOWNLOAD 1

// Nothing refused.
#define PEERGUARD_REASON_NONE 0

// A ban is in force.
#define PEERGUARD_REASON_BANNED 1

// An operator forced the breaker open.
#define PEERGUARD_REASON_FORCED_OPEN 2

// The breaker is open.
#define PEERGUARD_REASON_OPEN 3

// The breaker is half-open and all its probes are out.
#define PEERGUARD_REASON_PROBES_OUT 4

// The peer's byte bucket is short.
#define PEERGUARD_REASON_PEER_BYTES 5

// The request is larger than the peer's burst: it can never pass.
#define PEERGUARD_REASON_PEER_EXCEEDS_BURST 6

// The byte bucket of all peers is short.
#define PEERGUARD_REASON_GLOBAL_BYTES 7

// The request is larger than the burst of all peers: it can never pass.
#define PEERGUARD_REASON_GLOBAL_EXCEEDS_BURST 8

// The peer is a newcomer, no record can be made for it, and the configuration refuses such peers.
#define PEERGUARD_REASON_TABLE_FULL 9

// `hold` of a permit whose peer has a record, number `slot`.
#define PEERGUARD_HOLD_SEEN 1

// The result counted.
#define PEERGUARD_RECORDED_COUNTED 0

// The permit was of an earlier period: counters and reputation took the result, the breaker did not.
#define PEERGUARD_RECORDED_STALE 1

// Nothing for the breaker: a neutral outcome, a ban, a forced or open breaker, or no probe out for a report without permit.
#define PEERGUARD_RECORDED_IGNORED 2

// No record could be made for the peer; only the totals took the result.
#define PEERGUARD_RECORDED_UNTRACKED 3

// A sync went well: +2, a success for the breaker.
#define PEERGUARD_SYNC_SUCCESS 0

// A message went well: +0.5, a success for the breaker.
#define PEERGUARD_MESSAGE_SUCCESS 1

// A sync failed: -5, a failure for the breaker.
#define PEERGUARD_SYNC_FAILURE 2

// A message failed: -1, a failure for the breaker.
#define PEERGUARD_MESSAGE_FAILURE 3

// No answer in time: -1, a failure for the breaker.
#define PEERGUARD_TIMEOUT 4

// Refused, reset, or the dial failed: -1, a failure for the breaker.
#define PEERGUARD_UNREACHABLE 5

// The peer broke the protocol: -10, a failure for the breaker.
#define PEERGUARD_PROTOCOL_VIOLATION 6

// The peer did what no honest peer does: it is banned, a failure for the breaker.
#define PEERGUARD_FATAL 7

// We gave up for reasons of our own: no effect, a probe slot goes back.
#define PEERGUARD_CANCELLED 8

// We failed, not the peer: no effect, a probe slot goes back.
#define PEERGUARD_LOCAL_ERROR 9

// The breaker is closed.
#define PEERGUARD_STATE_CLOSED 0

// The breaker is open.
#define PEERGUARD_STATE_OPEN 1

// The breaker is half-open.
#define PEERGUARD_STATE_HALF_OPEN 2

// The breaker decides.
#define PEERGUARD_FORCED_NONE 0

// The peer is refused until reset.
#define PEERGUARD_FORCED_OPEN 1

// The breaker admits whatever happens; bans and byte limits stay.
#define PEERGUARD_FORCED_CLOSED 2

// Everything is computed and shown, nothing is refused.
#define PEERGUARD_FORCED_OBSERVE 3

// A ban is in force.
#define PEERGUARD_TIER_BANNED 0

// At most half the initial score.
#define PEERGUARD_TIER_PROBATION 1

// Below 60.
#define PEERGUARD_TIER_NEUTRAL 2

// Below 80.
#define PEERGUARD_TIER_GOOD 3

// 80 and above.
#define PEERGUARD_TIER_TRUSTED 4

// No ban is in force.
#define PEERGUARD_BAN_NONE 0

// Banned for the peer's own deeds.
#define PEERGUARD_BAN_EARNED 1

// Banned by an operator.
#define PEERGUARD_BAN_OPERATOR 2

// No ban is in force.
#define PEERGUARD_BAN_REASON_NONE 0

// The score fell to the minimum.
#define PEERGUARD_BAN_REASON_LOW_SCORE 1

// The peer did something fatal.
#define PEERGUARD_BAN_REASON_FATAL 2

// An operator's reason: see `ban_code`.
#define PEERGUARD_BAN_REASON_OPERATOR 3

// Number of reasons, and of the entries of `peerguard_totals.denied`; entry 0 is not used.
#define PEERGUARD_REASONS 10

// The breaker opened.
#define PEERGUARD_EVENT_OPENED 0

// The open time was over and the first probe was admitted.
#define PEERGUARD_EVENT_HALF_OPENED 1

// The breaker closed again.
#define PEERGUARD_EVENT_CLOSED 2

// Probes did not report in time and were taken back; `detail`: how many.
#define PEERGUARD_EVENT_PROBES_LOST 3

// An operator forced or observes the gate; `detail`: PEERGUARD_FORCED_...
#define PEERGUARD_EVENT_FORCED 4

// An operator reset the peer.
#define PEERGUARD_EVENT_RESET 5

// The peer was banned; `detail`: PEERGUARD_BAN_EARNED or PEERGUARD_BAN_OPERATOR.
#define PEERGUARD_EVENT_BANNED 6

// Its bans were lifted.
#define PEERGUARD_EVENT_UNBANNED 7

// Its record was given to a newcomer; `detail`: 1 if a ban was in force.
#define PEERGUARD_EVENT_EVICTED 8

// These bits of a gate word are 0 if the peer is simply closed: neither open nor half-open, not forced, never banned. An
// admit of 0 bytes would pass.
#define PEERGUARD_GATE_CLOSED_MASK 31

// This bit of a gate word is set if the peer has byte limits of its own.
#define PEERGUARD_GATE_LIMITED 32

// The generation in a gate word: shift right by this, then mask.
#define PEERGUARD_GATE_GENERATION_SHIFT 11

// See PEERGUARD_GATE_GENERATION_SHIFT.
#define PEERGUARD_GATE_GENERATION_MASK 16383

// No peer has series of its own in the metrics.
#define PEERGUARD_SERIES_NONE 0

// The worst of those in trouble.
#define PEERGUARD_SERIES_WORST 1

// Those with the highest scores.
#define PEERGUARD_SERIES_TOP 2

// Every peer: with 100,000 peers that is 400,000 series.
#define PEERGUARD_SERIES_ALL 3

// Prometheus' classic text, version 0.0.4.
#define PEERGUARD_METRICS_CLASSIC 0

// OpenMetrics 1.0.0.
#define PEERGUARD_METRICS_OPENMETRICS 1

// The request may only read.
#define PEERGUARD_ROLE_READER 0

// The request may also ban, unban, force, reset and change limits.
#define PEERGUARD_ROLE_OPERATOR 1

// Bytes of the longest address, with the 0 at its end.
#define PEERGUARD_ADDRESS_TEXT 64

// A peer's identity: 32 bytes, as a rule a public key.
typedef struct peerguard_id {
  // The bytes.
  uint8_t bytes[32];
} peerguard_id;

// A guard: breaker, reputation and byte limits of every peer. 0 is never one.
typedef uint64_t peerguard_guard;

// Leave to talk to a peer once: what an admit gives. It is memory of yours and needs no freeing; report it once, or cancel
// it, before the guard or peer that gave it is freed: afterwards it cannot be told any more. A copy of a permit is the same
// permit: report one of them, for the report of each would count. One that is lost reports nothing: if it is a probe, it keeps
// one of the half-open breaker's places until `probe_timeout`; bytes that it was granted stay taken and are not counted as
// moved. The fields are to be read, not written, but see `peerguard_records`.
typedef struct peerguard_permit {
  // The guard or peer that gave it.
  uint64_t owner;
  // Whose permit it is.
  struct peerguard_id id;
  // Bytes granted and not refunded.
  uint64_t bytes;
  // What the peer's bucket was charged, in its own units.
  uint64_t peer_charge;
  // What the bucket of all peers was charged.
  uint64_t global_charge;
  // Where the record was.
  uint32_t slot;
  // Whose the record was.
  uint32_t life;
  // The breaker's period that the permit was given in.
  uint16_t generation;
  // 0: no permit. 1: may be reported. 2: has been.
  uint8_t state;
  // How the record is found.
  uint8_t hold;
  // PEERGUARD_UPLOAD or PEERGUARD_DOWNLOAD: which way the bytes go.
  uint8_t direction;
  // 1: it probes a half-open breaker.
  uint8_t probe;
  // 0.
  uint8_t reserved[2];
} peerguard_permit;

// Bytes that were moved without a byte permit, for the counters.
typedef struct peerguard_traffic {
  // To the peer.
  uint64_t sent;
  // From the peer.
  uint64_t received;
} peerguard_traffic;

// Everything a guard is made from. Fill it with `peerguard_config_init`, then change what you like: a field that you do not
// know keeps its default.
//
// Times are in nanoseconds, rates in bytes per second.
typedef struct peerguard_config {
  // sizeof(peerguard_config), set by `peerguard_config_init`.
  size_t struct_size;
  // Most peers that have a record at one time: 1 to 2^26 (100,000). Memory is taken at the start: about 200 bytes for each,
  // and 64 more with a `failure_rate`.
  uint64_t max_peers;
  // Events that are kept: 1 to 2^20, rounded up to a power of two (1024), 56 bytes each.
  uint64_t event_capacity;
  // PEERGUARD_NEWCOMERS_...: when no record can be made (untracked).
  uint32_t newcomers;
  // Failures without a success between them, within `failure_window`, that open the breaker: 1 to 31 (5).
  uint32_t failure_threshold;
  // The rolling window in which failures count: 8 ns to 24 h (60 s).
  uint64_t failure_window;
  // How long an opened breaker refuses before it tries again: 1 ms to 24 h (30 s).
  uint64_t recovery_timeout;
  // Longest open time before jitter: `recovery_timeout` to 24 h (300 s).
  uint64_t max_open_time;
  // Probes that have not reported this long after the last one was admitted are taken back: 1 ms to 24 h;
  // PEERGUARD_NONE = `recovery_timeout` (PEERGUARD_NONE).
  uint64_t probe_timeout;
  // Successful probes that close a half-open breaker: 1 to 15 (2).
  uint32_t success_threshold;
  // Probes that a half-open breaker admits at once: 1 to 15; 0 = `success_threshold` (0).
  uint32_t half_open_max_probes;
  // 1: double the open time at each re-opening, and halve it per 300 s closed. 0: do not (1).
  uint32_t backoff;
  // Calls in the window before the share of failed ones is judged: 1 to 65,535 (20).
  uint32_t failure_rate_min_calls;
  // Share of failed calls that opens the breaker: above 0 and at most 1; 0 = not judged (0).
  double failure_rate;
  // Largest share of the open time that is added at random: 0 to 1 (0.1).
  double jitter;
  // Score of a peer that nothing is known of (50).
  double initial_score;
  // Largest score: at most 100 (100).
  double max_score;
  // The change that takes a score from above it to it or below bans: 0 to less than half of `initial_score` (0).
  double min_score;
  // What remains of the distance to `initial_score` after an hour: above 0, at most 1 (0.99).
  double hourly_decay_factor;
  // Length of the first earned ban, doubled for each remembered one: 1 ms to 10 years; PEERGUARD_NONE = until
  // unbanned (1 h).
  uint64_t ban_duration;
  // Longest earned ban: `ban_duration` to 10 years (24 h).
  uint64_t max_ban_duration;
  // Unbanned time in which one offence is forgotten: 1 s to 10 years (24 h).
  uint64_t offence_memory;
  // Weight of the latency in the order of sync candidates: 0 to 10 (0.1).
  double latency_weight;
  // Added to the score by a successful sync, as are the next ones by theirs: within -100 to 100 (2).
  double weight_sync_success;
  // By a failed sync (-5).
  double weight_sync_failure;
  // By a message that went well (0.5).
  double weight_message_success;
  // By one that failed (-1).
  double weight_message_failure;
  // By an answer that did not come in time (-1).
  double weight_timeout;
  // By a failed dial or a reset connection (-1).
  double weight_unreachable;
  // By a breach of the protocol (-10).
  double weight_protocol_violation;
  // Sent to all peers together, bytes per second: 0 = unlimited, at most 2^40 (0).
  uint64_t upload_limit_bps;
  // Received from all peers together, bytes per second (0).
  uint64_t download_limit_bps;
  // Sent to each peer, bytes per second (0). All newcomers without a record share one bucket of this rate.
  uint64_t per_peer_upload_bps;
  // Received from each peer, bytes per second (0); as above.
  uint64_t per_peer_download_bps;
  // A bucket holds ten times what its rate gives in this time, at least one byte: 1 ns to 1 h (100 ms).
  uint64_t refill_interval;
} peerguard_config;

// A clock of the node's own.
typedef struct peerguard_clock {
  // Tells nanoseconds since any origin. It is called on the hot paths from every thread that uses the guard: it must be
  // thread-safe, must not block, should not go back, and must not call this library for what has a handle
  // (PEERGUARD_ERR_REENTRANT), throw, or jump out.
  uint64_t (*now)(void *context);
  // Passed to `now`. It must live until the guard, its peers and its exporters are freed.
  void *context;
} peerguard_clock;

// Why a gate said no, and when to come back.
typedef struct peerguard_rejection {
  // Nanoseconds until this rule no longer refuses; PEERGUARD_NONE = never by itself.
  uint64_t retry_after;
  // PEERGUARD_REASON_...: the first rule that refused.
  uint32_t reason;
  // 0.
  uint32_t reserved;
} peerguard_rejection;

// What happened under one permit, for `peerguard_report_batch`.
typedef struct peerguard_result {
  // Nanoseconds, or PEERGUARD_NONE.
  uint64_t latency;
  // Bytes sent beyond those of the permit.
  uint64_t sent;
  // Bytes received beyond those of the permit.
  uint64_t received;
  // PEERGUARD_SYNC_SUCCESS and those after it.
  uint32_t outcome;
  // 0.
  uint32_t reserved;
} peerguard_result;

// One peer's record, held for as long as a connection lives: no hashing, no look-up, and the record is not evicted. 0 is
// never one.
typedef uint64_t peerguard_peer;

// How to find a peer's gate word again without a call, once its slot is known: what `peerguard_records_of` tells.
//
// Record number `slot` begins at `first` + `slot` * `stride`; `slot` is below `count`. All its words have 8 bytes, are
// aligned, and may be loaded atomically (acquire), never written. To ask for a peer whose permit bore that `slot` once
// (with `hold` PEERGUARD_HOLD_SEEN):
//
// 1. Load meta. If (meta & `tenant_mask`) differs from (meta & `life_mask`) + `live`, nobody is there.
// 2. Load the four words of the key: the id's bytes 0 to 7, then 8 to 15 and so on, least significant byte first. Load the
//    gate word.
// 3. Load meta again. If (meta & `tenant_mask`) has changed, the slot has changed hands.
//
// If the key is the peer's, and (gate & PEERGUARD_GATE_CLOSED_MASK) is 0, `peerguard_admit` would give a permit with these
// fields, and the binding may make it up and report it: `owner` the guard's handle, `id`, `slot`, `life` = meta & `life_mask`,
// `generation` from the gate word (see PEERGUARD_GATE_GENERATION_SHIFT), `state` 1, `hold` PEERGUARD_HOLD_SEEN, all else 0.
// In every other case: call `peerguard_admit`.
typedef struct peerguard_records {
  // sizeof(peerguard_records): set it before the call.
  size_t struct_size;
  // Address of record 0.
  const void *first;
  // Number of records.
  uint64_t count;
  // Bytes from one record to the next.
  uint64_t stride;
  // Offset of the meta word in a record.
  uint64_t meta;
  // Offset of the first word of the key.
  uint64_t key;
  // Offset of the gate word.
  uint64_t gate;
  // See step 1.
  uint64_t tenant_mask;
  // See step 1.
  uint64_t life_mask;
  // See step 1.
  uint64_t live;
} peerguard_records;

// The limits of a running guard, in bytes per second; 0 = unlimited, at most 2^40.
typedef struct peerguard_limits {
  // Sent to all peers together.
  uint64_t upload;
  // Received from all peers together.
  uint64_t download;
  // Sent to each peer that has no limit of its own.
  uint64_t per_peer_upload;
  // Received from each peer that has no limit of its own.
  uint64_t per_peer_download;
} peerguard_limits;

// One peer as it stood at one time. Times are in nanoseconds, wall-clock times since 1970.
typedef struct peerguard_peer_view {
  // sizeof(peerguard_peer_view): set it before the call.
  size_t struct_size;
  // Whose.
  struct peerguard_id id;
  // PEERGUARD_STATE_...; an open breaker whose time is over is half-open.
  uint32_t state;
  // PEERGUARD_FORCED_...
  uint32_t forced;
  // Number of the breaker's period.
  uint32_t generation;
  // Failures that count towards opening.
  uint32_t failures_in_window;
  // Doublings of the open time: of the next one while closed; of the last one otherwise, and a failed probe adds one.
  uint32_t backoff_level;
  // Probes that have not reported.
  uint32_t probes_out;
  // Probes that succeeded in this half-open period.
  uint32_t probe_successes;
  // PEERGUARD_TIER_...
  uint32_t tier;
  // What is left of the open time; 0 when not open.
  uint64_t open_remaining;
  // 0 to 100; frozen while a ban is in force.
  double score;
  // Successes / (successes + failures); 0.5 before the first.
  double reliability;
  // PEERGUARD_BAN_...: who banned.
  uint32_t ban_origin;
  // PEERGUARD_BAN_REASON_...
  uint32_t ban_reason;
  // What is left of the ban; PEERGUARD_NONE = until unbanned; 0 when not banned.
  uint64_t ban_remaining;
  // The operator's code of the ban.
  uint32_t ban_code;
  // Earned bans that are remembered.
  uint32_t offences;
  // Moving average of the latencies, in milliseconds; negative when none is known.
  double latency_ms;
  // Calls in the window, when breakers open by failure rate; else 0.
  uint64_t calls_in_window;
  // Failed calls in the window.
  uint64_t failed_calls_in_window;
  // Syncs that went well.
  uint64_t successful_syncs;
  // Syncs that failed; saturates at 2^32 - 1, as does every count of failures.
  uint64_t failed_syncs;
  // Messages that went well.
  uint64_t successful_messages;
  // Messages that failed.
  uint64_t failed_messages;
  // Answers that did not come in time.
  uint64_t timeouts;
  // Failed dials, refused and reset connections.
  uint64_t unreachable;
  // Breaches of the protocol.
  uint64_t protocol_violations;
  // Fatal outcomes.
  uint64_t fatal;
  // Bytes sent to the peer.
  uint64_t bytes_sent;
  // Bytes received from the peer.
  uint64_t bytes_received;
  // The peer's own upload limit; PEERGUARD_NONE = as for all peers.
  uint64_t upload_limit;
  // The peer's own download limit.
  uint64_t download_limit;
  // Used share of the upload bucket's burst, 0 to 1; 0 without a limit.
  double upload_used;
  // Used share of the download bucket's burst.
  double download_used;
  // When the record was made.
  int64_t first_seen;
  // When something was last recorded.
  int64_t last_seen;
} peerguard_peer_view;

// A byte bucket; all 0 without a limit.
typedef struct peerguard_bucket {
  // Bytes per second.
  uint64_t rate;
  // Bytes that a full bucket holds.
  uint64_t burst;
  // Bytes that it holds now.
  uint64_t available;
} peerguard_bucket;

// What an admit of a peer would say, and why.
typedef struct peerguard_explanation {
  // sizeof(peerguard_explanation): set it before the call.
  size_t struct_size;
  // The rule that would refuse; reason PEERGUARD_REASON_NONE: none would.
  struct peerguard_rejection verdict;
  // The refusal that an observed peer is spared.
  struct peerguard_rejection spared;
  // What the peer's score is made of: `score = initial + remembered`.
  double score;
  // What a peer without history has.
  double score_initial;
  // What is left of the outcomes so far.
  double score_remembered;
  // Added for its latency when sync candidates are ordered.
  double score_latency_bonus;
  // The peer's bucket for upload.
  struct peerguard_bucket peer_upload;
  // The peer's bucket for download.
  struct peerguard_bucket peer_download;
  // The bucket of all peers for upload.
  struct peerguard_bucket global_upload;
  // The bucket of all peers for download.
  struct peerguard_bucket global_download;
  // 1: the peer has a record, and `view` shows it. 0: `view` is all 0.
  uint32_t known;
  // 0.
  uint32_t reserved;
  // The peer as it stands.
  struct peerguard_peer_view view;
} peerguard_explanation;

// Something that happened to a peer.
typedef struct peerguard_event {
  // Number of the event in its guard, from 0.
  uint64_t sequence;
  // When, in nanoseconds since 1970, by the wall clock as it stands when the event is read.
  int64_t at;
  // To whom.
  struct peerguard_id id;
  // PEERGUARD_EVENT_...
  uint32_t kind;
  // See the kind.
  uint32_t detail;
} peerguard_event;

// Figures of the guard as a whole. The counters never fall, whoever is evicted.
typedef struct peerguard_totals {
  // sizeof(peerguard_totals): set it before the call.
  size_t struct_size;
  // Peers that have a record; closed + open + half_open.
  uint64_t total_peers;
  // Peers whose breaker is closed.
  uint64_t closed;
  // Peers whose breaker is open.
  uint64_t open;
  // Peers whose breaker is half-open.
  uint64_t half_open;
  // Peers with a ban in force.
  uint64_t banned;
  // Most peers that can have a record.
  uint64_t capacity;
  // Mean score; 0 without peers.
  double avg_score;
  // Mean reliability; 0 without peers.
  double avg_reliability;
  // Counter: bytes sent.
  uint64_t uploaded;
  // Counter: bytes received.
  uint64_t downloaded;
  // Counter: uploads that a peer's own bucket refused.
  uint64_t throttled_upload_peer;
  // Counter: uploads that the bucket of all peers refused.
  uint64_t throttled_upload_global;
  // Counter: downloads that a peer's own bucket refused.
  uint64_t throttled_download_peer;
  // Counter: downloads that the bucket of all peers refused.
  uint64_t throttled_download_global;
  // Upload limit of all peers together, bytes per second; 0 = unlimited.
  uint64_t upload_limit;
  // Download limit of all peers together.
  uint64_t download_limit;
  // Bytes that the upload bucket holds; PEERGUARD_NONE without a limit.
  uint64_t upload_available;
  // Bytes that the download bucket holds.
  uint64_t download_available;
  // Counter: breakers that opened.
  uint64_t trips;
  // Counter: probes that did not report in time.
  uint64_t probes_lost;
  // Counter: requests that an observed peer's gate would have refused.
  uint64_t would_deny;
  // Counter: records that were given to newcomers.
  uint64_t evictions;
  // Counter: of these, records with a ban in force.
  uint64_t evicted_bans;
  // Counter: requests and reports of newcomers for which no record could be made.
  uint64_t untracked;
  // Counter: records made.
  uint64_t records_made;
  // Counter: events that were overwritten before they were drained.
  uint64_t events_lost;
  // Counters: requests refused, by PEERGUARD_REASON_...
  uint64_t denied[PEERGUARD_REASONS];
} peerguard_totals;

// Everything that a guard knew at one time. 0 is never one.
typedef uint64_t peerguard_snapshot;

// Quantiles over the peers' average latencies, in milliseconds.
typedef struct peerguard_latency {
  // Peers that have a latency; with 0 the rest is 0.
  uint64_t peers;
  // Half of the peers are at most this slow.
  double p50;
  // Nine in ten.
  double p90;
  // 99 in a hundred.
  double p99;
  // 999 in a thousand.
  double p999;
} peerguard_latency;

// A text that a call made. 0 is never one.
typedef uint64_t peerguard_text;

// What an exporter does. Fill it with `peerguard_exporter_options_init`, then change what you like.
//
// The texts end with a 0, are UTF-8 of at most 4,096 bytes, are read during the call only, and may be NULL.
typedef struct peerguard_exporter_options {
  // sizeof(peerguard_exporter_options), set by `peerguard_exporter_options_init`.
  size_t struct_size;
  // Where to serve HTTP, such as "127.0.0.1:9100" or "[::1]:0"; port 0 takes a free one. NULL: nowhere (NULL).
  const char *address;
  // What a reader must send as `Authorization: Bearer`; needed where the address is not a loopback one (NULL).
  const char *token;
  // What an operator must send to change something; without it nothing can be changed over HTTP (NULL).
  const char *operator_token;
  // Names by which the server is reached besides localhost and addresses, separated by commas (NULL).
  const char *hosts;
  // Nanoseconds between two snapshots: 1 ms to 1 h; PEERGUARD_NONE = only by `peerguard_exporter_publish` (1 s).
  uint64_t interval;
  // A client must have sent its request, and an answer must move, within this time: 1 ms to 1 h (4 s).
  uint64_t timeout;
  // `/healthz` says 503 when the snapshot is older: 1 ms to 1 h (30 s).
  uint64_t stale_after;
  // Largest body of a request, in bytes: at most 2^30 (2^20).
  uint64_t max_body;
  // Most peers with series of their own (100).
  uint64_t series_limit;
  // PEERGUARD_SERIES_...: which peers have series of their own (worst).
  uint32_t series;
  // Most connections at once: 1 to 2^20 (4096), and never more than half of the descriptors that the process may open.
  uint32_t max_connections;
} peerguard_exporter_options;

// What tells others how a guard's peers fare. 0 is never one.
typedef uint64_t peerguard_exporter;

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

// PEERGUARD_ABI_VERSION of the library that is running. Compare it with the header's. Any thread.
uint32_t peerguard_abi_version(void);

// Version of the library that is running, such as "0.1.0". Static memory: never free it. Any thread.
const char *peerguard_version(void);

// What a call's return value means, in English; "unknown code" for a number that is none. Static memory. Any thread.
const char *peerguard_status_text(int32_t status);

// The word for a PEERGUARD_REASON_..., as in the metrics; "unknown" for a number that is none. Static memory. Any thread.
const char *peerguard_reason_text(uint32_t reason);

// The word for a PEERGUARD_EVENT_...; "unknown" for a number that is none. Static memory. Any thread.
const char *peerguard_event_text(uint32_t kind);

// Makes a peer id of an id of any length: its SHA-256 digest. For libp2p multihashes, enode records, addresses.
//
// `data`: `length` bytes; may be NULL if `length` is 0. Any thread; about 100 ns.
//
// Returns PEERGUARD_OK; PEERGUARD_ERR_NULL, _LENGTH.
int32_t peerguard_id_digest(const uint8_t *data,
                            size_t length,
                            struct peerguard_id *id);

// Reads a peer id from 64 hex digits of either case.
//
// `text`: `length` bytes, without an end mark. Any thread.
//
// Returns PEERGUARD_OK; PEERGUARD_ERR_NULL, _LENGTH; PEERGUARD_ERR_TEXT if it is not 64 hex digits, and `id` is as before.
int32_t peerguard_id_parse(const char *text,
                           size_t length,
                           struct peerguard_id *id);

// Writes a peer id as 64 hex digits and a 0.
//
// `text`: `capacity` bytes, at least PEERGUARD_ID_TEXT. Any thread.
//
// Returns PEERGUARD_OK; PEERGUARD_ERR_NULL, _LENGTH.
int32_t peerguard_id_format(const struct peerguard_id *id, char *text, size_t capacity);

// Reports what happened, and ends the permit.
//
// `permit`: one that this guard gave. `outcome`: PEERGUARD_SYNC_SUCCESS and those after it. `latency`: nanoseconds, or
// PEERGUARD_NONE. `traffic`: bytes moved beyond those of the permit; may be NULL. `recorded` receives
// PEERGUARD_RECORDED_...; may be NULL. Any thread, lock-free; one permit must not be used by two threads at once.
//
// Returns PEERGUARD_OK; PEERGUARD_ERR_SPENT if it was reported or cancelled, _PERMIT, _ENUM, _NULL, _ALIGNMENT, _HANDLE,
// _FREED, _REENTRANT, and then nothing is recorded or written.
int32_t peerguard_report(peerguard_guard guard,
                         struct peerguard_permit *permit,
                         uint32_t outcome,
                         uint64_t latency,
                         const struct peerguard_traffic *traffic,
                         uint32_t *recorded);

// Ends a permit without a result: neutral. A probe slot goes back; granted bytes that were not refunded count as moved.
//
// Returns as `peerguard_report`.
int32_t peerguard_cancel(peerguard_guard guard,
                         struct peerguard_permit *permit);

// Gives up to `bytes` of a permit's bytes back to the buckets that were charged, at the rates of then, never above full.
//
// `returned` receives how many were given back; may be NULL. The permit stays to be reported. Any thread, lock-free.
//
// Returns as `peerguard_report`.
int32_t peerguard_refund(peerguard_guard guard,
                         struct peerguard_permit *permit,
                         uint64_t bytes,
                         uint64_t *returned);

// Reports what happened with a peer, without a permit.
//
// In half-open it counts only while a probe of `peerguard_should_communicate` is out, and gives that back. Arguments as in
// `peerguard_report`. A record is made if there is none and the outcome has an effect. Any thread, lock-free.
//
// Returns PEERGUARD_OK; PEERGUARD_ERR_ENUM, _NULL, _ALIGNMENT, _HANDLE, _FREED, _REENTRANT.
int32_t peerguard_report_key(peerguard_guard guard,
                             const struct peerguard_id *id,
                             uint32_t outcome,
                             uint64_t latency,
                             const struct peerguard_traffic *traffic,
                             uint32_t *recorded);

// Writes the default configuration.
//
// `struct_size`: sizeof(peerguard_config). Any thread.
//
// Returns PEERGUARD_OK; PEERGUARD_ERR_NULL, _ALIGNMENT; PEERGUARD_ERR_STRUCT_SIZE if header and library do not match, and
// nothing is written.
int32_t peerguard_config_init(struct peerguard_config *config,
                              size_t struct_size);

// Writes the configuration that behaves as the original: no back-off, no jitter, bans that end only when lifted. Otherwise
// as `peerguard_config_init`.
int32_t peerguard_config_init_classic(struct peerguard_config *config,
                                      size_t struct_size);

// Tells whether a guard can be made from a configuration, and if not, which field is wrong and what it may be.
//
// `message`: `capacity` bytes for the text, cut to fit and ended by a 0; empty if all is well. May be NULL. Any thread.
//
// Returns PEERGUARD_OK; PEERGUARD_ERR_CONFIG; PEERGUARD_ERR_NULL, _ALIGNMENT, _STRUCT_SIZE, _ENUM, _LENGTH, and then
// nothing is written.
int32_t peerguard_config_check(const struct peerguard_config *config,
                               char *message,
                               size_t capacity);

// Makes a guard.
//
// Takes all its memory now, about 200 bytes for each of `max_peers`. `clock`: the node's own, or NULL for the system's,
// which counts the time that a machine is suspended. `guard` receives the handle; free it with `peerguard_free`. Any
// thread; milliseconds.
//
// Returns PEERGUARD_OK; PEERGUARD_ERR_CONFIG, _STRUCT_SIZE, _ENUM, _TOO_MANY; PEERGUARD_ERR_NULL (also for a clock
// without function), _ALIGNMENT.
int32_t peerguard_new(const struct peerguard_config *config,
                      const struct peerguard_clock *clock,
                      peerguard_guard *guard);

// Makes another handle of the same guard, to be freed by itself: the guard's memory lives until its last handle and its
// last peer are freed. For bindings whose objects end at different times.
//
// `other` receives the handle. Permits belong to the handle that gave them. Any thread.
//
// Returns PEERGUARD_OK; PEERGUARD_ERR_NULL, _ALIGNMENT, _TOO_MANY, _HANDLE, _FREED, _REENTRANT.
int32_t peerguard_share(peerguard_guard guard,
                        peerguard_guard *other);

// Frees a guard's handle.
//
// Waits until calls on it that other threads are making have returned; calls that come later, with this handle, get
// PEERGUARD_ERR_FREED. Of several threads that free it one succeeds. Peers and snapshots of the guard stay good until they
// are freed themselves, and peers keep its memory. Permits that are out need nothing.
//
// Returns PEERGUARD_OK; PEERGUARD_ERR_HANDLE, _FREED, _REENTRANT.
int32_t peerguard_free(peerguard_guard guard);

// May I talk to this peer now?
//
// Asks ban and breaker. An unknown peer is admitted and no record is made. `permit` receives the permit, to be ended with
// `peerguard_report` or `peerguard_cancel`; on no it is emptied. `rejection`, which may be NULL, is written on no only. Any
// thread, lock-free; a closed peer costs a look-up and no clock read.
//
// Returns PEERGUARD_OK, PEERGUARD_NO; PEERGUARD_ERR_NULL, _ALIGNMENT, _HANDLE, _FREED, _REENTRANT, and then nothing is
// written or counted.
int32_t peerguard_admit(peerguard_guard guard,
                        const struct peerguard_id *id,
                        struct peerguard_permit *permit,
                        struct peerguard_rejection *rejection);

// May I move so many bytes to or from this peer now?
//
// As `peerguard_admit`, and takes the bytes from the peer's bucket and from that of all peers, or from neither.
// `direction`: PEERGUARD_UPLOAD or PEERGUARD_DOWNLOAD. The bytes are counted as moved when the permit ends. 0 bytes is
// `peerguard_admit`. Where threads collide on the limit of all peers, up to an eighth of its burst may be set aside for them,
// and a request that needs it be refused; no more is ever let through.
//
// Returns as `peerguard_admit`; PEERGUARD_ERR_ENUM.
int32_t peerguard_admit_bytes(peerguard_guard guard,
                              const struct peerguard_id *id,
                              uint32_t direction,
                              uint64_t bytes,
                              struct peerguard_permit *permit,
                              struct peerguard_rejection *rejection);

// As `peerguard_admit_bytes`, for as many bytes as both buckets have now, from 1 to `want`: see `bytes` of the permit.
int32_t peerguard_grant_up_to(peerguard_guard guard,
                              const struct peerguard_id *id,
                              uint32_t direction,
                              uint64_t want,
                              struct peerguard_permit *permit,
                              struct peerguard_rejection *rejection);

// May I talk to this peer now? In half-open it takes a probe slot, which the next report without a permit gives back.
//
// Any thread, lock-free.
//
// Returns PEERGUARD_OK, PEERGUARD_NO; PEERGUARD_ERR_NULL, _HANDLE, _FREED, _REENTRANT.
int32_t peerguard_should_communicate(peerguard_guard guard,
                                     const struct peerguard_id *id);

// Reports a sync that went well, without a permit.
//
// `latency_ms`: milliseconds; NULL if not known. `recorded` receives PEERGUARD_RECORDED_...; may be NULL. Any thread,
// lock-free.
//
// Returns PEERGUARD_OK; PEERGUARD_ERR_LATENCY if it is NaN, infinite or negative; PEERGUARD_ERR_NULL, _ALIGNMENT,
// _HANDLE, _FREED, _REENTRANT; with an error nothing is recorded.
int32_t peerguard_record_success(peerguard_guard guard,
                                 const struct peerguard_id *id,
                                 const double *latency_ms,
                                 uint32_t *recorded);

// Reports a sync that failed, without a permit. As `peerguard_record_success`.
int32_t peerguard_record_failure(peerguard_guard guard, const struct peerguard_id *id, uint32_t *recorded);

// Takes bytes from the peer's bucket and from that of all peers, or from neither. Asks neither ban nor breaker, gives no
// permit, and counts the bytes as moved.
//
// `direction`: PEERGUARD_UPLOAD or PEERGUARD_DOWNLOAD. Any thread, lock-free.
//
// Returns PEERGUARD_OK, PEERGUARD_NO; PEERGUARD_ERR_ENUM, _NULL, _HANDLE, _FREED, _REENTRANT.
int32_t peerguard_take(peerguard_guard guard,
                       const struct peerguard_id *id,
                       uint32_t direction,
                       uint64_t bytes);

// As `peerguard_admit`, for `count` peers.
//
// `permits`: `count` places. A peer that is let in gets its permit; for one that is not, the permit is emptied (`state` 0).
// `rejections`: `count` places, or NULL; with PEERGUARD_REASON_NONE for those that are let in. `admitted` receives how many
// were let in; may be NULL. The peers are asked one after the other. Any thread, lock-free.
//
// Returns PEERGUARD_OK; PEERGUARD_ERR_NULL, _ALIGNMENT, _LENGTH, _HANDLE, _FREED, _REENTRANT, and then nobody was asked.
int32_t peerguard_admit_batch(peerguard_guard guard,
                              const struct peerguard_id *ids,
                              size_t count,
                              struct peerguard_permit *permits,
                              struct peerguard_rejection *rejections,
                              size_t *admitted);

// As `peerguard_report`, for `count` permits.
//
// `results`: one for each permit. `answers`: `count` places, or NULL; each receives what `peerguard_report` would have
// returned, and PEERGUARD_NO for an emptied permit, so that what `peerguard_admit_batch` filled can be passed as it is.
// `recorded`: `count` places for PEERGUARD_RECORDED_..., or NULL; written where the answer is PEERGUARD_OK. Any thread,
// lock-free.
//
// Returns PEERGUARD_OK; PEERGUARD_ERR_ENUM, _NULL, _ALIGNMENT, _LENGTH, _HANDLE, _FREED, _REENTRANT, and then nothing was
// recorded.
int32_t peerguard_report_batch(peerguard_guard guard,
                               struct peerguard_permit *permits,
                               const struct peerguard_result *results,
                               size_t count,
                               int32_t *answers,
                               uint32_t *recorded);

// Finds a peer's record, makes it if there is none, and holds it until `peerguard_peer_free`.
//
// `peer` receives the handle. When no record can be made, its calls go by key, see `peerguard_peer_is_tracked`. The handle
// keeps the guard's memory and works on when the guard is freed. Any thread; bounded work on first contact.
//
// Returns PEERGUARD_OK; PEERGUARD_ERR_NULL, _ALIGNMENT, _TOO_MANY, _HANDLE, _FREED, _REENTRANT.
int32_t peerguard_peer_open(peerguard_guard guard,
                            const struct peerguard_id *id,
                            peerguard_peer *peer);

// Frees a peer handle, when calls on it that other threads are making have returned. The record stays, and may be evicted.
// Permits that it gave cannot be reported afterwards: first the report of why a connection ended, then this.
//
// Returns PEERGUARD_OK; PEERGUARD_ERR_HANDLE, _FREED, _REENTRANT.
int32_t peerguard_peer_free(peerguard_peer peer);

// Tells whose handle it is. Any thread, lock-free.
//
// Returns PEERGUARD_OK; PEERGUARD_ERR_NULL, _HANDLE, _FREED, _REENTRANT.
int32_t peerguard_peer_id(peerguard_peer peer, struct peerguard_id *id);

// Has the peer a record? Any thread, lock-free.
//
// Returns PEERGUARD_OK, PEERGUARD_NO if none could be made; PEERGUARD_ERR_HANDLE, _FREED, _REENTRANT.
int32_t peerguard_peer_is_tracked(peerguard_peer peer);

// Tells where the peer's gate word stands, for bindings that would rather load it than call.
//
// `word` receives the address of 8 aligned bytes, which may be loaded atomically (acquire), never written, until this
// handle is freed. If (word & PEERGUARD_GATE_CLOSED_MASK) is 0, `peerguard_peer_admit` would pass, and the result may be
// reported by `peerguard_peer_report_period` with the word's generation. Otherwise call. What the other bits mean,
// but for PEERGUARD_GATE_LIMITED, is not part of the interface. Any thread.
//
// Returns PEERGUARD_OK; PEERGUARD_ERR_UNTRACKED if the peer has no record; PEERGUARD_ERR_NULL, _ALIGNMENT, _HANDLE,
// _FREED, _REENTRANT.
int32_t peerguard_peer_gate(peerguard_peer peer,
                            const uint64_t **word);

// Would `peerguard_peer_admit` pass now? Takes nothing and counts nothing.
//
// `rejection` is written on no only; may be NULL. Any thread, lock-free.
//
// Returns PEERGUARD_OK, PEERGUARD_NO; PEERGUARD_ERR_ALIGNMENT, _HANDLE, _FREED, _REENTRANT.
int32_t peerguard_peer_check(peerguard_peer peer, struct peerguard_rejection *rejection);

// As `peerguard_admit`, for a peer that is held. The permit ends with `peerguard_peer_report` or `peerguard_peer_cancel` on
// the same handle.
int32_t peerguard_peer_admit(peerguard_peer peer,
                             struct peerguard_permit *permit,
                             struct peerguard_rejection *rejection);

// As `peerguard_admit_bytes`, for a peer that is held.
int32_t peerguard_peer_admit_bytes(peerguard_peer peer,
                                   uint32_t direction,
                                   uint64_t bytes,
                                   struct peerguard_permit *permit,
                                   struct peerguard_rejection *rejection);

// As `peerguard_grant_up_to`, for a peer that is held.
int32_t peerguard_peer_grant_up_to(peerguard_peer peer,
                                   uint32_t direction,
                                   uint64_t want,
                                   struct peerguard_permit *permit,
                                   struct peerguard_rejection *rejection);

// As `peerguard_report`, for a permit that this handle gave.
int32_t peerguard_peer_report(peerguard_peer peer,
                              struct peerguard_permit *permit,
                              uint32_t outcome,
                              uint64_t latency,
                              const struct peerguard_traffic *traffic,
                              uint32_t *recorded);

// Reports for a peer whose gate word was loaded (see `peerguard_peer_gate`) instead of a permit taken.
//
// `generation`: from that word. `traffic`: bytes that were moved; it and `recorded` may be NULL. Any thread, lock-free.
//
// Returns PEERGUARD_OK; PEERGUARD_ERR_PERMIT for a generation that no word has; PEERGUARD_ERR_ENUM, _ALIGNMENT, _HANDLE,
// _FREED, _REENTRANT.
int32_t peerguard_peer_report_period(peerguard_peer peer,
                                     uint32_t generation,
                                     uint32_t outcome,
                                     uint64_t latency,
                                     const struct peerguard_traffic *traffic,
                                     uint32_t *recorded);

// As `peerguard_report_key`, for a peer that is held.
int32_t peerguard_peer_report_key(peerguard_peer peer,
                                  uint32_t outcome,
                                  uint64_t latency,
                                  const struct peerguard_traffic *traffic,
                                  uint32_t *recorded);

// As `peerguard_cancel`, for a permit that this handle gave.
int32_t peerguard_peer_cancel(peerguard_peer peer, struct peerguard_permit *permit);

// As `peerguard_refund`, for a permit that this handle gave.
int32_t peerguard_peer_refund(peerguard_peer peer,
                              struct peerguard_permit *permit,
                              uint64_t bytes,
                              uint64_t *returned);

// Tells where a guard's records lie: see `peerguard_records`. They stay there, whoever has them, until the last handle of
// the guard and the last of its peers are freed: who loads must keep one. Any thread.
//
// `records`: set its `struct_size` first.
//
// Returns PEERGUARD_OK; PEERGUARD_ERR_NULL, _ALIGNMENT, _STRUCT_SIZE, _HANDLE, _FREED, _REENTRANT.
int32_t peerguard_records_of(peerguard_guard guard,
                             struct peerguard_records *records);

// Bans a peer.
//
// `duration`: nanoseconds, rounded up to ticks of about 1 ms and at least one of them, or PEERGUARD_NONE for a ban that ends
// only when lifted; under a ban in force the later end holds. While it is in force the peer keeps its record.
// `code`: the operator's own reason, 0 to 255. Any thread; bounded work on first contact, lock-free otherwise.
//
// Returns PEERGUARD_OK; PEERGUARD_ERR_TABLE_FULL; PEERGUARD_ERR_ENUM for another code; PEERGUARD_ERR_NULL, _HANDLE,
// _FREED, _REENTRANT.
int32_t peerguard_ban(peerguard_guard guard,
                      const struct peerguard_id *id,
                      uint64_t duration,
                      uint32_t code);

// Lifts every ban of a peer and sets its initial score. Offences are remembered: the next earned ban is as long as if this
// one had ended.
//
// Returns PEERGUARD_OK, PEERGUARD_NO if no ban was in force; PEERGUARD_ERR_NULL, _HANDLE, _FREED, _REENTRANT.
int32_t peerguard_unban(peerguard_guard guard,
                        const struct peerguard_id *id);

// Is a ban of this peer in force?
//
// Returns PEERGUARD_OK, PEERGUARD_NO; PEERGUARD_ERR_NULL, _HANDLE, _FREED, _REENTRANT.
int32_t peerguard_is_banned(peerguard_guard guard, const struct peerguard_id *id);

// Overrides a peer's gate until `peerguard_reset`; until then the peer keeps its record.
//
// `forced`: PEERGUARD_FORCED_OPEN, _CLOSED or _OBSERVE; an override is lifted by `peerguard_reset` only. Any thread.
//
// Returns PEERGUARD_OK; PEERGUARD_ERR_TABLE_FULL, _ENUM (also for PEERGUARD_FORCED_NONE), _NULL, _HANDLE, _FREED,
// _REENTRANT.
int32_t peerguard_force(peerguard_guard guard,
                        const struct peerguard_id *id,
                        uint32_t forced);

// Sets breaker, ban, score and offences of a peer as of a new one; counters and own limits stay. Any thread.
//
// Returns PEERGUARD_OK, PEERGUARD_NO if it has no record; PEERGUARD_ERR_NULL, _HANDLE, _FREED, _REENTRANT.
int32_t peerguard_reset(peerguard_guard guard, const struct peerguard_id *id);

// Gives a peer byte limits of its own, from now on; its buckets keep their used share. It keeps its record until both are
// PEERGUARD_NONE.
//
// `upload`, `download`: bytes per second; 0 = unlimited, PEERGUARD_NONE = as for all peers, at most 2^40. Any thread.
//
// Returns PEERGUARD_OK; PEERGUARD_ERR_CONFIG for a limit out of range, _TABLE_FULL, _NULL, _HANDLE, _FREED, _REENTRANT.
int32_t peerguard_set_peer_limits(peerguard_guard guard,
                                  const struct peerguard_id *id,
                                  uint64_t upload,
                                  uint64_t download);

// Reads the limits in force. Any thread, lock-free.
//
// Returns PEERGUARD_OK; PEERGUARD_ERR_NULL, _ALIGNMENT, _HANDLE, _FREED, _REENTRANT.
int32_t peerguard_get_limits(peerguard_guard guard, struct peerguard_limits *limits);

// Changes the limits, for all requests from now on; each bucket keeps its used share. Any thread, lock-free.
//
// Returns PEERGUARD_OK; PEERGUARD_ERR_CONFIG for a limit out of range, and then none is changed; PEERGUARD_ERR_NULL,
// _ALIGNMENT, _HANDLE, _FREED, _REENTRANT.
int32_t peerguard_update_limits(peerguard_guard guard,
                                const struct peerguard_limits *limits);

// Reads one peer as it stands now.
//
// `view`: set its `struct_size` first. Any thread; about 100 ns.
//
// Returns PEERGUARD_OK, PEERGUARD_NO if the peer has no record, and `view` is as before; PEERGUARD_ERR_NULL,
// _ALIGNMENT, _STRUCT_SIZE, _HANDLE, _FREED, _REENTRANT.
int32_t peerguard_view(peerguard_guard guard,
                       const struct peerguard_id *id,
                       struct peerguard_peer_view *view);

// Tells what an admit of this peer would say now, by which rule and until when, with everything behind it. Changes nothing,
// not even a counter.
//
// `explanation`: set its `struct_size` first. `events`: `capacity` places for the peer's newest events, newest first (at
// most 16 are known); may be NULL. `written` receives how many were put there; may be NULL. Any thread; microseconds.
//
// Returns PEERGUARD_OK if the peer would be admitted, PEERGUARD_NO if not; PEERGUARD_ERR_NULL, _ALIGNMENT, _LENGTH,
// _STRUCT_SIZE, _HANDLE, _FREED, _REENTRANT.
int32_t peerguard_explain(peerguard_guard guard,
                          const struct peerguard_id *id,
                          struct peerguard_explanation *explanation,
                          struct peerguard_event *events,
                          size_t capacity,
                          size_t *written);

// Reads the figures of the guard as a whole, in one pass over its records: about 30 ns for each. Any thread.
//
// `totals`: set its `struct_size` first.
//
// Returns PEERGUARD_OK; PEERGUARD_ERR_NULL, _ALIGNMENT, _STRUCT_SIZE, _HANDLE, _FREED, _REENTRANT.
int32_t peerguard_get_totals(peerguard_guard guard, struct peerguard_totals *totals);

// Finds the peers to sync with first: closed ones by score and latency, then the half-open ones with a free probe.
//
// `ids`: `capacity` places. `written` receives how many were put there. One pass over all records. Any thread.
//
// Returns PEERGUARD_OK; PEERGUARD_ERR_NULL, _ALIGNMENT, _LENGTH, _HANDLE, _FREED, _REENTRANT.
int32_t peerguard_sync_candidates(peerguard_guard guard,
                                  struct peerguard_id *ids,
                                  size_t capacity,
                                  size_t *written);

// Finds the best peers: highest score first, then earlier first seen, then id; banned ones left out.
//
// `ids`: `capacity` places. `scores`: `capacity` places for their scores; may be NULL. `written` receives how many were put
// there. One pass over all records. Any thread.
//
// Returns PEERGUARD_OK; PEERGUARD_ERR_NULL, _ALIGNMENT, _LENGTH, _HANDLE, _FREED, _REENTRANT.
int32_t peerguard_top_peers(peerguard_guard guard,
                            struct peerguard_id *ids,
                            double *scores,
                            size_t capacity,
                            size_t *written);

// Takes the oldest events that nobody has drained yet. Each event is drained once, whichever thread asks.
//
// `events`: `capacity` places, each of `event_size` = sizeof(peerguard_event) bytes. `written` receives how many were put
// there. `lost` receives how many were overwritten before they could be drained, since the guard was made; may be NULL.
// Any thread.
//
// Returns PEERGUARD_OK; PEERGUARD_ERR_NULL, _ALIGNMENT, _LENGTH, _STRUCT_SIZE, _HANDLE, _FREED, _REENTRANT.
int32_t peerguard_drain_events(peerguard_guard guard,
                               struct peerguard_event *events,
                               size_t event_size,
                               size_t capacity,
                               size_t *written,
                               uint64_t *lost);

// Reads the events from number `cursor` on, for a reader who keeps a cursor of its own: nothing is taken from other readers
// or from `peerguard_drain_events`. Begin with 0, or with what `peerguard_event_count` tells.
//
// `events`, `written`: as for `peerguard_drain_events`. `next` receives where to go on. `lost` receives how many before or
// between these were overwritten; may be NULL. Any thread.
//
// Returns PEERGUARD_OK; PEERGUARD_ERR_NULL, _ALIGNMENT, _LENGTH, _STRUCT_SIZE, _HANDLE, _FREED, _REENTRANT.
int32_t peerguard_events_since(peerguard_guard guard,
                               uint64_t cursor,
                               struct peerguard_event *events,
                               size_t event_size,
                               size_t capacity,
                               size_t *written,
                               uint64_t *next,
                               uint64_t *lost);

// Tells how many events there have been: the number of the next one. Any thread, lock-free.
//
// Returns PEERGUARD_OK; PEERGUARD_ERR_NULL, _ALIGNMENT, _HANDLE, _FREED, _REENTRANT.
int32_t peerguard_event_count(peerguard_guard guard, uint64_t *count);

// Tells how many peers have a record, and how many can have one. Any thread, lock-free.
//
// Returns PEERGUARD_OK; PEERGUARD_ERR_NULL, _ALIGNMENT, _HANDLE, _FREED, _REENTRANT.
int32_t peerguard_occupancy(peerguard_guard guard, size_t *peers, size_t *capacity);

// Takes a snapshot: one pass over the records, no lock, no writer is held up. About 30 ns and 160 bytes for each peer;
// the first who reads totals or peers from it pays some more.
//
// `snapshot` receives the handle; free it with `peerguard_snapshot_free`. It stays good when the guard is freed. Any thread.
//
// Returns PEERGUARD_OK; PEERGUARD_ERR_NULL, _ALIGNMENT, _TOO_MANY, _HANDLE, _FREED, _REENTRANT.
int32_t peerguard_snapshot_take(peerguard_guard guard,
                                peerguard_snapshot *snapshot);

// Frees a snapshot, when calls on it that other threads are making have returned.
//
// Returns PEERGUARD_OK; PEERGUARD_ERR_HANDLE, _FREED, _REENTRANT.
int32_t peerguard_snapshot_free(peerguard_snapshot snapshot);

// Reads a snapshot's figures.
//
// `totals`: set its `struct_size` first. `latency` receives the quantiles over the peers' latencies, `taken_at` the time in
// nanoseconds since 1970; both may be NULL. Any thread.
//
// Returns PEERGUARD_OK; PEERGUARD_ERR_NULL, _ALIGNMENT, _STRUCT_SIZE, _HANDLE, _FREED, _REENTRANT.
int32_t peerguard_snapshot_totals(peerguard_snapshot snapshot,
                                  struct peerguard_totals *totals,
                                  struct peerguard_latency *latency,
                                  int64_t *taken_at);

// Reads a snapshot's peers, in the order of their ids, from number `first` (0 is the first) on.
//
// `views`: `capacity` places, each of `view_size` = sizeof(peerguard_peer_view) bytes. `written` receives how many were put
// there: fewer than `capacity` at the end. Any thread.
//
// Returns PEERGUARD_OK; PEERGUARD_ERR_NULL, _ALIGNMENT, _LENGTH, _STRUCT_SIZE, _HANDLE, _FREED, _REENTRANT.
int32_t peerguard_snapshot_peers(peerguard_snapshot snapshot,
                                 size_t first,
                                 struct peerguard_peer_view *views,
                                 size_t view_size,
                                 size_t capacity,
                                 size_t *written);

// Reads a snapshot's best peers, best first; see `peerguard_top_peers`. Arguments as in `peerguard_snapshot_peers`.
int32_t peerguard_snapshot_top_peers(peerguard_snapshot snapshot,
                                     struct peerguard_peer_view *views,
                                     size_t view_size,
                                     size_t capacity,
                                     size_t *written);

// Reads a snapshot's peers to sync with, first ones first; see `peerguard_sync_candidates`. Arguments as in
// `peerguard_snapshot_peers`.
int32_t peerguard_snapshot_sync_candidates(peerguard_snapshot snapshot,
                                           struct peerguard_peer_view *views,
                                           size_t view_size,
                                           size_t capacity,
                                           size_t *written);

// Tells how many bytes a text has. It ends without a 0.
//
// Returns PEERGUARD_OK; PEERGUARD_ERR_NULL, _ALIGNMENT, _HANDLE, _FREED, _REENTRANT.
int32_t peerguard_text_length(peerguard_text text, size_t *length);

// Reads a text from byte number `first` (0 is the first) on.
//
// `bytes`: `capacity` bytes. `written` receives how many were put there: fewer than `capacity` at the end; no 0 is added.
// Any thread.
//
// Returns PEERGUARD_OK; PEERGUARD_ERR_NULL, _ALIGNMENT, _LENGTH, _HANDLE, _FREED, _REENTRANT.
int32_t peerguard_text_read(peerguard_text text,
                            size_t first,
                            char *bytes,
                            size_t capacity,
                            size_t *written);

// Frees a text, when calls on it that other threads are making have returned.
//
// Returns PEERGUARD_OK; PEERGUARD_ERR_HANDLE, _FREED, _REENTRANT.
int32_t peerguard_text_free(peerguard_text text);

// Tells whether an exporter can be made with some options, and if not, which is wrong and what it must be. Whether the address
// can be had is not asked.
//
// `message`: `capacity` bytes for the text, cut to fit and ended by a 0; empty if all is well. May be NULL. Any thread.
//
// Returns PEERGUARD_OK; PEERGUARD_ERR_CONFIG, _TEXT, _ENUM, _TOKEN; PEERGUARD_ERR_LENGTH, also for a text that is too long;
// PEERGUARD_ERR_NULL, _ALIGNMENT, _STRUCT_SIZE, and then nothing is written.
int32_t peerguard_exporter_options_check(const struct peerguard_exporter_options *options,
                                         char *message,
                                         size_t capacity);

// Writes the default options.
//
// `struct_size`: sizeof(peerguard_exporter_options). Any thread.
//
// Returns PEERGUARD_OK; PEERGUARD_ERR_NULL, _ALIGNMENT; PEERGUARD_ERR_STRUCT_SIZE if header and library do not match, and
// nothing is written.
int32_t peerguard_exporter_options_init(struct peerguard_exporter_options *options,
                                        size_t struct_size);

// Makes an exporter: takes a first snapshot, starts a thread that takes the next ones, and serves HTTP on another thread if
// `options` has an address. Then the page is at `/`, the metrics at `/metrics`, GraphQL at `/graphql` (POST), everything as
// JSON at `/snapshot.json`, the health at `/healthz`.
//
// On a loopback address everyone on the machine may read; any other address needs a token. Nothing can be changed over
// HTTP without the operator's token. `exporter` receives the handle; free it with `peerguard_exporter_free`. It keeps the
// guard's memory and works on when the guard is freed. `system_error` receives the system's error number with
// PEERGUARD_ERR_SYSTEM (0 if it gave none); may be NULL. Any thread; about 100 ns for each peer.
//
// Returns PEERGUARD_OK; PEERGUARD_ERR_UNSUPPORTED if the library was built without exporters; PEERGUARD_ERR_SYSTEM if the
// address cannot be had or a thread was not given; PEERGUARD_ERR_TOKEN for an address that needs a token;
// PEERGUARD_ERR_TEXT for one that is none and for a text that is not UTF-8; PEERGUARD_ERR_CONFIG for a number out of its
// range; PEERGUARD_ERR_ENUM, _LENGTH (a text of more than 4,096 bytes), _STRUCT_SIZE, _NULL, _ALIGNMENT, _TOO_MANY,
// _HANDLE, _FREED, _REENTRANT.
int32_t peerguard_exporter_new(peerguard_guard guard,
                               const struct peerguard_exporter_options *options,
                               peerguard_exporter *exporter,
                               int32_t *system_error);

// Frees an exporter, when calls on it that other threads are making have returned: stops its server, whose connections are
// cut, and its threads, and waits for their end, which takes milliseconds. Afterwards no thread of the library's calls the
// guard's clock.
//
// Returns PEERGUARD_OK; PEERGUARD_ERR_HANDLE, _FREED, _REENTRANT.
int32_t peerguard_exporter_free(peerguard_exporter exporter);

// Tells where an exporter serves, such as "127.0.0.1:9100" or "[::1]:9100", ended by a 0: with the port that port 0 found.
//
// `text`: `capacity` bytes, at least PEERGUARD_ADDRESS_TEXT. Any thread.
//
// Returns PEERGUARD_OK, PEERGUARD_NO if it does not serve, and `text` is empty; PEERGUARD_ERR_NULL, _LENGTH, _HANDLE,
// _FREED, _REENTRANT.
int32_t peerguard_exporter_address(peerguard_exporter exporter,
                                   char *text,
                                   size_t capacity);

// Takes a snapshot and publishes it now: what is read from now on is at least as new. For an exporter whose `interval` is
// PEERGUARD_NONE, or a reader that cannot wait for the next one. Any thread; about 100 ns for each peer.
//
// Returns PEERGUARD_OK; PEERGUARD_ERR_HANDLE, _FREED, _REENTRANT.
int32_t peerguard_exporter_publish(peerguard_exporter exporter);

// Writes the metrics of the latest snapshot for Prometheus.
//
// `format`: PEERGUARD_METRICS_CLASSIC or PEERGUARD_METRICS_OPENMETRICS. `text` receives the handle of the text; read it with
// `peerguard_text_read`, free it with `peerguard_text_free`. Any thread.
//
// Returns PEERGUARD_OK; PEERGUARD_ERR_ENUM, _NULL, _ALIGNMENT, _TOO_MANY, _HANDLE, _FREED, _REENTRANT.
int32_t peerguard_exporter_metrics(peerguard_exporter exporter,
                                   uint32_t format,
                                   peerguard_text *text);

// Carries out a GraphQL request against the latest snapshot.
//
// `request`: `length` bytes of JSON, {"query": ..., "variables": ..., "operationName": ...}. `role`:
// PEERGUARD_ROLE_READER, or PEERGUARD_ROLE_OPERATOR for a request that may change something. `text` receives the handle of
// the answer, {"data": ..., "errors": ...}, also for a request that GraphQL refuses; see `peerguard_exporter_metrics`. Any
// thread.
//
// Returns PEERGUARD_OK; PEERGUARD_ERR_TEXT if the request is not such JSON; PEERGUARD_ERR_ENUM, _NULL, _LENGTH, _ALIGNMENT,
// _TOO_MANY, _HANDLE, _FREED, _REENTRANT.
int32_t peerguard_exporter_query(peerguard_exporter exporter,
                                 const char *request,
                                 size_t length,
                                 uint32_t role,
                                 peerguard_text *text);

// Writes the latest snapshot as JSON: totals and every peer, as `/snapshot.json` serves it.
//
// `text` receives the handle of the text; see `peerguard_exporter_metrics`. Any thread; about 1 KB for each peer.
//
// Returns PEERGUARD_OK; PEERGUARD_ERR_NULL, _ALIGNMENT, _TOO_MANY, _HANDLE, _FREED, _REENTRANT.
int32_t peerguard_exporter_snapshot(peerguard_exporter exporter,
                                    peerguard_text *text);

// Tells which form of the metrics a scraper asks for by its `Accept` header, for a node with a server of its own.
//
// `accept`: `length` bytes; NULL and 0 if there is no such header. `format` receives PEERGUARD_METRICS_OPENMETRICS if it is
// preferred to plain text, else PEERGUARD_METRICS_CLASSIC. Any thread.
//
// Returns PEERGUARD_OK; PEERGUARD_ERR_UNSUPPORTED if the library was built without exporters; PEERGUARD_ERR_NULL, _LENGTH,
// _ALIGNMENT.
int32_t peerguard_metrics_negotiate(const char *accept,
                                    size_t length,
                                    uint32_t *format);

// The `Content-Type` of a form of the metrics; that of the classic text for a number that is none. Static memory. Any thread.
const char *peerguard_metrics_content_type(uint32_t format);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* PEERGUARD_H */
