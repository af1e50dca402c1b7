/* Metrics, queries and the snapshot as text; the server; what a forked child may do. */
#define _POSIX_C_SOURCE 200809L
#include "check.h"
#include "peerguard.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static peerguard_guard guard;

static peerguard_exporter_options options_of(const char *address) {
    peerguard_exporter_options options;
    CHECK_IS(peerguard_exporter_options_init(&options, sizeof options), PEERGUARD_OK);
    options.address = address;
    return options;
}

static peerguard_exporter exporter_of(const peerguard_exporter_options *options) {
    peerguard_exporter exporter = 0;
    CHECK_IS(peerguard_exporter_new(guard, options, &exporter, NULL), PEERGUARD_OK);
    return exporter;
}

/* The whole text, ended by a 0; in pieces, so that each byte is read once. */
static char *read_and_free(peerguard_text text) {
    size_t length = 0, have = 0, written = 1;
    char *all;
    CHECK_IS(peerguard_text_length(text, &length), PEERGUARD_OK);
    all = malloc(length + 1);
    CHECK(all != NULL);
    while (written) {
        size_t room = length - have < 100 ? length - have : 100;
        CHECK_IS(peerguard_text_read(text, have, all + have, room, &written), PEERGUARD_OK);
        have += written;
    }
    CHECK_IS(have, length);
    all[length] = 0;
    CHECK_IS(peerguard_text_free(text), PEERGUARD_OK);
    CHECK_IS(peerguard_text_free(text), PEERGUARD_ERR_FREED);
    CHECK_IS(peerguard_text_length(text, &length), PEERGUARD_ERR_FREED);
    return all;
}

static void check_has(char *text, const char *part) {
    if (!strstr(text, part)) fprintf(stderr, "%s\n", text);
    CHECK(strstr(text, part) != NULL);
    free(text);
}

static peerguard_text query(peerguard_exporter exporter, const char *request, uint32_t role) {
    peerguard_text text = 0;
    CHECK_IS(peerguard_exporter_query(exporter, request, strlen(request), role, &text), PEERGUARD_OK);
    return text;
}

static void texts(void) {
    peerguard_exporter_options options = options_of(NULL);
    peerguard_exporter exporter;
    peerguard_text text = 0;
    char address[PEERGUARD_ADDRESS_TEXT];
    const char *ban = "{\"query\": \"mutation { banPeer(peerId: \\\"0100000000000000000000000000000000000000000000000000000000000000\\\") }\"}";
    options.interval = PEERGUARD_NONE;
    exporter = exporter_of(&options);
    CHECK_IS(peerguard_exporter_address(exporter, address, sizeof address), PEERGUARD_NO);
    CHECK_IS(strlen(address), 0);
    CHECK_IS(peerguard_exporter_metrics(exporter, PEERGUARD_METRICS_CLASSIC, &text), PEERGUARD_OK);
    check_has(read_and_free(text), "circuit_breaker_trips_total 1\n");
    CHECK_IS(peerguard_exporter_metrics(exporter, PEERGUARD_METRICS_OPENMETRICS, &text), PEERGUARD_OK);
    check_has(read_and_free(text), "# EOF\n");
    CHECK_IS(peerguard_exporter_snapshot(exporter, &text), PEERGUARD_OK);
    check_has(read_and_free(text), "\"total_peers\":1");
    check_has(read_and_free(query(exporter, "{\"query\": \"{ getCircuitBreakerSummary { open } }\"}", PEERGUARD_ROLE_READER)),
              "{\"getCircuitBreakerSummary\":{\"open\":1}}");
    check_has(read_and_free(query(exporter, "{\"query\": \"{ nothing }\"}", PEERGUARD_ROLE_READER)), "\"errors\":[");
    CHECK_IS(peerguard_exporter_query(exporter, "{ open }", 8, PEERGUARD_ROLE_READER, &text), PEERGUARD_ERR_TEXT);
    check_has(read_and_free(query(exporter, ban, PEERGUARD_ROLE_READER)), "UNAUTHORIZED");
    free(read_and_free(query(exporter, ban, PEERGUARD_ROLE_OPERATOR)));
    {
        peerguard_id id;
        memset(&id, 0, sizeof id);
        id.bytes[0] = 1;
        CHECK_IS(peerguard_is_banned(guard, &id), PEERGUARD_OK);
        CHECK_IS(peerguard_unban(guard, &id), PEERGUARD_OK);
    }
    CHECK_IS(peerguard_exporter_publish(exporter), PEERGUARD_OK);
    CHECK_IS(peerguard_exporter_metrics(exporter, PEERGUARD_METRICS_CLASSIC, &text), PEERGUARD_OK);
    check_has(read_and_free(text), "peerguard_snapshots_published_total 2\n");
    CHECK_IS(peerguard_exporter_free(exporter), PEERGUARD_OK);
    CHECK_IS(peerguard_exporter_publish(exporter), PEERGUARD_ERR_FREED);
}

