//! The committed C header is the one that the sources render to.
#![cfg(feature = "capi")]

use std::path::PathBuf;

#[test]
fn the_committed_header_is_up_to_date() {
    let rendered = include_str!(concat!(env!("OUT_DIR"), "/peerguard.h"));
    let committed = include_str!("../include/peerguard.h");
    assert!(rendered == committed, "include/peerguard.h differs from what src/ffi renders to: run `make header`");
}

#[test]
fn the_header_declares_what_the_sources_export() {
    let header = include_str!("../include/peerguard.h");
    let mut sources = vec![PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/src/ffi"))];
    let mut exported = 0;
    while let Some(path) = sources.pop() {
        if path.is_dir() {
            let entries = std::fs::read_dir(path).expect("the directory can be read");
            sources.extend(entries.map(|entry| entry.expect("the directory can be read").path()));
            continue;
        }
        let text = std::fs::read_to_string(&path).expect("a source can be read");
        for line in text.lines().filter(|line| line.contains("extern \"C\" fn peerguard_")) {
            let name = line.split("fn ").nth(1).and_then(|rest| rest.split('(').next()).expect("a function has a name");
            let declared = header.contains(&format!(" {name}(")) || header.contains(&format!("*{name}("));
            // The fault is for tests of this crate only.
            assert!(declared != (name == "peerguard_fault_next"), "{name}");
            exported += 1;
        }
    }
    assert!(exported > 50, "{exported} functions found");
}
