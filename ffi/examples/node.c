/* A node that syncs with six peers over real sockets, three of which are no good.
 *
 * Each peer is a server on loopback. The node asks the guard before every sync, tells it how the sync went, and in the end
 * prints what it has learnt. It exits with 1 if the guard has not kept it from the bad peers.
 *
 * usage: node [ADDRESS]   with an address such as 127.0.0.1:9100 it serves a page, metrics and queries there */
#define _POSIX_C_SOURCE 200809L
#include "peerguard.h"

#include <arpa/inet.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

enum behaviour { GOOD, FLAKY, SILENT, LYING, DEAD };
static const char *const WORDS[] = {"good", "flaky", "silent", "lying", "dead"};

enum { PEERS = 6, ROUNDS = 60, REPLY = 512 };

struct peer {
    enum behaviour behaviour;
    struct sockaddr_in address;
    int listener;
    peerguard_id id;
    peerguard_peer handle;
    unsigned tried, refused;
};

static struct peer peers[PEERS];

static void sleep_ms(long ms) {
    struct timespec time = {ms / 1000, ms % 1000 * 1000000};
    nanosleep(&time, NULL);
}

/* What a peer does: it answers each connection as it is. */
static void *serve(void *argument) {
    struct peer *peer = argument;
    char reply[REPLY];
    memset(reply, peer->behaviour == LYING ? 'x' : 'o', sizeof reply);
    for (unsigned n = 0;; n++) {
        int connection = accept(peer->listener, NULL, NULL);
        char request;
        if (connection < 0) return NULL;
        if (peer->behaviour == SILENT) {
            /* Until the node hangs up. */
            while (recv(connection, &request, 1, 0) == 1) continue;
        } else if (recv(connection, &request, 1, 0) == 1 && !(peer->behaviour == FLAKY && n % 3 == 0)) {
            (void)send(connection, reply, sizeof reply, MSG_NOSIGNAL);
        }
        close(connection);
    }
}

static int start(struct peer *peer, unsigned n) {
    socklen_t length = sizeof peer->address;
    pthread_t thread;
    memset(&peer->address, 0, sizeof peer->address);
    peer->address.sin_family = AF_INET;
    peer->address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    peer->behaviour = n < 2 ? GOOD : (enum behaviour)(n - 1);
    peer->listener = socket(AF_INET, SOCK_STREAM, 0);
    if (peer->listener < 0 || bind(peer->listener, (struct sockaddr *)&peer->address, sizeof peer->address) != 0) return -1;
    if (getsockname(peer->listener, (struct sockaddr *)&peer->address, &length) != 0) return -1;
    /* A peer's id is its public key; here it is the digest of its address. */
    if (peerguard_id_digest((const uint8_t *)&peer->address, sizeof peer->address, &peer->id) != PEERGUARD_OK) return -1;
    /* Bound without listening: dialling the port is refused, and nobody else gets it. */
    if (peer->behaviour == DEAD) return 0;
    if (listen(peer->listener, 16) != 0) return -1;
    if (pthread_create(&thread, NULL, serve, peer) != 0) return -1;
    return pthread_detach(thread);
}

