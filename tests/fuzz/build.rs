//! Compiles the C target.

fn main() {
    println!("cargo::rerun-if-changed=../../ffi/tests/sequences.c");
    println!("cargo::rerun-if-changed=../../include/peerguard.h");
    cc::Build::new()
        .file("../../ffi/tests/sequences.c")
        .include("../../include")
        .define("PEERGUARD_FUZZ", None)
        .compile("peerguard_sequences");
}
