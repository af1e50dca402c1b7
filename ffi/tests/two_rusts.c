/* A host that links another Rust library beside ours. */
#include "check.h"
#include "peerguard.h"

unsigned other_twice(unsigned n);

int main(void) {
    peerguard_config config;
    peerguard_guard guard;
    CHECK_IS(peerguard_config_init(&config, sizeof config), PEERGUARD_OK);
    config.max_peers = 10;
    CHECK_IS(peerguard_new(&config, NULL, &guard), PEERGUARD_OK);
    CHECK_IS(other_twice(21), 42);
    CHECK_IS(other_twice(7), 0);
    CHECK_IS(peerguard_free(guard), PEERGUARD_OK);
    puts("1 passed, 0 failed");
    return 0;
}
