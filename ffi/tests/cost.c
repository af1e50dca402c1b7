/* What a call costs, in nanoseconds: medians of 21 rounds. The check of a closed peer by handle is one load in Rust, so its
 * cost here is what the border costs: call, boundary, handle. */
#define _POSIX_C_SOURCE 200809L
#include "check.h"
#include "peerguard.h"

#include <string.h>
#include <time.h>

enum { ROUNDS = 21, CALLS = 200000, KEYS = 1000 };

static peerguard_guard guard;
static peerguard_peer peer;
static peerguard_id ids[KEYS];
static peerguard_permit permits[64];

static void nothing(void) {
    for (int i = 0; i < CALLS; i++) (void)peerguard_abi_version();
}

static void peer_check(void) {
    for (int i = 0; i < CALLS; i++) (void)peerguard_peer_check(peer, NULL);
}

static void peer_admit(void) {
    for (int i = 0; i < CALLS; i++) (void)peerguard_peer_admit(peer, permits, NULL);
}

static void peer_admit_report(void) {
    for (int i = 0; i < CALLS; i++) {
        (void)peerguard_peer_admit(peer, permits, NULL);
        (void)peerguard_peer_report(peer, permits, PEERGUARD_MESSAGE_SUCCESS, PEERGUARD_NONE, NULL, NULL);
    }
}

static void should_communicate(void) {
    for (int i = 0; i < CALLS; i++) (void)peerguard_should_communicate(guard, &ids[i % KEYS]);
}

static void admit(void) {
    for (int i = 0; i < CALLS; i++) (void)peerguard_admit(guard, &ids[i % KEYS], permits, NULL);
}

static void admit_report(void) {
    for (int i = 0; i < CALLS; i++) {
        (void)peerguard_admit(guard, &ids[i % KEYS], permits, NULL);
        (void)peerguard_report(guard, permits, PEERGUARD_MESSAGE_SUCCESS, PEERGUARD_NONE, NULL, NULL);
    }
}

static void admit_batch(void) {
    for (int i = 0; i < CALLS; i += 64) (void)peerguard_admit_batch(guard, &ids[i % (KEYS - 64)], 64, permits, NULL, NULL);
}

static int ascending(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void measure(const char *name, void (*run)(void)) {
    double rounds[ROUNDS];
    for (int i = 0; i < ROUNDS; i++) {
        struct timespec from, to;
        clock_gettime(CLOCK_MONOTONIC, &from);
        run();
        clock_gettime(CLOCK_MONOTONIC, &to);
        rounds[i] = ((double)(to.tv_sec - from.tv_sec) * 1e9 + (double)(to.tv_nsec - from.tv_nsec)) / CALLS;
    }
    qsort(rounds, ROUNDS, sizeof rounds[0], ascending);
    printf("%-40s %6.1f ns (least %.1f)\n", name, rounds[ROUNDS / 2], rounds[0]);
}

int main(void) {
    peerguard_config config;
    CHECK_IS(peerguard_config_init(&config, sizeof config), PEERGUARD_OK);
    config.max_peers = 10000;
    CHECK_IS(peerguard_new(&config, NULL, &guard), PEERGUARD_OK);
    for (int i = 0; i < KEYS; i++) {
        memcpy(ids[i].bytes, &i, sizeof i);
        CHECK_IS(peerguard_report_key(guard, &ids[i], PEERGUARD_MESSAGE_SUCCESS, PEERGUARD_NONE, NULL, NULL), PEERGUARD_OK);
    }
    CHECK_IS(peerguard_peer_open(guard, &ids[0], &peer), PEERGUARD_OK);
    measure("a call that returns a constant", nothing);
    measure("peer_check", peer_check);
    measure("peer_admit", peer_admit);
    measure("peer_admit + peer_report", peer_admit_report);
    measure("should_communicate, 1,000 keys", should_communicate);
    measure("admit, 1,000 keys", admit);
    measure("admit + report, 1,000 keys", admit_report);
    measure("admit_batch of 64, for each", admit_batch);
    CHECK_IS(peerguard_peer_free(peer), PEERGUARD_OK);
    CHECK_IS(peerguard_free(guard), PEERGUARD_OK);
    return 0;
}
