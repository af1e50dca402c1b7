//! From a sequence that fails to a short one.

/// Leaves out calls, in ever smaller runs, for as long as what is left still fails.
pub fn shrink<C: Clone>(calls: &[C], fails: impl Fn(&[C]) -> bool) -> Vec<C> {
    let mut left = calls.to_vec();
    let mut run = left.len().div_ceil(2).max(1);
    loop {
        let mut from = 0;
        let mut shorter = false;
        while from < left.len() {
            let mut without = left.clone();
            without.drain(from..(from + run).min(left.len()));
            if fails(&without) {
                left = without;
                shorter = true;
            } else {
                from += run;
            }
        }
        if run == 1 && !shorter {
            return left;
        }
        run = (run / 2).max(1);
    }
}
