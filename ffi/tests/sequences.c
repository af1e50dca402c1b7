/* A million calls at random over handles and permits, double frees and uses after free among them: each answer must be the
 * one that a model of what was freed and reported foretells. Then two threads use handles that two others free.
 *
 * With PEERGUARD_FUZZ an input takes the place of the random numbers: `peerguard_fuzz_sequences` for the search in
 * tests/fuzz, and a main that replays files where PEERGUARD_REPLAY is defined too. */
#define _POSIX_C_SOURCE 200809L
#include "check.h"
#include "peerguard.h"

#include <pthread.h>
#include <string.h>
#include <time.h>

enum { GUARDS = 4, PEERS = 24, SNAPSHOTS = 6, EXPORTERS = 3, TEXTS = 6, PERMITS = 64, KEYS = 40 };

#ifdef PEERGUARD_FUZZ
static const uint8_t *input;
static size_t input_left;

/* Two bytes of the input, where `below` looks for them. */
static uint64_t random64(void) {
    uint64_t word = 0;
    for (int i = 0; i < 2 && input_left; i++, input++, input_left--) word = word << 8 | *input;
    return word << 33;
}
#else
/* xorshift64* (Vigna): the same sequence in every run for one seed. */
static uint64_t state;

static uint64_t random64(void) {
    state ^= state >> 12;
    state ^= state << 25;
    state ^= state >> 27;
    return state * 0x2545f4914f6cdd1d;
}
#endif

static unsigned below(unsigned n) {
    return (unsigned)(random64() >> 33) % n;
}

struct handle {
    uint64_t word;
    enum { NEVER, ALIVE, FREED } is;
};

struct model_permit {
    peerguard_permit raw;
    enum { NONE, HELD, SPENT } is;
    int by_peer;
    unsigned owner;
    uint64_t owner_word;
};

static struct handle guards[GUARDS], peers[PEERS], snapshots[SNAPSHOTS], exporters[EXPORTERS], texts[TEXTS];
static struct model_permit permits[PERMITS];
static uint64_t made_up;
static long counted;

static uint64_t now_ns = 1000000000000;

static uint64_t read_time(void *context) {
    (void)context;
    return now_ns;
}

static peerguard_id some_id(void) {
    peerguard_id id;
    memset(&id, 0, sizeof id);
    id.bytes[0] = (uint8_t)below(KEYS);
    return id;
}

/* What a call on a handle must answer when only the handle can be wrong. */
static int32_t code_of(const struct handle *handle) {
    return handle->is == ALIVE ? 0 : handle->is == FREED ? PEERGUARD_ERR_FREED : PEERGUARD_ERR_HANDLE;
}

static void as_foretold(int32_t answer, const struct handle *handle) {
    int32_t code = code_of(handle);
    counted++;
    if (code) CHECK_IS(answer, code);
    else CHECK(answer == PEERGUARD_OK || answer == PEERGUARD_NO);
}

static void make_guard(struct handle *guard) {
    peerguard_config config;
    peerguard_clock clock = {read_time, NULL};
    CHECK_IS(peerguard_config_init(&config, sizeof config), PEERGUARD_OK);
    config.max_peers = 30;
    config.event_capacity = 16;
    config.per_peer_upload_bps = 1000;
    config.newcomers = below(2);
    CHECK_IS(peerguard_new(&config, &clock, &guard->word), PEERGUARD_OK);
    guard->is = ALIVE;
}

static void free_handle(struct handle *handle, int32_t (*free_it)(uint64_t)) {
    int32_t code = code_of(handle);
    counted++;
    CHECK_IS(free_it(handle->word), code);
    if (handle->is == ALIVE) handle->is = FREED;
}

static void keep_permit(const peerguard_permit *raw, int32_t answer, int by_peer, unsigned owner, uint64_t word) {
    struct model_permit *permit = &permits[below(PERMITS)];
    permit->raw = *raw;
    permit->is = answer == PEERGUARD_OK ? HELD : NONE;
    permit->by_peer = by_peer;
    permit->owner = owner;
    permit->owner_word = word;
}

