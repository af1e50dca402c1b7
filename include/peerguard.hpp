// peerguard for C++17: handles and permits that end themselves. Header only, over peerguard.h.
//
//     peerguard::Guard guard;
//     if (auto answer = guard.admit(id)) {
//         answer.permit().report(PEERGUARD_SYNC_SUCCESS, 12ms);
//     } else {
//         come_back(answer.rejection().reason, answer.retry_after());
//     }
//
// Errors, which are bugs of the caller's but for a full table and a wrong configuration, are thrown as peerguard::Error. A
// refusal is not an error. Objects may be used as their handles may: see "Threads" in peerguard.h. A guard, peer, snapshot or
// exporter that was moved from has handle 0 and every call on it throws; a permit or answer has ended.
#ifndef PEERGUARD_HPP
#define PEERGUARD_HPP

#include "peerguard.h"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <stdexcept>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

namespace peerguard {

using Id = peerguard_id;
using Rejection = peerguard_rejection;
using Nanoseconds = std::chrono::nanoseconds;

/// A call that could not be carried out.
class Error : public std::runtime_error {
public:
    explicit Error(int32_t code, const std::string &detail = {})
        : std::runtime_error(peerguard_status_text(code) + (detail.empty() ? "" : ": " + detail)), code_(code) {}
    /// PEERGUARD_ERR_...
    int32_t code() const noexcept { return code_; }

private:
    int32_t code_;
};

namespace detail {

/// Yes or no; throws for errors.
inline bool yes(int32_t answer) {
    if (answer < 0) throw Error(answer);
    return answer == PEERGUARD_OK;
}

/// PEERGUARD_NONE for no value; throws `negative` for a time below 0.
inline uint64_t nanos(const std::optional<Nanoseconds> &time, int32_t negative) {
    if (!time) return PEERGUARD_NONE;
    if (time->count() < 0) throw Error(negative);
    return static_cast<uint64_t>(time->count());
}

inline std::optional<Nanoseconds> time(uint64_t nanos) {
    if (nanos == PEERGUARD_NONE) return std::nullopt;
    const auto most = static_cast<uint64_t>(Nanoseconds::max().count());
    return Nanoseconds(static_cast<Nanoseconds::rep>(nanos < most ? nanos : most));
}

/// A handle that is freed once.
template <int32_t (*Free)(uint64_t)>
class Handle {
public:
    explicit Handle(uint64_t word = 0) noexcept : word_(word) {}
    Handle(Handle &&other) noexcept : word_(std::exchange(other.word_, 0)) {}
    Handle &operator=(Handle &&other) noexcept {
        Handle(std::move(other)).swap(*this);
        return *this;
    }
    ~Handle() {
        if (word_ != 0) Free(word_);
    }
    void swap(Handle &other) noexcept { std::swap(word_, other.word_); }
    uint64_t get() const noexcept { return word_; }

private:
    uint64_t word_;
};

using Report = int32_t (*)(uint64_t, peerguard_permit *, uint32_t, uint64_t, const peerguard_traffic *, uint32_t *);
using Cancel = int32_t (*)(uint64_t, peerguard_permit *);
using Refund = int32_t (*)(uint64_t, peerguard_permit *, uint64_t, uint64_t *);

} // namespace detail

/// Leave to talk to a peer once; cancelled, which is neutral, when it goes without a report. The guard or peer that gave it
/// must still be there when it ends.
class Permit {
public:
    Permit(const peerguard_permit &raw, detail::Report report, detail::Cancel cancel, detail::Refund refund) noexcept
        : raw_(raw), report_(report), cancel_(cancel), refund_(refund) {}
    Permit(Permit &&other) noexcept
        : raw_(other.raw_), report_(other.report_), cancel_(other.cancel_), refund_(other.refund_) {
        other.raw_.state = 0;
    }
    Permit &operator=(Permit &&other) noexcept {
        if (this != &other) {
            cancel();
            raw_ = other.raw_;
            report_ = other.report_;
            cancel_ = other.cancel_;
            refund_ = other.refund_;
            other.raw_.state = 0;
        }
        return *this;
    }
    ~Permit() { cancel(); }

