#!/bin/sh
# Applies each planted fault to a copy of the tree, runs the model that is to kill it, and fails if one survives.
#
#   loom-tests/mutants/run.sh            every fault
#   loom-tests/mutants/run.sh NAME...    these
set -eu

root=$(cd "$(dirname "$0")/../.." && pwd)
target=${CARGO_TARGET_DIR:-$root/target/loom}
# Always the same place, so that a build can go on from the last one.
copy=$target/mutant
log=$target/mutant.log
survivors=0
killed=0
broken=0
rm -rf "$copy"
mkdir -p "$copy"

(cd "$root" && tar -cf - --exclude=./target --exclude=./.git .) | tar -xf - -C "$copy"

# Runs one model quickly; 0 = it passes, 1 = it fails, 2 = the tree does not build.
model() {
    (
        cd "$copy"
        export CARGO_TARGET_DIR="$target" RUSTFLAGS="--cfg peerguard_loom" RUST_BACKTRACE=0
        # Quick to build: the crate is built anew for each fault, what it depends on is not.
        set -- "$1" --release --lib --config profile.release.package.peerguard.opt-level=1 \
            --config profile.release.package.peerguard.debug=false --config profile.release.incremental=true
        killer=$1
        shift
        cargo test --quiet "$@" --no-run >"$log" 2>&1 || exit 2
        PEERGUARD_LOOM=quick timeout 300 cargo test --quiet "$@" "$killer" >"$log" 2>&1 || exit 1
        grep -aq '^test result: ok. 1 passed' "$log" || exit 2
    )
}

if [ $# -eq 0 ]; then
    set -- $(cd "$root/loom-tests/mutants" && ls ./*.patch | sed 's|^\./||; s|\.patch$||')
fi
for name in "$@"; do
    patch=$root/loom-tests/mutants/$name.patch
    killer=$(sed -n 's/^Killed by: //p' "$patch")
    (cd "$copy" && patch --quiet --force -p1 <"$patch") || { echo "BROKEN    $name  (the patch does not apply)"; exit 1; }
    status=0
    model "$killer" || status=$?
    case $status in
        0) echo "SURVIVED  $name  ($killer)"; survivors=$((survivors + 1)) ;;
        1) echo "killed    $name  ($killer: $(grep -a -m 1 -A 1 'panicked at' "$log" | tail -n 1))"; killed=$((killed + 1)) ;;
        *) echo "BROKEN    $name  (it does not build, or its model was not run: $(grep -a -m 1 '^error' "$log"))"; broken=$((broken + 1)) ;;
    esac
    (cd "$copy" && patch --quiet --force -R -p1 <"$patch")
done
echo "$killed killed, $survivors survived, $broken broken"
[ "$survivors" -eq 0 ] && [ "$broken" -eq 0 ]
