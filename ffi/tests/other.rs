//! Another Rust library, for a host that links two: with a panic of its own, so that both bring the runtime.

/// Twice `n`, through what the standard library does with panics and memory.
#[unsafe(no_mangle)]
pub extern "C" fn other_twice(n: u32) -> u32 {
    let made = std::panic::catch_unwind(|| if n == 7 { panic!("seven") } else { vec![n; 2].iter().sum() });
    made.unwrap_or(0)
}
