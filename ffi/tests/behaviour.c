/* What a node does with the library, call by call. */
#include "check.h"
#include "peerguard.h"

#include <math.h>
#include <string.h>

static uint64_t time_now = 1000000000000u;

static uint64_t read_time(void *context) {
    return *(uint64_t *)context;
}

static void advance(double seconds) {
    time_now += (uint64_t)(seconds * 1e9);
}

static peerguard_id id_of(unsigned n) {
    peerguard_id id;
    memset(&id, 0, sizeof id);
    memcpy(id.bytes, &n, sizeof n);
    return id;
}

static peerguard_config plain_config(void) {
    peerguard_config config;
    CHECK_IS(peerguard_config_init(&config, sizeof config), PEERGUARD_OK);
    config.max_peers = 1000;
    config.jitter = 0;
    return config;
}

static peerguard_guard guard_of(const peerguard_config *config) {
    peerguard_clock clock;
    peerguard_guard guard = 0;
    clock.now = read_time;
    clock.context = &time_now;
    CHECK_IS(peerguard_new(config, &clock, &guard), PEERGUARD_OK);
    return guard;
}

static peerguard_peer_view view_of(peerguard_guard guard, const peerguard_id *id) {
    peerguard_peer_view view;
    view.struct_size = sizeof view;
    CHECK_IS(peerguard_view(guard, id, &view), PEERGUARD_OK);
    return view;
}

static void versions(void) {
    CHECK_IS(peerguard_abi_version(), PEERGUARD_ABI_VERSION);
    CHECK(strchr(peerguard_version(), '.') != NULL);
    CHECK(strcmp(peerguard_status_text(PEERGUARD_ERR_FREED), "the handle was freed") == 0);
    CHECK(strcmp(peerguard_status_text(-12345), "unknown code") == 0);
    CHECK(strcmp(peerguard_reason_text(PEERGUARD_REASON_OPEN), "open") == 0);
    CHECK(strcmp(peerguard_reason_text(99), "unknown") == 0);
    CHECK(strcmp(peerguard_event_text(PEERGUARD_EVENT_EVICTED), "evicted") == 0);
}

static void configuration(void) {
    peerguard_config config = plain_config();
    peerguard_config classic;
    peerguard_guard guard = 77, other = 0;
    peerguard_id id = id_of(1);
    char message[128];
    CHECK_IS(config.struct_size, sizeof config);
    CHECK_IS(config.failure_threshold, 5);
    CHECK_IS(config.recovery_timeout, 30000000000);
    CHECK_IS(config.probe_timeout, PEERGUARD_NONE);
    CHECK(config.initial_score == 50 && config.weight_protocol_violation == -10);
    CHECK_IS(peerguard_config_check(&config, message, sizeof message), PEERGUARD_OK);
    CHECK(message[0] == 0);
    config.failure_threshold = 32;
    CHECK_IS(peerguard_config_check(&config, message, sizeof message), PEERGUARD_ERR_CONFIG);
    CHECK(strcmp(message, "circuit_breaker.failure_threshold must be 1 to 31") == 0);
    CHECK_IS(peerguard_config_check(&config, message, 16), PEERGUARD_ERR_CONFIG);
    CHECK(strcmp(message, "circuit_breaker") == 0);
    CHECK_IS(peerguard_config_check(&config, NULL, 0), PEERGUARD_ERR_CONFIG);
    CHECK_IS(peerguard_new(&config, NULL, &guard), PEERGUARD_ERR_CONFIG);
    CHECK_IS(guard, 77);
    config = plain_config();
    config.backoff = 2;
    CHECK_IS(peerguard_new(&config, NULL, &guard), PEERGUARD_ERR_ENUM);
    config = plain_config();
    config.newcomers = 9;
    CHECK_IS(peerguard_new(&config, NULL, &guard), PEERGUARD_ERR_ENUM);
    config = plain_config();
    config.struct_size -= 1;
    CHECK_IS(peerguard_new(&config, NULL, &guard), PEERGUARD_ERR_STRUCT_SIZE);
    CHECK_IS(peerguard_config_init(&config, sizeof config + 8), PEERGUARD_ERR_STRUCT_SIZE);
    config = plain_config();
    config.failure_rate = NAN;
    CHECK_IS(peerguard_new(&config, NULL, &guard), PEERGUARD_ERR_CONFIG);
    CHECK_IS(peerguard_config_init_classic(&classic, sizeof classic), PEERGUARD_OK);
    CHECK(classic.backoff == 0 && classic.ban_duration == PEERGUARD_NONE);
    classic.max_peers = 10;
    CHECK_IS(peerguard_new(&classic, NULL, &guard), PEERGUARD_OK);
    CHECK_IS(peerguard_share(guard, &other), PEERGUARD_OK);
    CHECK(other != guard);
    CHECK_IS(peerguard_ban(guard, &id, PEERGUARD_NONE, 1), PEERGUARD_OK);
    CHECK_IS(peerguard_free(guard), PEERGUARD_OK);
    CHECK_IS(peerguard_free(guard), PEERGUARD_ERR_FREED);
    CHECK_IS(peerguard_is_banned(other, &id), PEERGUARD_OK);
    CHECK_IS(peerguard_free(other), PEERGUARD_OK);
}

