//! Does nothing unless the feature `capi` is on.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
}
