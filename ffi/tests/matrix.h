/* What the generated calls of matrix.c work on. */
#ifndef MATRIX_H
#define MATRIX_H

#include "check.h"
#include "peerguard.h"

#include <string.h>

#ifdef WITH_FAULTS
void peerguard_fault_next(void);
#define FAULT peerguard_fault_next
#else
#define FAULT NULL
#endif

/* Everything that an argument may point to; each array has one place more than is asked for, so that a misaligned pointer
 * stays inside. */
struct arena {
    peerguard_guard guard, freed_guard, new_guard;
    peerguard_peer peer, freed_peer, new_peer;
    peerguard_snapshot snapshot, freed_snapshot, new_snapshot;
    peerguard_exporter exporter, freed_exporter, new_exporter;
    peerguard_text text_handle, freed_text, new_text;
    peerguard_id id[3];
    peerguard_permit permit[3];
    peerguard_rejection rejection[3];
    peerguard_traffic traffic[2];
    peerguard_config config[2];
    peerguard_clock clock[2];
    peerguard_limits limits[2];
    peerguard_peer_view peer_view[3];
    peerguard_explanation explanation[2];
    peerguard_totals totals[2];
    peerguard_latency latency[2];
    peerguard_event event[3];
    peerguard_result result[3];
    peerguard_records records[2];
    peerguard_exporter_options exporter_options[2];
    const char *request;
    const uint64_t *gate;
    const uint64_t *after_gate;
    size_t size_written, size_admitted, size_length, size_peers, size_capacity, after_sizes;
    uint32_t words[3];
    int32_t ints[3];
    uint64_t longs[3];
    int64_t signed_longs[3];
    double doubles[3];
    char text[80];
};

static int calls;

static uint64_t still(void *context) {
    (void)context;
    return 1000000000;
}

static void expect(int32_t got, int32_t want, const char *what) {
    calls++;
    if (got != want) {
        fprintf(stderr, "%s: %d (%s), not %d\n", what, got, peerguard_status_text(got), want);
        exit(1);
    }
}

static void well(int32_t got, const char *what) {
    calls++;
    if (got != PEERGUARD_OK && got != PEERGUARD_NO) {
        fprintf(stderr, "%s: %d (%s)\n", what, got, peerguard_status_text(got));
        exit(1);
    }
}

/* Good values everywhere, whatever the last call left; the handles are renewed if it freed them. */
static void fresh(struct arena *a) {
    memset(a->id, 7, sizeof a->id);
    CHECK_IS(peerguard_config_init(a->config, sizeof a->config[0]), PEERGUARD_OK);
    a->config[0].max_peers = 50;
    a->clock[0].now = still;
    a->clock[0].context = NULL;
    if (peerguard_occupancy(a->guard, &a->size_peers, &a->size_capacity) != PEERGUARD_OK)
        CHECK_IS(peerguard_new(a->config, a->clock, &a->guard), PEERGUARD_OK);
    if (peerguard_peer_is_tracked(a->peer) != PEERGUARD_OK)
        CHECK_IS(peerguard_peer_open(a->guard, a->id, &a->peer), PEERGUARD_OK);
    a->totals[0].struct_size = sizeof a->totals[0];
    if (peerguard_snapshot_totals(a->snapshot, a->totals, NULL, NULL) != PEERGUARD_OK)
        CHECK_IS(peerguard_snapshot_take(a->guard, &a->snapshot), PEERGUARD_OK);
    CHECK_IS(peerguard_exporter_options_init(a->exporter_options, sizeof a->exporter_options[0]), PEERGUARD_OK);
    a->exporter_options[0].interval = PEERGUARD_NONE;
    if (peerguard_exporter_publish(a->exporter) != PEERGUARD_OK)
        CHECK_IS(peerguard_exporter_new(a->guard, a->exporter_options, &a->exporter, NULL), PEERGUARD_OK);
    if (peerguard_text_length(a->text_handle, &a->size_length) != PEERGUARD_OK)
        CHECK_IS(peerguard_exporter_metrics(a->exporter, PEERGUARD_METRICS_CLASSIC, &a->text_handle), PEERGUARD_OK);
    a->request = "{\"query\": \"{ resilienceSummary: __typename }\"}";
    a->records[0].struct_size = sizeof a->records[0];
    if (a->new_exporter) peerguard_exporter_free(a->new_exporter);
    if (a->new_text) peerguard_text_free(a->new_text);
    a->new_exporter = a->new_text = 0;
    if (a->new_guard) peerguard_free(a->new_guard);
    if (a->new_peer) peerguard_peer_free(a->new_peer);
    if (a->new_snapshot) peerguard_snapshot_free(a->new_snapshot);
    a->new_guard = a->new_peer = a->new_snapshot = 0;
    memset(a->traffic, 0, sizeof a->traffic);
    memset(a->limits, 0, sizeof a->limits);
    memset(a->result, 0, sizeof a->result);
    memset(a->doubles, 0, sizeof a->doubles);
    memset(a->text, 'a', sizeof a->text);
    a->totals[0].struct_size = sizeof a->totals[0];
    a->peer_view[0].struct_size = sizeof a->peer_view[0];
    a->explanation[0].struct_size = sizeof a->explanation[0];
    CHECK_IS(peerguard_reset(a->guard, a->id) < 0, 0);
    CHECK_IS(peerguard_admit(a->guard, a->id, &a->permit[0], NULL), PEERGUARD_OK);
    CHECK_IS(peerguard_admit(a->guard, a->id, &a->permit[1], NULL), PEERGUARD_OK);
}

/* As fresh, with a permit that the peer gave. */
static void fresh_peer(struct arena *a) {
    fresh(a);
    CHECK_IS(peerguard_peer_admit(a->peer, &a->permit[0], NULL), PEERGUARD_OK);
}

static struct arena *arena_new(void) {
    struct arena *a = calloc(1, sizeof *a);
    CHECK(a != NULL);
    fresh(a);
    a->freed_guard = a->guard;
    a->freed_peer = a->peer;
    a->freed_snapshot = a->snapshot;
    a->freed_exporter = a->exporter;
    a->freed_text = a->text_handle;
    CHECK_IS(peerguard_text_free(a->text_handle), PEERGUARD_OK);
    CHECK_IS(peerguard_exporter_free(a->exporter), PEERGUARD_OK);
    CHECK_IS(peerguard_peer_free(a->peer), PEERGUARD_OK);
    CHECK_IS(peerguard_snapshot_free(a->snapshot), PEERGUARD_OK);
    CHECK_IS(peerguard_free(a->guard), PEERGUARD_OK);
    a->guard = a->peer = a->snapshot = a->exporter = a->text_handle = 0;
    fresh(a);
    return a;
}

static void arena_free(struct arena *a) {
    fresh(a);
    CHECK_IS(peerguard_text_free(a->text_handle), PEERGUARD_OK);
    CHECK_IS(peerguard_exporter_free(a->exporter), PEERGUARD_OK);
    CHECK_IS(peerguard_peer_free(a->peer), PEERGUARD_OK);
    CHECK_IS(peerguard_snapshot_free(a->snapshot), PEERGUARD_OK);
    CHECK_IS(peerguard_free(a->guard), PEERGUARD_OK);
    free(a);
}

#endif
