//! Tells the program which compiler made it: the committed counts hold for that one.

use std::process::Command;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let rustc = std::env::var_os("RUSTC").expect("cargo names the compiler");
    let version = Command::new(rustc).arg("-V").output().expect("the compiler tells its version");
    let target = std::env::var("TARGET").expect("cargo names the target");
    println!("cargo::rustc-env=COMPILER={} for {target}", String::from_utf8_lossy(&version.stdout).trim());
}
