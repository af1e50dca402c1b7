// The C++ wrapper: what ends by itself, and what is thrown.
#include "check.h"
#include "peerguard.hpp"

using namespace std::chrono_literals;

static peerguard::Id id_of(uint8_t n) {
    peerguard::Id id{};
    id.bytes[0] = n;
    return id;
}

int main() {
    auto config = peerguard::default_config();
    config.max_peers = 100;
    // A burst is what the rate gives in 100 s: what is taken is not back at once.
    config.refill_interval = 10000000000;
    peerguard::Guard guard(config);

    for (int i = 0; i < 5; i++) guard.admit(id_of(1)).permit().report(PEERGUARD_TIMEOUT);
    auto refused = guard.admit(id_of(1));
    CHECK(!refused && refused.rejection().reason == PEERGUARD_REASON_OPEN);
    CHECK(refused.retry_after() && *refused.retry_after() > 20s);

    // A permit that goes without a report is cancelled: its bytes count as moved.
    { auto answer = guard.admit_bytes(id_of(2), PEERGUARD_UPLOAD, 100); CHECK(answer && answer.permit().bytes() == 100); }
    CHECK_IS(guard.snapshot().totals().uploaded, 100);
    {
        auto answer = guard.admit_bytes(id_of(2), PEERGUARD_UPLOAD, 100);
        auto moved = std::move(answer.permit());
        CHECK_IS(moved.refund(40), 40);
        CHECK_IS(moved.report(PEERGUARD_SYNC_SUCCESS, 5ms), PEERGUARD_RECORDED_COUNTED);
        try {
            moved.report(PEERGUARD_SYNC_SUCCESS);
            CHECK(false);
        } catch (const peerguard::Error &error) {
            CHECK_IS(error.code(), PEERGUARD_ERR_SPENT);
        }
    }
    CHECK_IS(guard.snapshot().totals().uploaded, 160);
    CHECK_IS(guard.snapshot().peers().size(), 2);

    auto peer = guard.peer(id_of(3));
    CHECK(peer.is_tracked() && peer.check() && peer.admit());
    guard.ban(id_of(3), std::nullopt, 9);
    auto banned = guard.explain(id_of(3));
    CHECK(banned.verdict && banned.verdict->reason == PEERGUARD_REASON_BANNED && !banned.retry_after() && !banned.spared);
    CHECK(banned.view && banned.view->ban_code == 9);
    CHECK(banned.events.size() == 1 && banned.events[0].kind == PEERGUARD_EVENT_BANNED);
    auto open = guard.explain(id_of(1));
    CHECK(open.verdict && open.verdict->reason == PEERGUARD_REASON_OPEN && *open.retry_after() > 20s);
    CHECK(open.all.score == open.all.score_initial + open.all.score_remembered && open.all.score_remembered < 0);
    auto unknown = guard.explain(id_of(99));
    CHECK(!unknown.verdict && !unknown.view && unknown.events.empty() && *unknown.retry_after() == 0s);
    CHECK(guard.is_banned(id_of(3)) && !peer.check() && !peer.admit().retry_after());
    CHECK(peer.refusal() && peer.refusal()->reason == PEERGUARD_REASON_BANNED);
    CHECK(guard.unban(id_of(3)) && !guard.unban(id_of(3)));
    guard.force(id_of(3), PEERGUARD_FORCED_OPEN);
    CHECK(!peer.grant_up_to(PEERGUARD_DOWNLOAD, 5) && guard.reset(id_of(3)));
    uint64_t cursor = 1;
    uint64_t lost = 7;
    CHECK_IS(guard.events_since(cursor, 2, &lost).size(), 2);
    CHECK(lost == 0 && cursor == 3 && guard.event_count() == 5);
    CHECK_IS(guard.drain_events(100).size(), 5);
    CHECK(!peer.refusal() && peer.report(PEERGUARD_MESSAGE_SUCCESS) == PEERGUARD_RECORDED_COUNTED);

    // A permit of a temporary answer is moved out of it.
    auto kept = guard.admit(id_of(4)).permit();
    try {
        kept.report(PEERGUARD_SYNC_SUCCESS, -1ms);
        CHECK(false);
    } catch (const peerguard::Error &error) {
        CHECK_IS(error.code(), PEERGUARD_ERR_LATENCY);
    }
    CHECK_IS(kept.report(PEERGUARD_SYNC_SUCCESS, 1ms), PEERGUARD_RECORDED_COUNTED);
    CHECK_IS(guard.report(id_of(4), PEERGUARD_SYNC_SUCCESS), PEERGUARD_RECORDED_COUNTED);
    CHECK(guard.view(id_of(4))->successful_syncs == 2 && !guard.view(id_of(99)));
    const auto candidates = guard.sync_candidates(SIZE_MAX);
    CHECK(candidates.size() == 3 && candidates[0].bytes[0] == 4);
    guard.set_peer_limits(id_of(4), 1000, std::nullopt);
    CHECK(guard.take(id_of(4), PEERGUARD_UPLOAD, 90000) && !guard.take(id_of(4), PEERGUARD_UPLOAD, 90000));
    auto limits = guard.limits();
    limits.per_peer_upload = UINT64_MAX;
    try {
        guard.update_limits(limits);
        CHECK(false);
    } catch (const peerguard::Error &error) {
        CHECK(std::string(error.what()).find("per_peer_upload_bps must be") != std::string::npos);
    }

    auto options = peerguard::default_exporter_options();
    options.address = "127.0.0.1:0";
    auto exporter = guard.exporter(options);
    CHECK(exporter.address().find("127.0.0.1:") == 0);
    CHECK(exporter.metrics().find("circuit_breaker_trips_total 1") != std::string::npos);
    CHECK(exporter.query("{\"query\": \"{ getCircuitBreakerSummary { open } }\"}").find("\"open\":1") != std::string::npos);
    CHECK(exporter.snapshot().find("\"total_peers\"") != std::string::npos);
    try {
        exporter.query("{ open }");
        CHECK(false);
    } catch (const peerguard::Error &error) {
        CHECK_IS(error.code(), PEERGUARD_ERR_TEXT);
    }
    options.timeout = 1;
    try {
        guard.exporter(options);
        CHECK(false);
    } catch (const peerguard::Error &error) {
        CHECK(std::string(error.what()).find("timeout must be 1 ms to 1 h") != std::string::npos);
    }
    options.timeout = 1000000000;
    const auto address = exporter.address();
    options.address = address.c_str();
    try {
        guard.exporter(options);
        CHECK(false);
    } catch (const peerguard::Error &error) {
        CHECK(error.code() == PEERGUARD_ERR_SYSTEM && std::string(error.what()).find("in use") != std::string::npos);
    }

    // A peer outlives its guard; a moved-from guard is empty.
    auto other = std::move(guard);
    { auto gone = std::move(other); }
    CHECK(peer.admit());
    try {
        CHECK(!other.admit(id_of(1)));
        CHECK(false);
    } catch (const peerguard::Error &error) {
        CHECK_IS(error.code(), PEERGUARD_ERR_HANDLE);
    }

    config.jitter = 2;
    try {
        peerguard::Guard wrong(config);
        CHECK(false);
    } catch (const peerguard::Error &error) {
        CHECK(std::string(error.what()).find("circuit_breaker.jitter must be 0 to 1") != std::string::npos);
    }
    puts("1 passed, 0 failed");
}