/* One sync: what came of it, and how many bytes were received. */
static uint32_t sync_with(const struct peer *peer, uint64_t *received) {
    struct timeval patience = {1, 0};
    char reply[REPLY];
    size_t got = 0;
    uint32_t outcome = PEERGUARD_SYNC_SUCCESS;
    int connection = socket(AF_INET, SOCK_STREAM, 0);
    if (connection < 0) return PEERGUARD_LOCAL_ERROR;
    setsockopt(connection, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    if (connect(connection, (const struct sockaddr *)&peer->address, sizeof peer->address) != 0) {
        outcome = PEERGUARD_UNREACHABLE;
    } else if (send(connection, "s", 1, MSG_NOSIGNAL) != 1) {
        outcome = PEERGUARD_UNREACHABLE;
    } else {
        while (got < sizeof reply) {
            ssize_t n = recv(connection, reply + got, sizeof reply - got, 0);
            if (n <= 0) {
                outcome = n < 0 && errno == EAGAIN ? PEERGUARD_TIMEOUT : PEERGUARD_SYNC_FAILURE;
                break;
            }
            got += (size_t)n;
        }
        if (got == sizeof reply && reply[0] != 'o') outcome = PEERGUARD_PROTOCOL_VIOLATION;
    }
    *received = got;
    close(connection);
    return outcome;
}

static void visit(struct peer *peer) {
    peerguard_permit permit;
    peerguard_rejection no;
    peerguard_traffic traffic = {1, 0};
    struct timespec from, to;
    uint32_t outcome;
    if (peerguard_peer_admit(peer->handle, &permit, &no) != PEERGUARD_OK) {
        peer->refused++;
        return;
    }
    peer->tried++;
    clock_gettime(CLOCK_MONOTONIC, &from);
    outcome = sync_with(peer, &traffic.received);
    clock_gettime(CLOCK_MONOTONIC, &to);
    peerguard_peer_report(peer->handle, &permit, outcome,
                          (uint64_t)((to.tv_sec - from.tv_sec) * 1000000000 + to.tv_nsec - from.tv_nsec), &traffic, NULL);
}

/* Page, metrics and queries in the background. */
static peerguard_exporter show(peerguard_guard guard, const char *where) {
    peerguard_exporter_options options;
    peerguard_exporter exporter = 0;
    char address[PEERGUARD_ADDRESS_TEXT];
    int32_t number = 0, answer;
    peerguard_exporter_options_init(&options, sizeof options);
    options.address = where;
    answer = peerguard_exporter_new(guard, &options, &exporter, &number);
    if (answer != PEERGUARD_OK) {
        fprintf(stderr, "%s: %s%s%s\n", where, peerguard_status_text(answer), number ? ", " : "", number ? strerror(number) : "");
        exit(2);
    }
    peerguard_exporter_address(exporter, address, sizeof address);
    printf("page at http://%s\n", address);
    return exporter;
}

int main(int argc, char **argv) {
    peerguard_config config;
    peerguard_exporter exporter = 0;
    peerguard_guard guard;
    int well = 1;
    peerguard_config_init(&config, sizeof config);
    config.max_peers = 1000;
    config.recovery_timeout = 500000000;
    /* Longer than a sync takes. */
    config.probe_timeout = 2000000000;
    if (peerguard_new(&config, NULL, &guard) != PEERGUARD_OK) return 1;
    if (argc > 1) exporter = show(guard, argv[1]);
    for (unsigned n = 0; n < PEERS; n++) {
        if (start(&peers[n], n) != 0 || peerguard_peer_open(guard, &peers[n].id, &peers[n].handle) != PEERGUARD_OK) return 1;
    }
    for (int round = 0; round < ROUNDS; round++) {
        for (unsigned n = 0; n < PEERS; n++) visit(&peers[n]);
        sleep_ms(10);
    }
    printf("%-8s %6s %8s %8s %6s %10s %8s\n", "peer", "tried", "refused", "received", "score", "latency", "state");
    for (unsigned n = 0; n < PEERS; n++) {
        static const char *const STATES[] = {"closed", "open", "half_open"};
        struct peer *peer = &peers[n];
        peerguard_peer_view view;
        view.struct_size = sizeof view;
        if (peerguard_view(guard, &peer->id, &view) != PEERGUARD_OK) return 1;
        printf("%-8s %6u %8u %8llu %6.1f %7.2f ms %8s%s\n", WORDS[peer->behaviour], peer->tried, peer->refused,
               (unsigned long long)view.bytes_received, view.score, view.latency_ms, STATES[view.state],
               view.ban_origin != PEERGUARD_BAN_NONE ? ", banned" : "");
        if (peer->behaviour <= FLAKY ? peer->refused != 0 : peer->tried > ROUNDS / 2) well = 0;
        peerguard_peer_free(peer->handle);
    }
    if (exporter) peerguard_exporter_free(exporter);
    peerguard_free(guard);
    return !well;
}