static void ids(void) {
    peerguard_id id = id_of(0xab), again;
    char text[PEERGUARD_ID_TEXT];
    CHECK_IS(peerguard_id_format(&id, text, sizeof text), PEERGUARD_OK);
    CHECK_IS(strlen(text), 64);
    CHECK_IS(peerguard_id_format(&id, text, sizeof text - 1), PEERGUARD_ERR_LENGTH);
    CHECK_IS(peerguard_id_parse(text, 64, &again), PEERGUARD_OK);
    CHECK(memcmp(&id, &again, sizeof id) == 0);
    CHECK_IS(peerguard_id_parse(text, 63, &again), PEERGUARD_ERR_TEXT);
    text[5] = 'g';
    CHECK_IS(peerguard_id_parse(text, 64, &again), PEERGUARD_ERR_TEXT);
    CHECK_IS(peerguard_id_digest((const uint8_t *)"abc", 3, &id), PEERGUARD_OK);
    CHECK(id.bytes[0] == 0xba && id.bytes[1] == 0x78 && id.bytes[31] == 0xad);
    CHECK_IS(peerguard_id_digest(NULL, 0, &id), PEERGUARD_OK);
    CHECK(id.bytes[0] == 0xe3);
}

/* Closed, open, half-open, closed again. */
static void breaker(void) {
    peerguard_config config = plain_config();
    peerguard_guard guard = guard_of(&config);
    peerguard_id id = id_of(1);
    peerguard_permit permit, late, probe, other;
    peerguard_rejection no;
    uint32_t recorded = 99;
    CHECK_IS(peerguard_admit(guard, &id, &late, &no), PEERGUARD_OK);
    for (int i = 0; i < 5; i++) {
        CHECK_IS(peerguard_admit(guard, &id, &permit, &no), PEERGUARD_OK);
        CHECK_IS(peerguard_report(guard, &permit, PEERGUARD_SYNC_FAILURE, PEERGUARD_NONE, NULL, &recorded), PEERGUARD_OK);
        CHECK_IS(recorded, PEERGUARD_RECORDED_COUNTED);
    }
    CHECK_IS(peerguard_admit(guard, &id, &permit, &no), PEERGUARD_NO);
    CHECK_IS(no.reason, PEERGUARD_REASON_OPEN);
    CHECK(no.retry_after > 29900000000 && no.retry_after <= 30100000000);
    CHECK_IS(peerguard_report(guard, &permit, PEERGUARD_SYNC_SUCCESS, PEERGUARD_NONE, NULL, NULL), PEERGUARD_ERR_PERMIT);
    CHECK_IS(peerguard_report(guard, &late, PEERGUARD_SYNC_SUCCESS, PEERGUARD_NONE, NULL, &recorded), PEERGUARD_OK);
    CHECK_IS(recorded, PEERGUARD_RECORDED_STALE);
    CHECK_IS(peerguard_report(guard, &late, PEERGUARD_SYNC_SUCCESS, PEERGUARD_NONE, NULL, &recorded), PEERGUARD_ERR_SPENT);
    CHECK_IS(view_of(guard, &id).state, PEERGUARD_STATE_OPEN);
    advance(31);
    CHECK_IS(view_of(guard, &id).state, PEERGUARD_STATE_HALF_OPEN);
    CHECK_IS(peerguard_admit(guard, &id, &probe, &no), PEERGUARD_OK);
    CHECK_IS(probe.probe, 1);
    CHECK_IS(peerguard_admit(guard, &id, &other, NULL), PEERGUARD_OK);
    CHECK_IS(peerguard_admit(guard, &id, &permit, &no), PEERGUARD_NO);
    CHECK_IS(no.reason, PEERGUARD_REASON_PROBES_OUT);
    CHECK_IS(peerguard_cancel(guard, &other), PEERGUARD_OK);
    CHECK_IS(peerguard_cancel(guard, &other), PEERGUARD_ERR_SPENT);
    CHECK_IS(view_of(guard, &id).probes_out, 1);
    CHECK_IS(peerguard_report(guard, &probe, PEERGUARD_SYNC_SUCCESS, 5000000, NULL, &recorded), PEERGUARD_OK);
    CHECK_IS(recorded, PEERGUARD_RECORDED_COUNTED);
    CHECK_IS(peerguard_admit(guard, &id, &probe, NULL), PEERGUARD_OK);
    CHECK_IS(peerguard_report(guard, &probe, PEERGUARD_SYNC_SUCCESS, 5000000, NULL, &recorded), PEERGUARD_OK);
    CHECK_IS(view_of(guard, &id).state, PEERGUARD_STATE_CLOSED);
    CHECK(fabs(view_of(guard, &id).latency_ms - 5.0) < 0.01);
    CHECK_IS(peerguard_free(guard), PEERGUARD_OK);
}

