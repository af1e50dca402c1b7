# The C library, its installation and its tests; included by the top Makefile, from the top directory.

PREFIX ?= /usr/local
DESTDIR ?=
LIBDIR ?= $(PREFIX)/lib
INCLUDEDIR ?= $(PREFIX)/include
CARGO ?= cargo
CC ?= gcc
CXX ?= g++
OBJCOPY ?= objcopy

# What the library has. Without http, exporters are there but answer PEERGUARD_ERR_UNSUPPORTED.
FFI_FEATURES ?= capi,http

FFI_VERSION := $(shell sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -1)
# Changes with the ABI: PEERGUARD_ABI_VERSION - 1.
FFI_SONAME := libpeerguard.so.0
FFI_OUT := target/ffi
FFI_STRICT := -Wall -Wextra -Wpedantic -Werror
FFI_LIBS := -lpthread -ldl -lm

.PHONY: capi header install ffi-test ffi-abi ffi-symbols go

# libpeerguard.a and libpeerguard.so in $(FFI_OUT).
#
# The static library is linked into one object whose other symbols are made local, so that a host can link another Rust
# library beside it.
capi: $(FFI_OUT)/.built ## the C library, static and shared, in target/ffi

# Changes when other features are asked for.
$(FFI_OUT)/features: FORCE
	mkdir -p $(FFI_OUT)
	echo $(FFI_FEATURES) | cmp -s - $@ || echo $(FFI_FEATURES) > $@

.PHONY: FORCE