static void ask(void) {
    peerguard_permit raw;
    peerguard_rejection no;
    peerguard_id id = some_id();
    unsigned by_peer = below(2), i = below(by_peer ? PEERS : GUARDS);
    const struct handle *handle = by_peer ? &peers[i] : &guards[i];
    uint64_t bytes = below(4) ? 0 : 1 + below(1500);
    int32_t answer;
    memset(&raw, 0, sizeof raw);
    if (by_peer) {
        answer = bytes ? peerguard_peer_admit_bytes(handle->word, below(2), bytes, &raw, &no)
                       : peerguard_peer_admit(handle->word, &raw, &no);
    } else if (bytes && below(2)) {
        answer = peerguard_grant_up_to(handle->word, &id, below(2), bytes, &raw, &no);
    } else {
        answer = peerguard_admit_bytes(handle->word, &id, below(2), bytes, &raw, &no);
    }
    as_foretold(answer, handle);
    if (handle->is == ALIVE) keep_permit(&raw, answer, (int)by_peer, i, handle->word);
}

/* Ends or refunds a permit, through its owner or through any other. */
static void end_permit(void) {
    struct model_permit *permit = &permits[below(PERMITS)];
    unsigned i = below(8) ? permit->owner : below(permit->by_peer ? PEERS : GUARDS);
    const struct handle *handle = permit->by_peer ? &peers[i] : &guards[i];
    int32_t want = code_of(handle), answer;
    unsigned what = below(4);
    if (!want) {
        if (permit->is == SPENT) want = PEERGUARD_ERR_SPENT;
        else if (permit->is == NONE || permit->owner_word != handle->word) want = PEERGUARD_ERR_PERMIT;
    }
    if (what == 0) {
        answer = permit->by_peer ? peerguard_peer_cancel(handle->word, &permit->raw)
                                 : peerguard_cancel(handle->word, &permit->raw);
    } else if (what == 1) {
        answer = permit->by_peer ? peerguard_peer_refund(handle->word, &permit->raw, below(500), NULL)
                                 : peerguard_refund(handle->word, &permit->raw, below(500), NULL);
    } else {
        answer = permit->by_peer
                     ? peerguard_peer_report(handle->word, &permit->raw, below(10), below(1000000), NULL, NULL)
                     : peerguard_report(handle->word, &permit->raw, below(10), below(1000000), NULL, NULL);
    }
    counted++;
    CHECK_IS(answer, want);
    if (answer == PEERGUARD_OK && what != 1) permit->is = SPENT;
}

static void use_guard(void) {
    struct handle *guard = &guards[below(GUARDS)];
    peerguard_id id = some_id(), found[5];
    peerguard_peer_view view;
    peerguard_totals totals;
    peerguard_event events[4];
    size_t written;
    double ms = below(100);
    view.struct_size = sizeof view;
    totals.struct_size = sizeof totals;
    switch (below(10)) {
    case 0: as_foretold(peerguard_record_success(guard->word, &id, &ms, NULL), guard); break;
    case 1: as_foretold(peerguard_report_key(guard->word, &id, below(10), PEERGUARD_NONE, NULL, NULL), guard); break;
    case 2: as_foretold(peerguard_should_communicate(guard->word, &id), guard); break;
    case 3: as_foretold(peerguard_unban(guard->word, &id), guard); break;
    case 4: as_foretold(peerguard_view(guard->word, &id, &view), guard); break;
    case 5: as_foretold(peerguard_get_totals(guard->word, &totals), guard); break;
    case 6: as_foretold(peerguard_drain_events(guard->word, events, sizeof events[0], 4, &written, NULL), guard); break;
    case 7: as_foretold(peerguard_sync_candidates(guard->word, found, 5, &written), guard); break;
    case 8: as_foretold(peerguard_reset(guard->word, &id), guard); break;
    default: as_foretold(peerguard_take(guard->word, &id, below(2), below(300)), guard); break;
    }
}