static void negotiation(void) {
    const char *scraper = "application/openmetrics-text;version=1.0.0,text/plain;q=0.5";
    uint32_t format = 9;
    CHECK_IS(peerguard_metrics_negotiate(NULL, 0, &format), PEERGUARD_OK);
    CHECK_IS(format, PEERGUARD_METRICS_CLASSIC);
    CHECK_IS(peerguard_metrics_negotiate(scraper, strlen(scraper), &format), PEERGUARD_OK);
    CHECK_IS(format, PEERGUARD_METRICS_OPENMETRICS);
    CHECK(strstr(peerguard_metrics_content_type(format), "openmetrics") != NULL);
    CHECK(strstr(peerguard_metrics_content_type(77), "0.0.4") != NULL);
}

/* No exporter is made, and the check says the same, with `why` in its message, or without one. */
static void refused(const peerguard_exporter_options *options, int32_t code, const char *why) {
    peerguard_exporter exporter = 7;
    char message[160];
    memset(message, 'x', sizeof message);
    CHECK_IS(peerguard_exporter_new(guard, options, &exporter, NULL), code);
    CHECK_IS(exporter, 7);
    CHECK_IS(peerguard_exporter_options_check(options, message, sizeof message), code);
    CHECK(why ? strstr(message, why) == message : message[0] == 'x');
    CHECK_IS(peerguard_exporter_options_check(options, NULL, 0), code);
}

/* A socket that has a port of all addresses, written to `address`. */
static int take_port(char *address, size_t length) {
    struct sockaddr_in at;
    socklen_t size = sizeof at;
    int s = socket(AF_INET, SOCK_STREAM, 0);
    CHECK(s >= 0);
    memset(&at, 0, sizeof at);
    at.sin_family = AF_INET;
    CHECK_IS(bind(s, (struct sockaddr *)&at, sizeof at), 0);
    CHECK_IS(getsockname(s, (struct sockaddr *)&at, &size), 0);
    snprintf(address, length, "0.0.0.0:%d", ntohs(at.sin_port));
    return s;
}

static void wrong_options(void) {
    char long_text[4098], message[9], in_use[32];
    peerguard_exporter exporter = 7;
    int32_t number = 0;
    int s;
    peerguard_exporter_options options = options_of("no address");
    refused(&options, PEERGUARD_ERR_TEXT, "address must be a numeric address");
    CHECK_IS(peerguard_exporter_options_check(&options, message, sizeof message), PEERGUARD_ERR_TEXT);
    CHECK(strcmp(message, "address ") == 0);
    options = options_of("127.0.0.1\xff:1");
    refused(&options, PEERGUARD_ERR_TEXT, "address must be UTF-8");
    options = options_of("0.0.0.0:0");
    refused(&options, PEERGUARD_ERR_TOKEN, "token must be set");
    options.token = "";
    refused(&options, PEERGUARD_ERR_TOKEN, "token must be set");
    s = take_port(in_use, sizeof in_use);
    options = options_of(in_use);
    options.token = "secret";
    CHECK_IS(peerguard_exporter_options_check(&options, message, sizeof message), PEERGUARD_OK);
    CHECK_IS(message[0], 0);
    CHECK_IS(peerguard_exporter_new(guard, &options, &exporter, &number), PEERGUARD_ERR_SYSTEM);
    CHECK_IS(exporter, 7);
    CHECK_IS(number, EADDRINUSE);
    close(s);
    memset(long_text, 'x', sizeof long_text);
    long_text[4097] = 0;
    options = options_of(NULL);
    options.hosts = long_text;
    refused(&options, PEERGUARD_ERR_LENGTH, "hosts must be");
    long_text[4096] = 0;
    options.series = 4;
    refused(&options, PEERGUARD_ERR_ENUM, "series must be");
    options = options_of(NULL);
    options.interval = 0;
    refused(&options, PEERGUARD_ERR_CONFIG, "interval must be");
    options = options_of(NULL);
    options.max_connections = 0;
    refused(&options, PEERGUARD_ERR_CONFIG, "max_connections must be");
    options = options_of(NULL);
    options.struct_size += 8;
    refused(&options, PEERGUARD_ERR_STRUCT_SIZE, NULL);
}