    /// Returns PEERGUARD_RECORDED_...
    uint32_t report(uint32_t outcome, std::optional<Nanoseconds> latency = std::nullopt, peerguard_traffic traffic = {}) {
        uint32_t recorded = 0;
        const uint64_t took = detail::nanos(latency, PEERGUARD_ERR_LATENCY);
        detail::yes(report_(raw_.owner, &raw_, outcome, took, &traffic, &recorded));
        return recorded;
    }
    /// Gives up to `bytes` back; returns how many were.
    uint64_t refund(uint64_t bytes) {
        uint64_t returned = 0;
        detail::yes(refund_(raw_.owner, &raw_, bytes, &returned));
        return returned;
    }
    /// Ends the permit without a result; without effect if it has ended.
    void cancel() noexcept {
        if (raw_.state == 1) cancel_(raw_.owner, &raw_);
    }
    uint64_t bytes() const noexcept { return raw_.bytes; }
    bool is_probe() const noexcept { return raw_.probe != 0; }
    const Id &peer() const noexcept { return raw_.id; }

private:
    peerguard_permit raw_;
    detail::Report report_;
    detail::Cancel cancel_;
    detail::Refund refund_;
};

/// A permit, or why there is none. One that is dropped cancels its permit.
class [[nodiscard]] Answer {
public:
    explicit Answer(Permit &&permit) : permit_(std::move(permit)) {}
    explicit Answer(const Rejection &rejection) : rejection_(rejection) {}
    explicit operator bool() const noexcept { return permit_.has_value(); }
    /// The permit, or that of a temporary answer for keeps. Without one it throws std::bad_optional_access.
    Permit &permit() & { return permit_.value(); }
    Permit permit() && {
        Permit kept(std::move(permit_.value()));
        permit_.reset();
        return kept;
    }
    const Rejection &rejection() const noexcept { return rejection_; }
    /// No value: never by itself.
    std::optional<Nanoseconds> retry_after() const { return detail::time(rejection_.retry_after); }

private:
    std::optional<Permit> permit_;
    Rejection rejection_{};
};

/// One peer's record, held while this lives; it keeps the guard's memory.
class Peer {
public:
    explicit Peer(uint64_t handle) noexcept : handle_(handle) {}
    // Not on a temporary: a permit ends before its peer.
    Answer admit() & {
        return answer([&](auto *permit, auto *no) { return peerguard_peer_admit(handle_.get(), permit, no); });
    }
    Answer admit_bytes(uint32_t direction, uint64_t bytes) & {
        return answer([&](auto *permit, auto *no) {
            return peerguard_peer_admit_bytes(handle_.get(), direction, bytes, permit, no);
        });
    }
    Answer grant_up_to(uint32_t direction, uint64_t want) & {
        return answer([&](auto *permit, auto *no) {
            return peerguard_peer_grant_up_to(handle_.get(), direction, want, permit, no);
        });
    }
    /// Would `admit` pass now? Takes nothing and counts nothing.
    bool check() const { return detail::yes(peerguard_peer_check(handle_.get(), nullptr)); }
    /// Why not; no value: it would.
    std::optional<Rejection> refusal() const {
        Rejection no{};
        return detail::yes(peerguard_peer_check(handle_.get(), &no)) ? std::nullopt : std::make_optional(no);
    }
    /// Returns PEERGUARD_RECORDED_...
    uint32_t report(uint32_t outcome, std::optional<Nanoseconds> latency = std::nullopt, peerguard_traffic traffic = {}) {
        uint32_t recorded = 0;
        const uint64_t took = detail::nanos(latency, PEERGUARD_ERR_LATENCY);
        detail::yes(peerguard_peer_report_key(handle_.get(), outcome, took, &traffic, &recorded));
        return recorded;
    }
    bool is_tracked() const { return detail::yes(peerguard_peer_is_tracked(handle_.get())); }
    peerguard_peer handle() const noexcept { return handle_.get(); }

private:
    template <class Ask>
    static Answer answer(Ask ask) {
        peerguard_permit permit;
        Rejection no{};
        if (!detail::yes(ask(&permit, &no))) return Answer(no);
        return Answer(Permit(permit, peerguard_peer_report, peerguard_peer_cancel, peerguard_peer_refund));
    }
    detail::Handle<peerguard_peer_free> handle_;
};

/// Everything that a guard knew at one time.
class Snapshot {
public:
    explicit Snapshot(uint64_t handle) noexcept : handle_(handle) {}
    peerguard_totals totals() const {
        peerguard_totals totals;
        totals.struct_size = sizeof totals;
        detail::yes(peerguard_snapshot_totals(handle_.get(), &totals, nullptr, nullptr));
        return totals;
    }
    /// Every peer, in the order of their ids.
    std::vector<peerguard_peer_view> peers() const {
        std::vector<peerguard_peer_view> views(static_cast<std::size_t>(totals().total_peers));
        std::size_t written = 0;
        detail::yes(peerguard_snapshot_peers(handle_.get(), 0, views.data(), sizeof(peerguard_peer_view), views.size(),
                                             &written));
        views.resize(written);
        return views;
    }

private:
    detail::Handle<peerguard_snapshot_free> handle_;
};

/// What an admit of a peer would say, and why.
struct Explanation {
    /// The refusal; no value: it would be admitted.
    std::optional<Rejection> verdict;
    /// The refusal that an observed peer is spared.
    std::optional<Rejection> spared;
    /// The peer as it stands: breaker, ban, own limits, counters; no value: it has no record.
    std::optional<peerguard_peer_view> view;
    /// The score's parts and the byte buckets; the above as C tells them.
    peerguard_explanation all;
    /// The peer's newest events, newest first.
    std::vector<peerguard_event> events;
    /// Of the verdict; no value: never by itself, 0: now.
    std::optional<Nanoseconds> retry_after() const { return detail::time(verdict ? verdict->retry_after : 0); }
};

/// The default options of an exporter: a snapshot each second, no server.
inline peerguard_exporter_options default_exporter_options() {
    peerguard_exporter_options options;
    detail::yes(peerguard_exporter_options_init(&options, sizeof options));
    return options;
}

/// Metrics, queries and the snapshot as text, and a server for them, while this lives.
class Exporter {
public:
    explicit Exporter(uint64_t handle) noexcept : handle_(handle) {}
    /// Where it serves, with the port; empty if it does not.
    std::string address() const {
        char text[PEERGUARD_ADDRESS_TEXT];
        detail::yes(peerguard_exporter_address(handle_.get(), text, sizeof text));
        return text;
    }
    void publish() { detail::yes(peerguard_exporter_publish(handle_.get())); }
    /// For Prometheus.
    std::string metrics(uint32_t format = PEERGUARD_METRICS_CLASSIC) const {
        return text([&](auto *text) { return peerguard_exporter_metrics(handle_.get(), format, text); });
    }
    /// The answer to a GraphQL request: {"query": ..., "variables": ...}.
    std::string query(const std::string &request, uint32_t role = PEERGUARD_ROLE_READER) {
        return text([&](auto *text) {
            return peerguard_exporter_query(handle_.get(), request.data(), request.size(), role, text);
        });
    }
    /// Totals and every peer, as JSON.
    std::string snapshot() const {
        return text([&](auto *text) { return peerguard_exporter_snapshot(handle_.get(), text); });
    }
    peerguard_exporter handle() const noexcept { return handle_.get(); }

private:
    template <class Make>
    static std::string text(Make make) {
        peerguard_text word = 0;
        detail::yes(make(&word));
        const detail::Handle<peerguard_text_free> text(word);
        std::size_t length = 0;
        detail::yes(peerguard_text_length(text.get(), &length));
        std::string all(length, '\0');
        if (length != 0) detail::yes(peerguard_text_read(text.get(), 0, &all[0], length, &length));
        return all;
    }
    detail::Handle<peerguard_exporter_free> handle_;
};

/// The default configuration.
inline peerguard_config default_config() {
    peerguard_config config;
    detail::yes(peerguard_config_init(&config, sizeof config));
    return config;
}

/// Breaker, reputation and byte limits of every peer, under one gate.
class Guard {
public:
    explicit Guard(const peerguard_config &config = default_config(), const peerguard_clock *clock = nullptr)
        : handle_(make(config, clock)) {}