static void use_peer(void) {
    struct handle *guard = &guards[below(GUARDS)], *peer = &peers[below(PEERS)];
    peerguard_id id = some_id();
    switch (below(5)) {
    case 0:
        if (peer->is == ALIVE) free_handle(peer, peerguard_peer_free);
        as_foretold(peerguard_peer_open(guard->word, &id, &peer->word), guard);
        if (guard->is == ALIVE) peer->is = ALIVE;
        break;
    case 1: free_handle(peer, peerguard_peer_free); break;
    case 2: as_foretold(peerguard_peer_check(peer->word, NULL), peer); break;
    case 3: as_foretold(peerguard_peer_id(peer->word, &id), peer); break;
    default:
        as_foretold(peerguard_peer_report_period(peer->word, below(3), below(10), PEERGUARD_NONE, NULL, NULL), peer);
    }
}

static void use_snapshot(void) {
    struct handle *guard = &guards[below(GUARDS)], *snapshot = &snapshots[below(SNAPSHOTS)];
    peerguard_peer_view views[3];
    size_t written;
    switch (below(4)) {
    case 0:
        if (snapshot->is == ALIVE) free_handle(snapshot, peerguard_snapshot_free);
        as_foretold(peerguard_snapshot_take(guard->word, &snapshot->word), guard);
        if (guard->is == ALIVE) snapshot->is = ALIVE;
        break;
    case 1: free_handle(snapshot, peerguard_snapshot_free); break;
    default:
        as_foretold(peerguard_snapshot_peers(snapshot->word, below(20), views, sizeof views[0], 3, &written), snapshot);
    }
}

static void make_exporter(struct handle *exporter) {
    struct handle *guard = &guards[below(GUARDS)];
    peerguard_exporter_options options;
    CHECK_IS(peerguard_exporter_options_init(&options, sizeof options), PEERGUARD_OK);
    if (exporter->is == ALIVE) free_handle(exporter, peerguard_exporter_free);
    /* Now and then with threads of its own. */
    if (below(10)) options.interval = PEERGUARD_NONE;
    else options.address = "127.0.0.1:0";
    as_foretold(peerguard_exporter_new(guard->word, &options, &exporter->word, NULL), guard);
    if (guard->is == ALIVE) exporter->is = ALIVE;
}

static void use_exporter(void) {
    struct handle *exporter = &exporters[below(EXPORTERS)], *text = &texts[below(TEXTS)];
    char bytes[64];
    size_t written;
    switch (below(8)) {
    case 0:
        if (below(50) == 0) make_exporter(exporter);
        break;
    case 1:
        if (below(50) == 0) free_handle(exporter, peerguard_exporter_free);
        break;
    case 2: as_foretold(peerguard_exporter_address(exporter->word, bytes, sizeof bytes), exporter); break;
    case 3: free_handle(text, peerguard_text_free); break;
    case 4:
        if (text->is == ALIVE) free_handle(text, peerguard_text_free);
        as_foretold(peerguard_exporter_metrics(exporter->word, below(2), &text->word), exporter);
        if (exporter->is == ALIVE) text->is = ALIVE;
        break;
    case 5: as_foretold(peerguard_exporter_publish(exporter->word), exporter); break;
    default: as_foretold(peerguard_text_read(text->word, below(1000), bytes, below(sizeof bytes), &written), text);
    }
}