static void bytes(void) {
    peerguard_config config = plain_config();
    peerguard_guard guard;
    peerguard_id id = id_of(2);
    peerguard_permit permit;
    peerguard_rejection no;
    peerguard_limits limits;
    peerguard_traffic extra = {7, 9};
    uint64_t returned = 0;
    config.per_peer_upload_bps = 1000;
    guard = guard_of(&config);
    CHECK_IS(peerguard_admit_bytes(guard, &id, PEERGUARD_UPLOAD, 600, &permit, &no), PEERGUARD_OK);
    CHECK_IS(permit.bytes, 600);
    CHECK_IS(peerguard_refund(guard, &permit, 200, &returned), PEERGUARD_OK);
    CHECK_IS(returned, 200);
    CHECK_IS(permit.bytes, 400);
    CHECK_IS(peerguard_report(guard, &permit, PEERGUARD_SYNC_SUCCESS, PEERGUARD_NONE, &extra, NULL), PEERGUARD_OK);
    CHECK_IS(peerguard_refund(guard, &permit, 1, &returned), PEERGUARD_ERR_SPENT);
    CHECK_IS(view_of(guard, &id).bytes_sent, 407);
    CHECK_IS(view_of(guard, &id).bytes_received, 9);
    CHECK(fabs(view_of(guard, &id).upload_used - 0.4) < 0.01);
    CHECK_IS(peerguard_admit_bytes(guard, &id, PEERGUARD_UPLOAD, 700, &permit, &no), PEERGUARD_NO);
    CHECK_IS(no.reason, PEERGUARD_REASON_PEER_BYTES);
    CHECK(no.retry_after > 90000000 && no.retry_after < 110000000);
    CHECK_IS(peerguard_admit_bytes(guard, &id, PEERGUARD_UPLOAD, 5000, &permit, &no), PEERGUARD_NO);
    CHECK_IS(no.reason, PEERGUARD_REASON_PEER_EXCEEDS_BURST);
    CHECK_IS(no.retry_after, PEERGUARD_NONE);
    CHECK_IS(peerguard_grant_up_to(guard, &id, PEERGUARD_UPLOAD, 5000, &permit, &no), PEERGUARD_OK);
    CHECK(permit.bytes >= 598 && permit.bytes <= 600);
    CHECK_IS(peerguard_cancel(guard, &permit), PEERGUARD_OK);
    CHECK_IS(peerguard_take(guard, &id, PEERGUARD_UPLOAD, 100), PEERGUARD_NO);
    CHECK_IS(peerguard_take(guard, &id, PEERGUARD_DOWNLOAD, 100), PEERGUARD_OK);
    CHECK_IS(peerguard_get_limits(guard, &limits), PEERGUARD_OK);
    CHECK_IS(limits.per_peer_upload, 1000);
    limits.upload = 50;
    CHECK_IS(peerguard_update_limits(guard, &limits), PEERGUARD_OK);
    CHECK_IS(peerguard_set_peer_limits(guard, &id, 0, PEERGUARD_NONE), PEERGUARD_OK);
    CHECK_IS(peerguard_admit_bytes(guard, &id, PEERGUARD_UPLOAD, 60, &permit, &no), PEERGUARD_NO);
    CHECK_IS(no.reason, PEERGUARD_REASON_GLOBAL_EXCEEDS_BURST);
    limits.download = (uint64_t)1 << 41;
    CHECK_IS(peerguard_update_limits(guard, &limits), PEERGUARD_ERR_CONFIG);
    CHECK_IS(peerguard_set_peer_limits(guard, &id, (uint64_t)1 << 41, 0), PEERGUARD_ERR_CONFIG);
    CHECK_IS(peerguard_free(guard), PEERGUARD_OK);
}