/* What a request to the exporter is answered; NULL if nobody listens. */
static char *request(const char *address, const char *text) {
    static char answer[1 << 16];
    struct sockaddr_in to;
    size_t have = 0;
    ssize_t got;
    int s = socket(AF_INET, SOCK_STREAM, 0);
    CHECK(s >= 0);
    memset(&to, 0, sizeof to);
    to.sin_family = AF_INET;
    to.sin_port = htons((uint16_t)atoi(strrchr(address, ':') + 1));
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (connect(s, (struct sockaddr *)&to, sizeof to) != 0) {
        close(s);
        return NULL;
    }
    CHECK_IS(send(s, text, strlen(text), 0), strlen(text));
    while ((got = recv(s, answer + have, sizeof answer - 1 - have, 0)) > 0) have += (size_t)got;
    close(s);
    answer[have] = 0;
    return answer;
}

#define GET(path, more) "GET " path " HTTP/1.1\r\nHost: localhost\r\n" more "Connection: close\r\n\r\n"

static void server(void) {
    peerguard_exporter_options options = options_of("127.0.0.1:0");
    peerguard_exporter exporter, other = 0;
    char address[PEERGUARD_ADDRESS_TEXT];
    int32_t number = 0;
    options.token = "secret";
    options.interval = 5000000;
    exporter = exporter_of(&options);
    CHECK_IS(peerguard_exporter_address(exporter, address, sizeof address), PEERGUARD_OK);
    CHECK(strncmp(address, "127.0.0.1:", 10) == 0 && atoi(address + 10) > 0);
    CHECK(strstr(request(address, GET("/", "")), "200 OK") != NULL);
    CHECK(strstr(request(address, GET("/metrics", "")), "401 Unauthorized") != NULL);
    CHECK(strstr(request(address, GET("/metrics", "Authorization: Bearer secret\r\n")), "circuit_breaker_trips_total 1") != NULL);
    CHECK(strstr(request(address, GET("/healthz", "")), "\"ok\"") != NULL);
    options.address = address;
    CHECK_IS(peerguard_exporter_new(guard, &options, &other, &number), PEERGUARD_ERR_SYSTEM);
    CHECK_IS(number, EADDRINUSE);
    CHECK_IS(peerguard_exporter_free(exporter), PEERGUARD_OK);
    CHECK(request(address, GET("/healthz", "")) == NULL);
}

/* A clock that calls the library on the library's own thread. */
static peerguard_exporter own_exporter;
static int32_t own_answer;

static uint64_t calling_clock(void *context) {
    peerguard_exporter exporter = __atomic_load_n(&own_exporter, __ATOMIC_ACQUIRE);
    (void)context;
    if (exporter) __atomic_store_n(&own_answer, peerguard_exporter_free(exporter), __ATOMIC_RELEASE);
    return 1000000000;
}

static void a_clock_on_our_threads(void) {
    peerguard_clock clock;
    peerguard_config config;
    peerguard_guard clocked = 0;
    peerguard_exporter exporter = 0;
    peerguard_exporter_options options = options_of(NULL);
    struct timespec moment = {0, 1000000};
    clock.now = calling_clock;
    clock.context = NULL;
    CHECK_IS(peerguard_config_init(&config, sizeof config), PEERGUARD_OK);
    config.max_peers = 10;
    options.interval = 1000000;
    CHECK_IS(peerguard_new(&config, &clock, &clocked), PEERGUARD_OK);
    CHECK_IS(peerguard_exporter_new(clocked, &options, &exporter, NULL), PEERGUARD_OK);
    CHECK_IS(peerguard_free(clocked), PEERGUARD_OK);
    __atomic_store_n(&own_exporter, exporter, __ATOMIC_RELEASE);
    while (!__atomic_load_n(&own_answer, __ATOMIC_ACQUIRE)) nanosleep(&moment, NULL);
    CHECK_IS(own_answer, PEERGUARD_ERR_REENTRANT);
    __atomic_store_n(&own_exporter, 0, __ATOMIC_RELEASE);
    CHECK_IS(peerguard_exporter_free(exporter), PEERGUARD_OK);
}

/* A clock that takes long on the library's own threads: it is read until its exporter is being freed and for a while more,
 * and not afterwards. */
static int clock_is_slow, clock_is_read, exporter_goes;

static uint64_t slow_clock(void *context) {
    (void)context;
    if (__atomic_load_n(&clock_is_slow, __ATOMIC_ACQUIRE)) {
        struct timespec moment = {0, 1000000}, a_while = {0, 300000000};
        __atomic_store_n(&clock_is_read, 1, __ATOMIC_RELEASE);
        while (!__atomic_load_n(&exporter_goes, __ATOMIC_ACQUIRE)) nanosleep(&moment, NULL);
        nanosleep(&a_while, NULL);
        __atomic_store_n(&clock_is_read, 0, __ATOMIC_RELEASE);
    }
    return 1000000000;
}