static void use_the_wrong_kind(void) {
    struct handle *guard = &guards[below(GUARDS)], *peer = &peers[below(PEERS)];
    if (below(2)) made_up = random64();
    CHECK_IS(peerguard_peer_check(guard->word, NULL), PEERGUARD_ERR_HANDLE);
    CHECK_IS(peerguard_free(peer->word), PEERGUARD_ERR_HANDLE);
    CHECK_IS(peerguard_snapshot_free(peer->word), PEERGUARD_ERR_HANDLE);
    CHECK_IS(peerguard_text_free(peer->word), PEERGUARD_ERR_HANDLE);
    CHECK_IS(peerguard_exporter_free(guard->word), PEERGUARD_ERR_HANDLE);
    CHECK(peerguard_peer_free(made_up & ~(uint64_t)0xffffffff) == PEERGUARD_ERR_HANDLE);
    counted += 6;
}

static int is_over(long calls) {
#ifdef PEERGUARD_FUZZ
    (void)calls;
    return !input_left;
#else
    return counted >= calls;
#endif
}

static void at_random(long calls) {
    memset(permits, 0, sizeof permits);
    while (!is_over(calls)) {
        unsigned what = below(100);
        now_ns += below(50) * 1000000;
        if (what < 4) {
            struct handle *guard = &guards[below(GUARDS)];
            if (guard->is != ALIVE) make_guard(guard);
            else if (below(4) == 0) free_handle(guard, peerguard_free);
        } else if (what < 6) {
            struct handle *guard = &guards[below(GUARDS)];
            if (guard->is != ALIVE) free_handle(guard, peerguard_free);
        } else if (what < 40) ask();
        else if (what < 70) end_permit();
        else if (what < 80) use_guard();
        else if (what < 92) use_peer();
        else if (what < 96) use_snapshot();
        else if (what < 98) use_exporter();
        else use_the_wrong_kind();
    }
    for (int i = 0; i < GUARDS; i++) free_handle(&guards[i], peerguard_free);
    for (int i = 0; i < PEERS; i++) free_handle(&peers[i], peerguard_peer_free);
    for (int i = 0; i < SNAPSHOTS; i++) free_handle(&snapshots[i], peerguard_snapshot_free);
    for (int i = 0; i < EXPORTERS; i++) free_handle(&exporters[i], peerguard_exporter_free);
    for (int i = 0; i < TEXTS; i++) free_handle(&texts[i], peerguard_text_free);
}

#ifdef PEERGUARD_FUZZ
void peerguard_fuzz_sequences(const uint8_t *data, size_t length);

void peerguard_fuzz_sequences(const uint8_t *data, size_t length) {
    memset(guards, 0, sizeof guards);
    memset(peers, 0, sizeof peers);
    memset(snapshots, 0, sizeof snapshots);
    now_ns = 1000000000000;
    made_up = 0;
    input = data;
    input_left = length;
    at_random(0);
}

#ifdef PEERGUARD_REPLAY
int main(int argc, char **argv) {
    static uint8_t data[1 << 16];
    CHECK(argc > 1);
    for (int i = 1; i < argc; i++) {
        FILE *file = fopen(argv[i], "rb");
        CHECK(file);
        size_t length = fread(data, 1, sizeof data, file);
        fclose(file);
        peerguard_fuzz_sequences(data, length);
    }
    printf("%d inputs, %ld calls: as foretold\n", argc - 1, counted);
    return 0;
}
#endif
#else
/* Races: the words are shared, and may be freed at any moment. */
static uint64_t shared_guard, shared_peer;
static int stop;
static long frees, uses;

static void *race_user(void *unused) {
    peerguard_permit permit;
    peerguard_id id;
    (void)unused;
    memset(&id, 1, sizeof id);
    while (!__atomic_load_n(&stop, __ATOMIC_RELAXED)) {
        uint64_t guard = __atomic_load_n(&shared_guard, __ATOMIC_RELAXED);
        uint64_t peer = __atomic_load_n(&shared_peer, __ATOMIC_RELAXED);
        int32_t answer = peerguard_admit(guard, &id, &permit, NULL);
        CHECK(answer >= 0 || answer == PEERGUARD_ERR_FREED);
        if (answer == PEERGUARD_OK) {
            answer = peerguard_report(guard, &permit, PEERGUARD_MESSAGE_SUCCESS, PEERGUARD_NONE, NULL, NULL);
            CHECK(answer == PEERGUARD_OK || answer == PEERGUARD_ERR_FREED);
            __atomic_fetch_add(&uses, 1, __ATOMIC_RELAXED);
        }
        answer = peerguard_peer_check(peer, NULL);
        CHECK(answer >= 0 || answer == PEERGUARD_ERR_FREED);
    }
    return NULL;
}