static void batches(void) {
    enum { N = 8 };
    peerguard_config config = plain_config();
    peerguard_guard guard = guard_of(&config);
    peerguard_id ids[N];
    peerguard_permit permits[N];
    peerguard_rejection rejections[N];
    peerguard_result results[N];
    int32_t answers[N];
    uint32_t recorded[N];
    size_t admitted = 99;
    for (unsigned i = 0; i < N; i++) {
        ids[i] = id_of(i);
        memset(&results[i], 0, sizeof results[i]);
        results[i].latency = PEERGUARD_NONE;
        results[i].outcome = PEERGUARD_MESSAGE_SUCCESS;
    }
    CHECK_IS(peerguard_ban(guard, &ids[3], PEERGUARD_NONE, 42), PEERGUARD_OK);
    CHECK_IS(peerguard_admit_batch(guard, ids, N, permits, rejections, &admitted), PEERGUARD_OK);
    CHECK_IS(admitted, N - 1);
    CHECK_IS(rejections[3].reason, PEERGUARD_REASON_BANNED);
    CHECK_IS(rejections[4].reason, PEERGUARD_REASON_NONE);
    results[5].outcome = 10;
    CHECK_IS(peerguard_report_batch(guard, permits, results, N, answers, recorded), PEERGUARD_ERR_ENUM);
    results[5].outcome = PEERGUARD_CANCELLED;
    CHECK_IS(peerguard_report_batch(guard, permits, results, N, answers, recorded), PEERGUARD_OK);
    for (int i = 0; i < N; i++) {
        CHECK_IS(answers[i], i == 3 ? PEERGUARD_NO : PEERGUARD_OK);
        if (i != 3) CHECK_IS(recorded[i], i == 5 ? PEERGUARD_RECORDED_IGNORED : PEERGUARD_RECORDED_COUNTED);
    }
    CHECK_IS(peerguard_report_batch(guard, permits, results, N, answers, NULL), PEERGUARD_OK);
    CHECK_IS(answers[0], PEERGUARD_ERR_SPENT);
    CHECK_IS(view_of(guard, &ids[7]).successful_messages, 1);
    CHECK_IS(peerguard_admit_batch(guard, NULL, 0, NULL, NULL, &admitted), PEERGUARD_OK);
    CHECK_IS(admitted, 0);
    CHECK_IS(peerguard_admit_batch(guard, ids, SIZE_MAX / 2, permits, NULL, NULL), PEERGUARD_ERR_LENGTH);
    CHECK_IS(peerguard_free(guard), PEERGUARD_OK);
}