    // Not on a temporary: a permit ends before its guard.
    Answer admit(const Id &id) & {
        return answer([&](auto *permit, auto *no) { return peerguard_admit(handle_.get(), &id, permit, no); });
    }
    Answer admit_bytes(const Id &id, uint32_t direction, uint64_t bytes) & {
        return answer([&](auto *permit, auto *no) {
            return peerguard_admit_bytes(handle_.get(), &id, direction, bytes, permit, no);
        });
    }
    Answer grant_up_to(const Id &id, uint32_t direction, uint64_t want) & {
        return answer([&](auto *permit, auto *no) {
            return peerguard_grant_up_to(handle_.get(), &id, direction, want, permit, no);
        });
    }
    Peer peer(const Id &id) {
        peerguard_peer peer = 0;
        detail::yes(peerguard_peer_open(handle_.get(), &id, &peer));
        return Peer(peer);
    }
    void ban(const Id &id, std::optional<Nanoseconds> duration, uint8_t code) {
        detail::yes(peerguard_ban(handle_.get(), &id, detail::nanos(duration, PEERGUARD_ERR_CONFIG), code));
    }
    bool unban(const Id &id) { return detail::yes(peerguard_unban(handle_.get(), &id)); }
    bool is_banned(const Id &id) const { return detail::yes(peerguard_is_banned(handle_.get(), &id)); }
    bool reset(const Id &id) { return detail::yes(peerguard_reset(handle_.get(), &id)); }
    /// PEERGUARD_FORCED_OPEN, _CLOSED or _OBSERVE.
    void force(const Id &id, uint32_t forced) { detail::yes(peerguard_force(handle_.get(), &id, forced)); }
    void update_limits(const peerguard_limits &limits) {
        const int32_t answer = peerguard_update_limits(handle_.get(), &limits);
        if (answer == PEERGUARD_ERR_CONFIG) {
            // They are judged as those of a configuration.
            auto config = default_config();
            config.upload_limit_bps = limits.upload;
            config.download_limit_bps = limits.download;
            config.per_peer_upload_bps = limits.per_peer_upload;
            config.per_peer_download_bps = limits.per_peer_download;
            throw Error(answer, why(config));
        }
        detail::yes(answer);
    }
    peerguard_limits limits() const {
        peerguard_limits limits{};
        detail::yes(peerguard_get_limits(handle_.get(), &limits));
        return limits;
    }
    /// Of one peer, bytes per second; no value: as for all peers.
    void set_peer_limits(const Id &id, std::optional<uint64_t> upload, std::optional<uint64_t> download) {
        detail::yes(peerguard_set_peer_limits(handle_.get(), &id, upload.value_or(PEERGUARD_NONE),
                                              download.value_or(PEERGUARD_NONE)));
    }
    /// Reports without a permit; returns PEERGUARD_RECORDED_...
    uint32_t report(const Id &id, uint32_t outcome, std::optional<Nanoseconds> latency = std::nullopt,
                    peerguard_traffic traffic = {}) {
        uint32_t recorded = 0;
        const uint64_t took = detail::nanos(latency, PEERGUARD_ERR_LATENCY);
        detail::yes(peerguard_report_key(handle_.get(), &id, outcome, took, &traffic, &recorded));
        return recorded;
    }
    /// Takes bytes without a permit; asks neither ban nor breaker.
    bool take(const Id &id, uint32_t direction, uint64_t bytes) {
        return detail::yes(peerguard_take(handle_.get(), &id, direction, bytes));
    }
    /// One peer as it stands; no value: it has no record.
    std::optional<peerguard_peer_view> view(const Id &id) const {
        peerguard_peer_view view;
        view.struct_size = sizeof view;
        return detail::yes(peerguard_view(handle_.get(), &id, &view)) ? std::make_optional(view) : std::nullopt;
    }
    /// The peers to sync with first, at most `most`.
    std::vector<Id> sync_candidates(std::size_t most) const {
        std::vector<Id> ids(most < capacity() ? most : capacity());
        std::size_t written = 0;
        detail::yes(peerguard_sync_candidates(handle_.get(), ids.data(), ids.size(), &written));
        ids.resize(written);
        return ids;
    }
    /// What an admit of this peer would say now, with everything behind it; changes nothing.
    Explanation explain(const Id &id) const {
        peerguard_explanation all;
        all.struct_size = sizeof all;
        std::vector<peerguard_event> events(16); // as many as are known
        std::size_t written = 0;
        detail::yes(peerguard_explain(handle_.get(), &id, &all, events.data(), events.size(), &written));
        events.resize(written);
        const auto refusal = [](const Rejection &no) {
            return no.reason == PEERGUARD_REASON_NONE ? std::nullopt : std::make_optional(no);
        };
        return {refusal(all.verdict), refusal(all.spared), all.known ? std::make_optional(all.view) : std::nullopt, all,
                std::move(events)};
    }
    Snapshot snapshot() const {
        peerguard_snapshot snapshot = 0;
        detail::yes(peerguard_snapshot_take(handle_.get(), &snapshot));
        return Snapshot(snapshot);
    }
    /// Exports, and serves HTTP in the background if the options have an address. The error's message tells the system's.
    Exporter exporter(const peerguard_exporter_options &options = default_exporter_options()) const {
        peerguard_exporter exporter = 0;
        int32_t number = 0;
        const int32_t answer = peerguard_exporter_new(handle_.get(), &options, &exporter, &number);
        if (answer == PEERGUARD_ERR_SYSTEM && number != 0) throw Error(answer, std::generic_category().message(number));
        if (answer < 0) {
            char why[256] = "";
            peerguard_exporter_options_check(&options, why, sizeof why);
            throw Error(answer, why);
        }
        return Exporter(exporter);
    }
    /// At most `most` of the oldest events that nobody has drained.
    std::vector<peerguard_event> drain_events(std::size_t most) {
        std::vector<peerguard_event> events(some(most));
        std::size_t written = 0;
        detail::yes(peerguard_drain_events(handle_.get(), events.data(), sizeof(peerguard_event), events.size(), &written,
                                           nullptr));
        events.resize(written);
        return events;
    }
    /// Number of the next event.
    uint64_t event_count() const {
        uint64_t count = 0;
        detail::yes(peerguard_event_count(handle_.get(), &count));
        return count;
    }
    /// At most `most` events from number `cursor` on, which is moved past them; nothing is taken from other readers.
    /// `lost` receives how many before or between them were overwritten.
    std::vector<peerguard_event> events_since(uint64_t &cursor, std::size_t most, uint64_t *lost = nullptr) const {
        std::vector<peerguard_event> events(some(most));
        std::size_t written = 0;
        detail::yes(peerguard_events_since(handle_.get(), cursor, events.data(), sizeof(peerguard_event), events.size(),
                                           &written, &cursor, lost));
        events.resize(written);
        return events;
    }
    /// For what this class does not wrap.
    peerguard_guard handle() const noexcept { return handle_.get(); }

private:
    static uint64_t make(const peerguard_config &config, const peerguard_clock *clock) {
        if (peerguard_abi_version() != PEERGUARD_ABI_VERSION) {
            throw Error(PEERGUARD_ERR_UNSUPPORTED, "the library has another interface than the header");
        }
        peerguard_guard guard = 0;
        const int32_t answer = peerguard_new(&config, clock, &guard);
        if (answer == PEERGUARD_ERR_CONFIG) throw Error(answer, why(config));
        detail::yes(answer);
        return guard;
    }
    /// Which field is wrong, and what it may be.
    static std::string why(const peerguard_config &config) {
        char text[256] = "";
        peerguard_config_check(&config, text, sizeof text);
        return text;
    }
    /// More events are not kept.
    static std::size_t some(std::size_t most) { return most < (1u << 20) ? most : 1u << 20; }
    std::size_t capacity() const {
        std::size_t peers = 0, capacity = 0;
        detail::yes(peerguard_occupancy(handle_.get(), &peers, &capacity));
        return capacity;
    }
    template <class Ask>
    static Answer answer(Ask ask) {
        peerguard_permit permit;
        Rejection no{};
        if (!detail::yes(ask(&permit, &no))) return Answer(no);
        return Answer(Permit(permit, peerguard_report, peerguard_cancel, peerguard_refund));
    }
    detail::Handle<peerguard_free> handle_;
};

} // namespace peerguard

#endif
