//! Does nothing unless the feature `capi` is on: then it renders the C header to OUT_DIR, where a test compares it with
//! the committed `include/peerguard.h`.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    #[cfg(feature = "capi")]
    header::render();
}

#[cfg(feature = "capi")]
mod header {
    use std::env;
    use std::fs;
    use std::path::PathBuf;

    /// The manual's first page: what holds for every function.
    const PREFACE: &str = include_str!("ffi/preface.h");

    /// The files of src/ffi that have something for the header, in its order.
    const SOURCES: [&str; 20] = [
        "status",
        "text",
        "config",
        "id",
        "permit",
        "report",
        "view",
        "event",
        "guard",
        "admit",
        "calls",
        "batch",
        "peer",
        "records",
        "operator",
        "query",
        "snapshot",
        "text_handle",
        "export_options",
        "exporter",
    ];

    pub(crate) fn render() {
        println!("cargo::rerun-if-changed=src/ffi");
        println!("cargo::rerun-if-changed=cbindgen.toml");
        println!("cargo::rerun-if-changed=ffi/preface.h");
        let root = PathBuf::from(env::var("CARGO_MANIFEST_DIR").expect("cargo sets CARGO_MANIFEST_DIR"));
        let out = PathBuf::from(env::var("OUT_DIR").expect("cargo sets OUT_DIR"));
        let mut config = cbindgen::Config::from_file(root.join("cbindgen.toml")).expect("cbindgen.toml can be read");
        config.header = Some(PREFACE.to_owned());
        let sources = SOURCES.map(|name| root.join("src/ffi").join(name).with_extension("rs"));
        let builder = sources.into_iter().fold(cbindgen::Builder::new(), cbindgen::Builder::with_src);
        let bindings = builder.with_config(config).generate().expect("the exported functions can be written in C");
        let mut header = Vec::new();
        bindings.write(&mut header);
        let header = String::from_utf8(header).expect("cbindgen writes UTF-8");
        fs::write(out.join("peerguard.h"), for_c(&header)).expect("OUT_DIR can be written");
    }

    /// Leaves out what only concerns Rust callers.
    fn for_c(header: &str) -> String {
        let lines: Vec<&str> = header.lines().collect();
        let mut kept: Vec<&str> = Vec::new();
        let mut i = 0;
        while i < lines.len() {
            if lines[i].trim() == "// # Safety" {
                // The heading, its text, and the empty comment line before it.
                while i < lines.len() && lines[i].trim_start().starts_with("//") {
                    i += 1;
                }
                if kept.last().is_some_and(|line| line.trim() == "//") {
                    kept.pop();
                }
                continue;
            }
            kept.push(lines[i]);
            i += 1;
        }
        kept.join("\n") + "\n"
    }
}
