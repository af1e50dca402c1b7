#!/bin/sh
# Applies each planted fault to a copy of the tree, runs the model that is to kill it, and fails if one survives.
#
#   loom-tests/mutants/run.sh            every fault
#   loom-tests/mutants/run.sh NAME...    these
set -eu

root=$(cd "$(dirname "$0")/../.." && pwd)
copy=$(mktemp -d)
trap 'rm -rf "$copy"' EXIT INT TERM
target=${CARGO_TARGET_DIR:-$root/target/loom}
log=$copy.log
survivors=0
killed=0

cp -r "$root/src" "$root/loom-tests" "$root/build.rs" "$copy/"
# The package alone: members of the workspace are not copied.
sed '/^\[workspace\]/,/^$/d' "$root/Cargo.toml" > "$copy/Cargo.toml"
cp "$root/Cargo.lock" "$copy/"
for extra in README.md benches; do
    [ -e "$root/$extra" ] && cp -r "$root/$extra" "$copy/"
done

# Runs one model quickly; 0 = it passes, 1 = it fails, 2 = the tree does not build.
model() {
    (
        cd "$copy"
        export CARGO_TARGET_DIR="$target" RUSTFLAGS="--cfg peerguard_loom" RUST_BACKTRACE=0
        cargo test --quiet --release --lib --no-run >"$log" 2>&1 || exit 2
        PEERGUARD_LOOM=quick timeout 300 cargo test --quiet --release --lib "$1" >"$log" 2>&1 || exit 1
        grep -q '^test result: ok. 1 passed' "$log" || exit 2
    )
}

if [ $# -eq 0 ]; then
    set -- $(cd "$root/loom-tests/mutants" && ls ./*.patch | sed 's|^\./||; s|\.patch$||')
fi
for name in "$@"; do
    patch=$root/loom-tests/mutants/$name.patch
    killer=$(sed -n 's/^Killed by: //p' "$patch")
    (cd "$copy" && patch --quiet -p1 <"$patch") || { echo "$name: the patch does not apply" >&2; exit 1; }
    status=0
    model "$killer" || status=$?
    case $status in
        0) echo "SURVIVED  $name  ($killer)"; survivors=$((survivors + 1)) ;;
        1) echo "killed    $name  ($killer: $(grep -m 1 -A 1 'panicked at' "$log" | tail -n 1))"; killed=$((killed + 1)) ;;
        *) echo "$name: the tree does not build, or the model was not run" >&2; cat "$log" >&2; exit 1 ;;
    esac
    (cd "$copy" && patch --quiet -R -p1 <"$patch")
done
echo "$killed killed, $survivors survived"
[ "$survivors" -eq 0 ]