static void peers(void) {
    peerguard_config config = plain_config();
    peerguard_guard guard = guard_of(&config), other = guard_of(&config);
    peerguard_id id = id_of(5), seen;
    peerguard_peer peer = 0, second = 0;
    peerguard_permit permit;
    peerguard_rejection no;
    const uint64_t *gate = NULL;
    uint64_t word;
    uint32_t recorded = 99;
    CHECK_IS(peerguard_peer_open(guard, &id, &peer), PEERGUARD_OK);
    CHECK_IS(peerguard_peer_open(guard, &id, &second), PEERGUARD_OK);
    CHECK_IS(peerguard_peer_id(peer, &seen), PEERGUARD_OK);
    CHECK(memcmp(&id, &seen, sizeof id) == 0);
    CHECK_IS(peerguard_peer_is_tracked(peer), PEERGUARD_OK);
    CHECK_IS(peerguard_peer_gate(peer, &gate), PEERGUARD_OK);
    CHECK_IS(*gate & PEERGUARD_GATE_CLOSED_MASK, 0);
    word = *gate;
    CHECK_IS(peerguard_peer_admit(peer, &permit, &no), PEERGUARD_OK);
    CHECK_IS(permit.generation, word >> PEERGUARD_GATE_GENERATION_SHIFT & PEERGUARD_GATE_GENERATION_MASK);
    CHECK_IS(peerguard_report(guard, &permit, PEERGUARD_TIMEOUT, PEERGUARD_NONE, NULL, NULL), PEERGUARD_ERR_PERMIT);
    CHECK_IS(peerguard_peer_report(second, &permit, PEERGUARD_TIMEOUT, PEERGUARD_NONE, NULL, NULL), PEERGUARD_ERR_PERMIT);
    CHECK_IS(peerguard_peer_report(peer, &permit, PEERGUARD_TIMEOUT, PEERGUARD_NONE, NULL, NULL), PEERGUARD_OK);
    CHECK_IS(peerguard_peer_report(peer, &permit, PEERGUARD_TIMEOUT, PEERGUARD_NONE, NULL, NULL), PEERGUARD_ERR_SPENT);
    for (int i = 0; i < 4; i++) {
        CHECK_IS(peerguard_peer_check(peer, NULL), PEERGUARD_OK);
        CHECK_IS(peerguard_peer_report_period(peer, 0, PEERGUARD_TIMEOUT, PEERGUARD_NONE, NULL, &recorded), PEERGUARD_OK);
        CHECK_IS(recorded, PEERGUARD_RECORDED_COUNTED);
    }
    CHECK(*gate & PEERGUARD_GATE_CLOSED_MASK);
    CHECK_IS(peerguard_peer_check(peer, &no), PEERGUARD_NO);
    CHECK_IS(no.reason, PEERGUARD_REASON_OPEN);
    CHECK_IS(peerguard_peer_report_period(peer, 0, PEERGUARD_TIMEOUT, PEERGUARD_NONE, NULL, &recorded), PEERGUARD_OK);
    CHECK_IS(recorded, PEERGUARD_RECORDED_STALE);
    CHECK_IS(peerguard_peer_report_period(peer, 0x4000, PEERGUARD_TIMEOUT, PEERGUARD_NONE, NULL, NULL), PEERGUARD_ERR_PERMIT);
    advance(31);
    CHECK_IS(peerguard_peer_admit(peer, &permit, &no), PEERGUARD_OK);
    CHECK_IS(permit.probe, 1);
    CHECK_IS(peerguard_peer_cancel(peer, &permit), PEERGUARD_OK);
    CHECK_IS(view_of(guard, &id).probes_out, 0);
    CHECK_IS(peerguard_reset(guard, &id), PEERGUARD_OK);
    CHECK_IS(peerguard_set_peer_limits(guard, &id, 1000, PEERGUARD_NONE), PEERGUARD_OK);
    CHECK(*gate & PEERGUARD_GATE_LIMITED);
    CHECK_IS(peerguard_peer_admit_bytes(peer, PEERGUARD_UPLOAD, 300, &permit, &no), PEERGUARD_OK);
    CHECK_IS(peerguard_peer_refund(peer, &permit, 300, NULL), PEERGUARD_OK);
    CHECK_IS(peerguard_peer_cancel(peer, &permit), PEERGUARD_OK);
    CHECK_IS(peerguard_peer_grant_up_to(peer, PEERGUARD_UPLOAD, 100000, &permit, &no), PEERGUARD_OK);
    CHECK(permit.bytes >= 998 && permit.bytes <= 1000);
    CHECK_IS(peerguard_peer_report(peer, &permit, PEERGUARD_SYNC_SUCCESS, PEERGUARD_NONE, NULL, NULL), PEERGUARD_OK);
    CHECK_IS(peerguard_peer_report_key(peer, PEERGUARD_MESSAGE_SUCCESS, PEERGUARD_NONE, NULL, NULL), PEERGUARD_OK);
    /* Of another guard, of another kind. */
    CHECK_IS(peerguard_admit(other, &id, &permit, NULL), PEERGUARD_OK);
    CHECK_IS(peerguard_report(guard, &permit, PEERGUARD_TIMEOUT, PEERGUARD_NONE, NULL, NULL), PEERGUARD_ERR_PERMIT);
    CHECK_IS(peerguard_free(peer), PEERGUARD_ERR_HANDLE);
    CHECK_IS(peerguard_peer_free(guard), PEERGUARD_ERR_HANDLE);
    /* A peer outlives its guard. */
    CHECK_IS(peerguard_free(guard), PEERGUARD_OK);
    CHECK_IS(peerguard_peer_admit(peer, &permit, NULL), PEERGUARD_OK);
    CHECK_IS(*gate & PEERGUARD_GATE_CLOSED_MASK, 0);
    CHECK_IS(peerguard_peer_free(second), PEERGUARD_OK);
    CHECK_IS(peerguard_peer_free(peer), PEERGUARD_OK);
    CHECK_IS(peerguard_peer_free(peer), PEERGUARD_ERR_FREED);
    CHECK_IS(peerguard_peer_check(peer, NULL), PEERGUARD_ERR_FREED);
    CHECK_IS(peerguard_free(other), PEERGUARD_OK);
}