open := (
ffi_comma := ,
FFI_SYMBOLS := $(shell sed -n 's/.*[ *]\(peerguard_[a-z_]*\)[$(open)].*/\1/p' include/peerguard.h | sort -u)
# This file too: it tells how the libraries are made.
FFI_SOURCES := Cargo.toml Cargo.lock build.rs cbindgen.toml ffi/preface.h ffi/ffi.mk $(shell find src -type f)

$(FFI_OUT)/.built: $(FFI_SOURCES) $(FFI_OUT)/features
	$(call ffi_build,--profile capi --features $(FFI_FEATURES),target/capi,$(FFI_OUT),)
	touch $@

# With peerguard_fault_next, for the tests; not optimised, which takes a fraction of the time to build.
$(FFI_OUT)/faults/.built: $(FFI_SOURCES) $(FFI_OUT)/features
	mkdir -p $(FFI_OUT)/faults
	$(call ffi_build,--features $(FFI_FEATURES)$(ffi_comma)capi-faults,target/debug,$(FFI_OUT)/faults,peerguard_fault_next)
	touch $@

# Cargo's options, cargo's directory, destination, further symbols. Groups are resolved now: a host's linker would take another Rust
# library's group of the same name for ours and drop it, with symbols that are local by then. Bitcode of the standard library is of no use here, and upsets
# tools that load a plugin for it.
define ffi_build
	$(CARGO) rustc --target-dir target $(1) --lib --crate-type staticlib,cdylib -- -C link-arg=-Wl,-soname,$(FFI_SONAME)
	ld -r --gc-sections --force-group-allocation $(patsubst %,-u %,$(FFI_SYMBOLS) $(4)) -o $(3)/peerguard.o --start-group $(2)/libpeerguard.a --end-group
	$(OBJCOPY) --wildcard --keep-global-symbol='peerguard_*' --strip-debug -R .llvmbc -R .llvmcmd $(3)/peerguard.o
	rm -f $(3)/libpeerguard.a
	ar crs $(3)/libpeerguard.a $(3)/peerguard.o
	rm $(3)/peerguard.o
	$(OBJCOPY) --strip-debug $(2)/libpeerguard.so $(3)/$(FFI_SONAME)
	ln -sf $(FFI_SONAME) $(3)/libpeerguard.so
endef

header: ## renders include/peerguard.h anew
	mkdir -p $(FFI_OUT)
	$(CARGO) build --features capi --message-format=json-render-diagnostics > $(FFI_OUT)/build.json
	cp "$$(sed -n 's/.*"package_id":"[^"]*peerguard[#@][^"]*".*"out_dir":"\([^"]*\)".*/\1/p' $(FFI_OUT)/build.json \
		| tail -1)/peerguard.h" include/peerguard.h

install: capi ## header, C++ wrapper, libraries, pkg-config and CMake, into PREFIX
	install -d $(DESTDIR)$(INCLUDEDIR) $(DESTDIR)$(LIBDIR)/pkgconfig $(DESTDIR)$(LIBDIR)/cmake/peerguard
	install -m 644 include/peerguard.h include/peerguard.hpp $(DESTDIR)$(INCLUDEDIR)/
	install -m 644 $(FFI_OUT)/libpeerguard.a $(DESTDIR)$(LIBDIR)/
	install -m 755 $(FFI_OUT)/$(FFI_SONAME) $(DESTDIR)$(LIBDIR)/libpeerguard.so.$(FFI_VERSION)
	ln -sf libpeerguard.so.$(FFI_VERSION) $(DESTDIR)$(LIBDIR)/$(FFI_SONAME)
	ln -sf $(FFI_SONAME) $(DESTDIR)$(LIBDIR)/libpeerguard.so
	sed -e 's|@PREFIX@|$(PREFIX)|' -e 's|@LIBDIR@|$(LIBDIR)|' -e 's|@INCLUDEDIR@|$(INCLUDEDIR)|' \
		-e 's|@VERSION@|$(FFI_VERSION)|' ffi/pkgconfig/peerguard.pc.in > $(DESTDIR)$(LIBDIR)/pkgconfig/peerguard.pc
	sed -e 's|@VERSION@|$(FFI_VERSION)|' ffi/cmake/peerguard-config-version.cmake.in \
		> $(DESTDIR)$(LIBDIR)/cmake/peerguard/peerguard-config-version.cmake
	sed -e "s|@INCLUDEDIR@|$$(realpath -ms --relative-to=$(LIBDIR)/cmake/peerguard $(INCLUDEDIR))|" \
		ffi/cmake/peerguard-config.cmake.in > $(DESTDIR)$(LIBDIR)/cmake/peerguard/peerguard-config.cmake

# The C tests: under the sanitizers and valgrind, and from a staged install through pkg-config and through CMake.
FFI_STAGE := target/ffi/stage
FFI_ELSEWHERE := $(abspath $(FFI_STAGE))/elsewhere
FFI_T := target/ffi/tests
FFI_ASAN := -g -O1 -fsanitize=address,undefined -fno-sanitize-recover=all
FFI_PKG = PKG_CONFIG_PATH=$(abspath $(FFI_STAGE))/lib/pkgconfig pkg-config

ffi-test: capi ffi-symbols ffi-header-check ffi-abi ffi-sanitized ffi-matrix ffi-faults ffi-two-rusts ffi-installed ffi-valgrind ffi-examples ## the C and C++ tests

.PHONY: ffi-header-check ffi-sanitized ffi-matrix ffi-faults ffi-installed ffi-valgrind ffi-abi-baseline

ffi-header-check:
	mkdir -p $(FFI_T)
	printf '#include "peerguard.h"\nint main(void) { return PEERGUARD_OK; }\n' > $(FFI_T)/header.c
	$(CC) -std=c99 $(FFI_STRICT) -Iinclude -fsyntax-only $(FFI_T)/header.c
	$(CXX) -x c++ -std=c++11 $(FFI_STRICT) -Iinclude -fsyntax-only $(FFI_T)/header.c

# Nothing but our own names is visible, and all of them are there.
ffi-symbols: capi
	mkdir -p $(FFI_T)
	echo $(FFI_SYMBOLS) | tr ' ' '\n' > $(FFI_T)/declared
	nm -g --defined-only $(FFI_OUT)/libpeerguard.a 2>&1 | awk 'NF == 3 { print $$3 }' | sort | diff $(FFI_T)/declared -
	nm -D --defined-only $(FFI_OUT)/libpeerguard.so | awk '{ print $$3 }' | sort | diff $(FFI_T)/declared -

ffi-sanitized: capi
	mkdir -p $(FFI_T)
	$(CC) -std=c99 $(FFI_STRICT) $(FFI_ASAN) -Iinclude ffi/tests/behaviour.c $(FFI_OUT)/libpeerguard.a $(FFI_LIBS) -o $(FFI_T)/behaviour
	$(FFI_T)/behaviour
	$(CC) -std=c99 $(FFI_STRICT) $(FFI_ASAN) -Iinclude ffi/tests/exporters.c $(FFI_OUT)/libpeerguard.a $(FFI_LIBS) -o $(FFI_T)/exporters
	$(FFI_T)/exporters
	$(CXX) -std=c++17 $(FFI_STRICT) $(FFI_ASAN) -Iinclude ffi/tests/wrapper.cpp $(FFI_OUT)/libpeerguard.a $(FFI_LIBS) -o $(FFI_T)/wrapper
	$(FFI_T)/wrapper
	$(CC) -std=c99 $(FFI_STRICT) $(FFI_ASAN) -Iinclude ffi/tests/sequences.c $(FFI_OUT)/libpeerguard.a $(FFI_LIBS) -o $(FFI_T)/sequences
	$(FFI_T)/sequences
	$(CC) -std=c99 $(FFI_STRICT) $(FFI_ASAN) -DPEERGUARD_FUZZ -DPEERGUARD_REPLAY -Iinclude ffi/tests/sequences.c \
		$(FFI_OUT)/libpeerguard.a $(FFI_LIBS) -o $(FFI_T)/replay
	$(FFI_T)/replay tests/fuzz/corpus/c_calls/*

# Every function with bad arguments; then every function with a panic inside it.
ffi-matrix: capi
	mkdir -p $(FFI_T)
	python3 ffi/tests/matrix.py include/peerguard.h > $(FFI_T)/matrix.c
	$(CC) -std=c99 $(FFI_STRICT) $(FFI_ASAN) -Iinclude -Iffi/tests $(FFI_T)/matrix.c $(FFI_OUT)/libpeerguard.a $(FFI_LIBS) -o $(FFI_T)/matrix
	$(FFI_T)/matrix

ffi-faults: $(FFI_OUT)/faults/.built ffi-matrix
	$(CC) -std=c99 $(FFI_STRICT) $(FFI_ASAN) -DWITH_FAULTS -Iinclude -Iffi/tests $(FFI_T)/matrix.c $(FFI_OUT)/faults/libpeerguard.a \
		$(FFI_LIBS) -o $(FFI_T)/matrix-faults
	$(FFI_T)/matrix-faults 2> $(FFI_T)/matrix-faults.log || (tail $(FFI_T)/matrix-faults.log; false)

# The interface as types and functions, against the committed baseline.
$(FFI_T)/current.abi: include/peerguard.h ffi/abi/declared.py
	mkdir -p $(FFI_T)
	python3 ffi/abi/declared.py include/peerguard.h > $(FFI_T)/declared.c
	$(CC) -g -shared -fPIC -Iinclude $(FFI_T)/declared.c -o $(FFI_T)/declared.so
	abidw --no-corpus-path --no-comp-dir-path --no-show-locs $(FFI_T)/declared.so > $@

ffi-abi: $(FFI_T)/current.abi
	abidiff ffi/abi/peerguard.abi $(FFI_T)/current.abi

# After a change of the interface that is meant; one that breaks what is there raises PEERGUARD_ABI_VERSION and the soname.
ffi-abi-baseline: $(FFI_T)/current.abi
	cp $(FFI_T)/current.abi ffi/abi/peerguard.abi

ffi-installed: capi
	mkdir -p $(FFI_T)
	rm -rf $(FFI_STAGE) $(FFI_T)/cmake
	$(MAKE) -f $(firstword $(MAKEFILE_LIST)) install PREFIX=$(abspath $(FFI_STAGE))
	$(CC) -std=c99 $(FFI_STRICT) ffi/tests/behaviour.c $$($(FFI_PKG) --cflags --libs peerguard) -lm -o $(FFI_T)/behaviour-shared
	LD_LIBRARY_PATH=$(FFI_STAGE)/lib $(FFI_T)/behaviour-shared
	cmake -S ffi/tests/cmake -B $(FFI_T)/cmake -DCMAKE_PREFIX_PATH=$(abspath $(FFI_STAGE)) > $(FFI_T)/cmake.log
	cmake --build $(FFI_T)/cmake >> $(FFI_T)/cmake.log
	cd $(FFI_T)/cmake && ctest --output-on-failure
	$(MAKE) -f $(firstword $(MAKEFILE_LIST)) install PREFIX=$(abspath $(FFI_STAGE)) \
		LIBDIR=$(FFI_ELSEWHERE)/lib/arch INCLUDEDIR=$(FFI_ELSEWHERE)/include/own
	cmake -S ffi/tests/cmake -B $(FFI_T)/cmake/elsewhere -Dpeerguard_DIR=$(FFI_ELSEWHERE)/lib/arch/cmake/peerguard >> $(FFI_T)/cmake.log

FFI_VALGRIND := valgrind -q --leak-check=full --error-exitcode=9

ffi-valgrind: capi
	mkdir -p $(FFI_T)
	$(CC) -std=c99 -g ffi/tests/behaviour.c -Iinclude $(FFI_OUT)/libpeerguard.a $(FFI_LIBS) -o $(FFI_T)/behaviour-plain
	$(FFI_VALGRIND) --errors-for-leak-kinds=definite,indirect,possible $(FFI_T)/behaviour-plain
	$(CC) -std=c99 -g ffi/tests/exporters.c -Iinclude $(FFI_OUT)/libpeerguard.a $(FFI_LIBS) -o $(FFI_T)/exporters-plain
	# Rust keeps what it knows of a thread that C started by a pointer into the block, which looks like a possible leak.
	$(FFI_VALGRIND) --show-leak-kinds=definite,indirect --errors-for-leak-kinds=definite,indirect $(FFI_T)/exporters-plain

# The Go module, against the static library of this repository. Go does not look at that file when it decides whether what
# it has built or tested is up to date: hence -count=1, and a flag that differs with the library.
GO ?= go
ffi_fresh = -ldflags="-X main.library=$$(cksum < $(abspath ffi/go/lib/libpeerguard.a) | cut -d' ' -f1)"

go: capi ## the static library for ffi/go, and the Go module built with it
	cp $(FFI_OUT)/libpeerguard.a ffi/go/lib/
	cd ffi/go && $(GO) build ./...

.PHONY: ffi-go ffi-go-bench

# Vetted, under the race detector and the strict check of cgo's pointers, and once more against the installed library.
ffi-go: go ffi-installed ## the Go tests
	cd ffi/go && test -z "$$(gofmt -l .)" && $(GO) vet ./...
	cd ffi/go && $(GO) test -count=1 -race ./...
	cd ffi/go && GOEXPERIMENT=cgocheck2 $(GO) test -count=1 ./...
	cd ffi/go && LD_LIBRARY_PATH=$(abspath $(FFI_STAGE))/lib PKG_CONFIG_PATH=$(abspath $(FFI_STAGE))/lib/pkgconfig \
		$(GO) test -count=1 -tags peerguard_system ./...

ffi-go-bench: go ## what calls from Go cost
	cd ffi/go/bench && $(GO) run $(ffi_fresh) .

.PHONY: ffi-examples ffi-two-rusts ffi-cost

# The example nodes, in C and in Go; each fails if the guard has not kept it from its bad peers.
ffi-examples: go
	mkdir -p $(FFI_T)
	$(CC) -std=c99 $(FFI_STRICT) $(FFI_ASAN) -Iinclude ffi/examples/node.c $(FFI_OUT)/libpeerguard.a $(FFI_LIBS) -o $(FFI_T)/node
	$(FFI_T)/node 127.0.0.1:0
	cd ffi/go && $(GO) run $(ffi_fresh) ./examples/node 127.0.0.1:0

# A host that links another Rust library beside the static one.
ffi-two-rusts: capi
	mkdir -p $(FFI_T)
	rustc --edition 2024 -O --crate-type staticlib ffi/tests/other.rs -o $(FFI_T)/libother.a
	$(CC) -std=c99 $(FFI_STRICT) -Iinclude ffi/tests/two_rusts.c $(FFI_OUT)/libpeerguard.a $(FFI_T)/libother.a $(FFI_LIBS) -o $(FFI_T)/two-rusts
	$(FFI_T)/two-rusts

ffi-cost: ## what a C call costs beside the same call in Rust
	$(CARGO) run --quiet --profile capi -p peerguard-ffi-bench