static void an_answer_under_way_is_waited_for(void) {
    static const char body[] =
        "{\"query\": \"mutation { banPeer(peerId: \\\"0200000000000000000000000000000000000000000000000000000000000000\\\") }\"}";
    peerguard_clock clock;
    peerguard_config config;
    peerguard_guard clocked = 0;
    peerguard_exporter exporter = 0;
    peerguard_exporter_options options = options_of("127.0.0.1:0");
    struct timespec moment = {0, 1000000};
    struct sockaddr_in to;
    char address[PEERGUARD_ADDRESS_TEXT], text[512];
    int s = socket(AF_INET, SOCK_STREAM, 0);
    CHECK(s >= 0);
    clock.now = slow_clock;
    clock.context = NULL;
    CHECK_IS(peerguard_config_init(&config, sizeof config), PEERGUARD_OK);
    config.max_peers = 10;
    options.interval = PEERGUARD_NONE;
    options.operator_token = "operator";
    CHECK_IS(peerguard_new(&config, &clock, &clocked), PEERGUARD_OK);
    CHECK_IS(peerguard_exporter_new(clocked, &options, &exporter, NULL), PEERGUARD_OK);
    CHECK_IS(peerguard_exporter_address(exporter, address, sizeof address), PEERGUARD_OK);
    memset(&to, 0, sizeof to);
    to.sin_family = AF_INET;
    to.sin_port = htons((uint16_t)atoi(strrchr(address, ':') + 1));
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    CHECK_IS(connect(s, (struct sockaddr *)&to, sizeof to), 0);
    __atomic_store_n(&clock_is_slow, 1, __ATOMIC_RELEASE);
    snprintf(text, sizeof text,
             "POST /graphql HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer operator\r\n"
             "Content-Type: application/json\r\nContent-Length: %u\r\n\r\n%s",
             (unsigned)strlen(body), body);
    CHECK_IS(send(s, text, strlen(text), 0), strlen(text));
    while (!__atomic_load_n(&clock_is_read, __ATOMIC_ACQUIRE)) nanosleep(&moment, NULL);
    __atomic_store_n(&exporter_goes, 1, __ATOMIC_RELEASE);
    CHECK_IS(peerguard_exporter_free(exporter), PEERGUARD_OK);
    CHECK_IS(__atomic_load_n(&clock_is_read, __ATOMIC_ACQUIRE), 0);
    __atomic_store_n(&clock_is_slow, 0, __ATOMIC_RELEASE);
    close(s);
    CHECK_IS(peerguard_free(clocked), PEERGUARD_OK);
}

/* A child that goes on without exec has guards of its own. */
static void fork_and_go_on(void) {
    int status = -1;
    pid_t child;
    fflush(stdout);
    child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        peerguard_config config;
        peerguard_guard own = 0;
        peerguard_peer peer = 0;
        peerguard_id id;
        memset(&id, 3, sizeof id);
        CHECK_IS(peerguard_config_init(&config, sizeof config), PEERGUARD_OK);
        CHECK_IS(peerguard_new(&config, NULL, &own), PEERGUARD_OK);
        CHECK_IS(peerguard_peer_open(own, &id, &peer), PEERGUARD_OK);
        CHECK_IS(peerguard_peer_check(peer, NULL), PEERGUARD_OK);
        CHECK_IS(peerguard_peer_free(peer), PEERGUARD_OK);
        CHECK_IS(peerguard_free(own), PEERGUARD_OK);
        _exit(0);
    }
    CHECK_IS(waitpid(child, &status, 0), child);
    CHECK_IS(status, 0);
}

int main(void) {
    peerguard_config config;
    peerguard_id id;
    memset(&id, 1, sizeof id);
    /* What is waited for in vain ends the program. */
    alarm(60);
    CHECK_IS(peerguard_config_init(&config, sizeof config), PEERGUARD_OK);
    config.max_peers = 100;
    CHECK_IS(peerguard_new(&config, NULL, &guard), PEERGUARD_OK);
    for (int i = 0; i < 5; i++)
        CHECK_IS(peerguard_report_key(guard, &id, PEERGUARD_TIMEOUT, PEERGUARD_NONE, NULL, NULL), PEERGUARD_OK);
    texts();
    negotiation();
    wrong_options();
    server();
    a_clock_on_our_threads();
    an_answer_under_way_is_waited_for();
    fork_and_go_on();
    CHECK_IS(peerguard_free(guard), PEERGUARD_OK);
    puts("7 passed, 0 failed");
    return 0;
}