/* The look-up without a call, as the header tells it. */
static int look(const peerguard_records *at, uint32_t slot, peerguard_guard guard, const peerguard_id *id,
                peerguard_permit *permit) {
    const char *record = (const char *)at->first + slot * at->stride;
    const uint64_t *word = (const uint64_t *)(const void *)(record + at->meta);
    uint64_t meta = *word, gate = *(const uint64_t *)(const void *)(record + at->gate);
    /* On a machine whose least significant byte comes first, the key's words are the id's bytes. */
    int same = memcmp(record + at->key, id->bytes, sizeof id->bytes) == 0;
    if ((meta & at->tenant_mask) != (meta & at->life_mask) + at->live || !same || (gate & PEERGUARD_GATE_CLOSED_MASK)) return 0;
    memset(permit, 0, sizeof *permit);
    permit->owner = guard;
    permit->id = *id;
    permit->slot = slot;
    permit->life = (uint32_t)(meta & at->life_mask);
    permit->generation = (uint16_t)(gate >> PEERGUARD_GATE_GENERATION_SHIFT & PEERGUARD_GATE_GENERATION_MASK);
    permit->state = 1;
    permit->hold = PEERGUARD_HOLD_SEEN;
    return 1;
}

static void records(void) {
    peerguard_config config = plain_config();
    peerguard_guard guard = guard_of(&config);
    peerguard_records at;
    peerguard_id id = id_of(6), other = id_of(7);
    peerguard_permit permit, made_up;
    uint32_t slot, recorded = 99;
    at.struct_size = sizeof at;
    CHECK_IS(peerguard_records_of(guard, &at), PEERGUARD_OK);
    CHECK_IS(at.count, config.max_peers);
    CHECK_IS(peerguard_admit(guard, &id, &permit, NULL), PEERGUARD_OK);
    CHECK(permit.hold != PEERGUARD_HOLD_SEEN);
    CHECK_IS(look(&at, 0, guard, &id, &made_up), 0);
    CHECK_IS(peerguard_report(guard, &permit, PEERGUARD_TIMEOUT, PEERGUARD_NONE, NULL, NULL), PEERGUARD_OK);
    for (int i = 0; i < 4; i++) {
        CHECK_IS(peerguard_admit(guard, &id, &permit, NULL), PEERGUARD_OK);
        CHECK_IS(permit.hold, PEERGUARD_HOLD_SEEN);
        slot = permit.slot;
        CHECK_IS(look(&at, slot, guard, &other, &made_up), 0);
        CHECK_IS(look(&at, slot, guard, &id, &made_up), 1);
        CHECK(memcmp(&permit, &made_up, sizeof permit) == 0);
        CHECK_IS(peerguard_report(guard, &made_up, PEERGUARD_TIMEOUT, PEERGUARD_NONE, NULL, &recorded), PEERGUARD_OK);
        CHECK_IS(recorded, PEERGUARD_RECORDED_COUNTED);
    }
    CHECK_IS(look(&at, slot, guard, &id, &made_up), 0);
    CHECK_IS(peerguard_report(guard, &permit, PEERGUARD_SYNC_SUCCESS, PEERGUARD_NONE, NULL, &recorded), PEERGUARD_OK);
    CHECK_IS(recorded, PEERGUARD_RECORDED_STALE);
    CHECK_IS(view_of(guard, &id).timeouts, 5);
    CHECK_IS(peerguard_free(guard), PEERGUARD_OK);
}

