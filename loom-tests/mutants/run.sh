#!/bin/sh
# Applies each planted fault to a copy of the tree, runs the model that is to kill it, and fails if one survives, no longer
# applies, or does not build. That each model passes without a fault is `make loom`'s to show, which goes at least as far.
#
#   loom-tests/mutants/run.sh            every fault
#   loom-tests/mutants/run.sh NAME...    these
#
# Two copies are built and run at a time; JOBS= sets another number.
set -eu

root=$(cd "$(dirname "$0")/../.." && pwd)
patches=$root/loom-tests/mutants
work=${CARGO_TARGET_DIR:-$root/target/loom}/mutants
jobs=${JOBS:-2}

# What a model is built with; the crate is built anew for each fault, what it depends on is not.
build() {
    RUSTFLAGS="--cfg peerguard_loom" RUST_BACKTRACE=0 CARGO_TARGET_DIR="$1/target" CARGO_INCREMENTAL=1 \
        cargo test --quiet --profile loom --features capi --lib --manifest-path "$1/tree/Cargo.toml" --no-run \
        --message-format short >"$1/log" 2>&1
}

# What becomes of a fault under its model, explored as far as finds every one: `killed`, `SURVIVED` or `BROKEN`, and why.
#
# Only a sentence of the model kills, or the death of the process: the objects of the registry's models are freed in earnest,
# so that a use of one afterwards may end so. To have fewer executions than the floor or not to end is no kill.
outcome() { # directory, test
    binary=$(ls -t "$1"/target/loom/deps/peerguard-* | grep -v '\.d$' | head -n 1)
    status=0
    PEERGUARD_LOOM=mutants RUST_BACKTRACE=0 timeout 300 "$binary" --exact "$2" >"$1/log" 2>&1 || status=$?
    why=$(grep -a -m 1 -A 1 'panicked at' "$1/log" | tail -n 1)
    case $status in
        0) grep -aq '^test result: ok. 1 passed' "$1/log" && echo "SURVIVED" || echo "BROKEN it was not run" ;;
        124) echo "BROKEN its model did not end in 300 s" ;;
        134 | 139) echo "killed the process died: SIG$(kill -l $((status - 128)))" ;;
        101) case $why in
            *'below the floor'*) echo "SURVIVED $why" ;;
            *'exceeded maximum'*) echo "BROKEN its model does not end: $why" ;;
            ?*) echo "killed $why" ;;
            *) echo "BROKEN its model failed without a sentence" ;;
        esac ;;
        *) echo "BROKEN its model ended with status $status" ;;
    esac
}

# The path of a test, by its name.
path_of() {
    file=$(grep -l "^fn $1()" "$root"/loom-tests/*.rs) || return 1
    echo "loom_tests::$(basename "$file" .rs)::$1"
}

verdict() { # directory, name
    patch_file=$patches/$2.patch
    killer=$(sed -n 's/^Killed by: //p' "$patch_file")
    test=$(path_of "$killer") || { echo "BROKEN    $2  (there is no model $killer)"; return; }
    (cd "$1/tree" && patch --quiet --force -p1 <"$patch_file" >/dev/null) || { echo "BROKEN    $2  (it does not apply)"; return; }
    if build "$1"; then
        found=$(outcome "$1" "$test")
    else
        found="BROKEN it does not build: $(grep -a -m 1 'error' "$1/log")"
    fi
    printf '%-9s %s  (%s: %s)\n' "${found%% *}" "$2" "$killer" "${found#* }"
    (cd "$1/tree" && patch --quiet --force -R -p1 <"$patch_file" >/dev/null)
}

# One of the copies: each fault whose turn it is.
worker() { # number, names
    mine=$work/$1
    number=$1
    shift
    turn=0
    for name in "$@"; do
        turn=$((turn + 1))
        [ $((turn % jobs)) -eq $((number % jobs)) ] && verdict "$mine" "$name"
    done
    return 0
}

[ $# -gt 0 ] || set -- $(cd "$patches" && ls ./*.patch | sed 's|^\./||; s|\.patch$||')
number=0
while [ $number -lt "$jobs" ]; do
    # Always the same place, so that a build can go on from the last one; with new times (-m), so that no fault of the last
    # run is taken for built.
    rm -rf "${work:?}/$number/tree"
    mkdir -p "$work/$number/tree"
    (cd "$root" && tar -cf - --exclude=./target --exclude=./.git .) | tar -xmf - -C "$work/$number/tree"
    number=$((number + 1))
done
# What the models depend on is built once, or by `make loom` before; and the tree without a fault must build.
built=${CARGO_TARGET_DIR:-$root/target/loom}/loom
if [ ! -d "$work/0/target" ] && [ -d "$built" ]; then
    mkdir -p "$work/0/target"
    cp -a "$built" "$work/0/target/loom"
fi
build "$work/0" || { cat "$work/0/log"; exit 1; }
number=1
while [ $number -lt "$jobs" ]; do
    [ -d "$work/$number/target" ] || cp -a "$work/0/target" "$work/$number/target"
    number=$((number + 1))
done

: >"$work/verdicts"
number=0
while [ $number -lt "$jobs" ]; do
    worker $number "$@" | tee -a "$work/verdicts" &
    number=$((number + 1))
done
wait
killed=$(grep -c '^killed' "$work/verdicts" || true)
survived=$(grep -c '^SURVIVED' "$work/verdicts" || true)
echo "$killed killed, $survived survived, $(($# - killed - survived)) broken"
[ "$killed" -eq $# ]
