//! The grains that times are kept in.

/// Gate and ban times are kept in ticks of 2^20 ns.
pub const TICK_BITS: u32 = 20;

/// How far a clock may step back before what it left in the future is taken as past: 2^34 ns.
pub const STEP_BACK_NS: i128 = 1 << 34;

pub fn tick(now: u64) -> i128 {
    i128::from(now >> TICK_BITS)
}

/// A duration in ticks, rounded up.
pub fn ticks_up(ns: i128) -> i128 {
    (ns + (1 << TICK_BITS) - 1) >> TICK_BITS
}

/// From now to a tick, in nanoseconds.
pub fn until(now: u64, tick: i128) -> i128 {
    (tick << TICK_BITS) - i128::from(now)
}

pub fn second(now: u64) -> i128 {
    i128::from(now / 1_000_000_000)
}