static void operators(void) {
    peerguard_config config = plain_config();
    peerguard_guard guard = guard_of(&config);
    peerguard_id id = id_of(6), unknown = id_of(1234);
    peerguard_permit permit;
    peerguard_rejection no;
    peerguard_explanation why;
    peerguard_event events[16];
    size_t written = 0;
    uint64_t next, lost = 99;
    CHECK_IS(peerguard_is_banned(guard, &id), PEERGUARD_NO);
    CHECK_IS(peerguard_unban(guard, &id), PEERGUARD_NO);
    CHECK_IS(peerguard_reset(guard, &id), PEERGUARD_NO);
    CHECK_IS(peerguard_ban(guard, &id, 60000000000, 7), PEERGUARD_OK);
    CHECK_IS(peerguard_ban(guard, &id, 1, 256), PEERGUARD_ERR_ENUM);
    CHECK_IS(peerguard_is_banned(guard, &id), PEERGUARD_OK);
    CHECK_IS(view_of(guard, &id).ban_origin, PEERGUARD_BAN_OPERATOR);
    CHECK_IS(view_of(guard, &id).ban_code, 7);
    why.struct_size = sizeof why;
    CHECK_IS(peerguard_explain(guard, &id, &why, events, 16, &written), PEERGUARD_NO);
    CHECK_IS(why.verdict.reason, PEERGUARD_REASON_BANNED);
    CHECK(why.known && why.score == 50 && why.view.tier == PEERGUARD_TIER_BANNED);
    CHECK_IS(written, 1);
    CHECK_IS(events[0].kind, PEERGUARD_EVENT_BANNED);
    CHECK_IS(peerguard_explain(guard, &unknown, &why, NULL, 0, NULL), PEERGUARD_OK);
    CHECK_IS(why.known, 0);
    CHECK_IS(peerguard_unban(guard, &id), PEERGUARD_OK);
    CHECK_IS(peerguard_force(guard, &id, PEERGUARD_FORCED_OPEN), PEERGUARD_OK);
    CHECK_IS(peerguard_admit(guard, &id, &permit, &no), PEERGUARD_NO);
    CHECK_IS(no.reason, PEERGUARD_REASON_FORCED_OPEN);
    CHECK_IS(no.retry_after, PEERGUARD_NONE);
    CHECK_IS(peerguard_force(guard, &id, PEERGUARD_FORCED_CLOSED), PEERGUARD_OK);
    CHECK_IS(peerguard_force(guard, &id, PEERGUARD_FORCED_OBSERVE), PEERGUARD_OK);
    CHECK_IS(peerguard_force(guard, &id, PEERGUARD_FORCED_NONE), PEERGUARD_ERR_ENUM);
    CHECK_IS(peerguard_force(guard, &id, 4), PEERGUARD_ERR_ENUM);
    CHECK_IS(peerguard_reset(guard, &id), PEERGUARD_OK);
    CHECK_IS(peerguard_drain_events(guard, events, sizeof events[0], 2, &written, &lost), PEERGUARD_OK);
    CHECK_IS(written, 2);
    CHECK_IS(lost, 0);
    CHECK_IS(peerguard_event_count(guard, &next), PEERGUARD_OK);
    CHECK_IS(next, 6);
    CHECK_IS(peerguard_events_since(guard, 1, events, sizeof events[0], 16, &written, &next, &lost), PEERGUARD_OK);
    CHECK(written == 5 && next == 6 && lost == 0 && events[0].sequence == 1 && events[4].kind == PEERGUARD_EVENT_RESET);
    CHECK_IS(peerguard_events_since(guard, next, events, sizeof events[0], 16, &written, &next, NULL), PEERGUARD_OK);
    CHECK(written == 0 && next == 6);
    CHECK_IS(peerguard_drain_events(guard, events, sizeof events[0], 16, &written, &lost), PEERGUARD_OK);
    CHECK_IS(written, 4);
    CHECK_IS(events[3].kind, PEERGUARD_EVENT_RESET);
    CHECK_IS(peerguard_drain_events(guard, events, 8, 16, &written, &lost), PEERGUARD_ERR_STRUCT_SIZE);
    CHECK_IS(peerguard_free(guard), PEERGUARD_OK);
}

