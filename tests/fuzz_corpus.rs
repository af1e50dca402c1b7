//! Replays what the search of `make fuzz` has kept: every input of `tests/fuzz/corpus`, through the functions that it
//! searches with. (The C calls are replayed by `make ffi-test`.)

#[path = "fuzz/entry/mod.rs"]
mod entry;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

fn replay(target: &str, floor: usize, run: fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz/corpus").join(target);
    let mut inputs = 0;
    for file in std::fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display())) {
        let path = file.unwrap().path();
        let input = std::fs::read(&path).unwrap();
        catch_unwind(AssertUnwindSafe(|| run(&input))).unwrap_or_else(|_| panic!("{} fails", path.display()));
        inputs += 1;
    }
    println!("{target}: {inputs} inputs");
    assert!(inputs >= floor, "only {inputs} inputs in {}", folder.display());
}

#[test]
fn ids() {
    replay("id", 10, entry::id::run);
}

#[test]
fn configurations() {
    replay("config", 10, entry::config::run);
}

#[test]
fn metrics() {
    replay("metrics", 10, entry::metrics::run);
}

#[test]
fn graphql_requests() {
    replay("graphql", 10, entry::graphql::run);
}
