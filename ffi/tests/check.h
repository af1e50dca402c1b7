/* Assertions that stay in every build and tell where they failed. */
#ifndef CHECK_H
#define CHECK_H

#include <stdio.h>
#include <stdlib.h>

#define CHECK(condition)                                                                        \
    do {                                                                                        \
        if (!(condition)) {                                                                     \
            fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition);             \
            exit(1);                                                                            \
        }                                                                                       \
    } while (0)

#define CHECK_IS(call, expected)                                                                \
    do {                                                                                        \
        long long got_ = (long long)(call);                                                     \
        long long want_ = (long long)(expected);                                                \
        if (got_ != want_) {                                                                    \
            fprintf(stderr, "%s:%d: %s is %lld, not %lld\n", __FILE__, __LINE__, #call, got_, want_); \
            exit(1);                                                                            \
        }                                                                                       \
    } while (0)

#endif