static void snapshots(void) {
    peerguard_config config = plain_config();
    peerguard_guard guard = guard_of(&config);
    peerguard_snapshot snapshot = 0;
    peerguard_totals totals;
    peerguard_latency latency;
    peerguard_peer_view views[4];
    peerguard_id found[20];
    double scores[20], ms = 20, bad = -1;
    int64_t taken_at = 0;
    size_t written = 0, all = 0, have = 0, can = 0;
    for (unsigned n = 0; n < 10; n++) {
        peerguard_id id = id_of(n);
        for (unsigned i = 0; i <= n; i++) CHECK_IS(peerguard_record_success(guard, &id, &ms, NULL), PEERGUARD_OK);
    }
    peerguard_id worst = id_of(0);
    bad = NAN;
    CHECK_IS(peerguard_record_success(guard, &worst, &bad, NULL), PEERGUARD_ERR_LATENCY);
    bad = -0.5;
    CHECK_IS(peerguard_record_success(guard, &worst, &bad, NULL), PEERGUARD_ERR_LATENCY);
    CHECK_IS(peerguard_record_failure(guard, &worst, NULL), PEERGUARD_OK);
    CHECK_IS(peerguard_should_communicate(guard, &worst), PEERGUARD_OK);
    CHECK_IS(peerguard_report_key(guard, &worst, PEERGUARD_FATAL, PEERGUARD_NONE, NULL, NULL), PEERGUARD_OK);
    CHECK_IS(peerguard_should_communicate(guard, &worst), PEERGUARD_NO);
    CHECK_IS(peerguard_snapshot_take(guard, &snapshot), PEERGUARD_OK);
    CHECK_IS(peerguard_top_peers(guard, found, scores, 20, &written), PEERGUARD_OK);
    CHECK_IS(written, 9);
    CHECK(scores[0] == 70 && found[0].bytes[0] == 9);
    CHECK_IS(peerguard_sync_candidates(guard, found, 3, &written), PEERGUARD_OK);
    CHECK_IS(written, 3);
    CHECK_IS(peerguard_occupancy(guard, &have, &can), PEERGUARD_OK);
    CHECK(have == 10 && can == 1000);
    totals.struct_size = sizeof totals;
    CHECK_IS(peerguard_get_totals(guard, &totals), PEERGUARD_OK);
    CHECK_IS(peerguard_free(guard), PEERGUARD_OK);
    CHECK_IS(totals.banned, 1);
    totals.banned = 99;
    CHECK_IS(peerguard_snapshot_totals(snapshot, &totals, &latency, &taken_at), PEERGUARD_OK);
    CHECK(totals.total_peers == 10 && totals.banned == 1 && totals.upload_available == PEERGUARD_NONE);
    CHECK_IS(totals.denied[PEERGUARD_REASON_BANNED], 1);
    CHECK(latency.peers == 10 && fabs(latency.p50 - 20) < 0.1);
    CHECK(taken_at > (int64_t)1600000000 * 1000000000);
    while (peerguard_snapshot_peers(snapshot, all, views, sizeof views[0], 4, &written) == PEERGUARD_OK && written) all += written;
    CHECK_IS(all, 10);
    CHECK_IS(peerguard_snapshot_top_peers(snapshot, views, sizeof views[0], 4, &written), PEERGUARD_OK);
    CHECK(written == 4 && views[0].score == 70 && views[0].successful_syncs == 10);
    CHECK_IS(peerguard_snapshot_sync_candidates(snapshot, views, sizeof views[0], 4, &written), PEERGUARD_OK);
    CHECK_IS(written, 4);
    CHECK_IS(peerguard_snapshot_peers(snapshot, 0, views, 8, 4, &written), PEERGUARD_ERR_STRUCT_SIZE);
    CHECK_IS(peerguard_snapshot_free(snapshot), PEERGUARD_OK);
    CHECK_IS(peerguard_snapshot_free(snapshot), PEERGUARD_ERR_FREED);
    totals.struct_size = 4;
    CHECK_IS(peerguard_get_totals(guard, &totals), PEERGUARD_ERR_STRUCT_SIZE);
}

static peerguard_guard inner_guard;
static int32_t inner_answer;

static uint64_t calling_clock(void *context) {
    peerguard_id id = id_of(1);
    (void)context;
    if (inner_guard) inner_answer = peerguard_is_banned(inner_guard, &id);
    return time_now;
}

static void calls_inside_calls(void) {
    peerguard_config config = plain_config();
    peerguard_clock clock;
    peerguard_guard guard;
    peerguard_id id = id_of(1);
    clock.now = calling_clock;
    clock.context = NULL;
    CHECK_IS(peerguard_new(&config, &clock, &guard), PEERGUARD_OK);
    inner_guard = guard;
    CHECK_IS(peerguard_record_failure(guard, &id, NULL), PEERGUARD_OK);
    CHECK_IS(inner_answer, PEERGUARD_ERR_REENTRANT);
    inner_guard = 0;
    CHECK_IS(peerguard_free(guard), PEERGUARD_OK);
}

int main(void) {
    versions();
    configuration();
    ids();
    breaker();
    bytes();
    batches();
    peers();
    records();
    operators();
    snapshots();
    calls_inside_calls();
    puts("11 passed, 0 failed");
    return 0;
}