static void *race_freer(void *unused) {
    unsigned turn = 0;
    (void)unused;
    while (!__atomic_load_n(&stop, __ATOMIC_RELAXED)) {
        struct timespec while_ = {0, (turn++ % 16) * 2000};
        nanosleep(&while_, NULL);
        int32_t answer = peerguard_free(__atomic_load_n(&shared_guard, __ATOMIC_RELAXED));
        CHECK(answer == PEERGUARD_OK || answer == PEERGUARD_ERR_FREED);
        if (answer == PEERGUARD_OK) __atomic_fetch_add(&frees, 1, __ATOMIC_RELAXED);
        answer = peerguard_peer_free(__atomic_load_n(&shared_peer, __ATOMIC_RELAXED));
        CHECK(answer == PEERGUARD_OK || answer == PEERGUARD_ERR_FREED);
    }
    return NULL;
}

static void make_shared(void) {
    peerguard_config config;
    peerguard_guard guard;
    peerguard_peer peer;
    peerguard_id id;
    memset(&id, 2, sizeof id);
    CHECK_IS(peerguard_config_init(&config, sizeof config), PEERGUARD_OK);
    config.max_peers = 4;
    config.event_capacity = 1;
    CHECK_IS(peerguard_new(&config, NULL, &guard), PEERGUARD_OK);
    CHECK_IS(peerguard_peer_open(guard, &id, &peer), PEERGUARD_OK);
    __atomic_store_n(&shared_guard, guard, __ATOMIC_RELAXED);
    __atomic_store_n(&shared_peer, peer, __ATOMIC_RELAXED);
}

/* Each side has had its turns. */
static int have_met(void) {
    return __atomic_load_n(&frees, __ATOMIC_RELAXED) >= 100 && __atomic_load_n(&uses, __ATOMIC_RELAXED) >= 100;
}

static void races(int rounds) {
    pthread_t threads[4];
    make_shared();
    for (int i = 0; i < 4; i++) CHECK_IS(pthread_create(&threads[i], NULL, i < 2 ? race_user : race_freer, NULL), 0);
    for (int i = 0; i < rounds || (!have_met() && i / 100 < rounds); i++) {
        /* Now and then the guard stays for a while, so that it is used before it goes. */
        struct timespec while_ = {0, (i % 8) * 5000};
        nanosleep(&while_, NULL);
        /* What the others have not freed would leak. */
        peerguard_free(shared_guard);
        peerguard_peer_free(shared_peer);
        make_shared();
    }
    __atomic_store_n(&stop, 1, __ATOMIC_RELAXED);
    for (int i = 0; i < 4; i++) CHECK_IS(pthread_join(threads[i], NULL), 0);
    peerguard_free(shared_guard);
    peerguard_peer_free(shared_peer);
    printf("races: %ld frees by other threads, %ld uses\n", frees, uses);
    CHECK(have_met());
}

int main(int argc, char **argv) {
    long calls = argc > 1 ? atol(argv[1]) : 1000000;
    state = argc > 2 ? strtoull(argv[2], NULL, 0) : 0x9e3779b97f4a7c15;
    made_up = random64();
    at_random(calls);
    races(argc > 3 ? atoi(argv[3]) : 2000);
    printf("%ld passed, 0 failed\n", counted);
    return 0;
}
#endif
