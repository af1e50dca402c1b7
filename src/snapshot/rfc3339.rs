//! Times of the wall as text.

use std::fmt;
use std::time::{SystemTime, UNIX_EPOCH};

/// A time that prints as RFC 3339 prescribes, in UTC, to the millisecond: `2024-02-29T12:00:00.000Z`.
///
/// Times before 1970 print as its start, times after the year 9999 as that year's end: the format knows no others.
#[derive(Clone, Copy)]
pub(crate) struct Rfc3339(pub(crate) SystemTime);

/// Last second of the year 9999.
const LAST: u64 = 253_402_300_799;

impl fmt::Display for Rfc3339 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let since = self.0.duration_since(UNIX_EPOCH).unwrap_or_default();
        let (seconds, millis) = (since.as_secs().min(LAST), since.subsec_millis());
        let (year, month, day) = civil(seconds / 86_400);
        let of_day = seconds % 86_400;
        let (hour, minute, second) = (of_day / 3600, of_day / 60 % 60, of_day % 60);
        write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{millis:03}Z")
    }
}

/// Year, month and day of a day since 1970-01-01, in the Gregorian calendar.
///
/// Counts in years that begin in March, so that the leap day is a year's last, and in eras of 400 years, which all have
/// 146,097 days.
fn civil(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468; // 0000-03-01
    let (era, of_era) = (days / 146_097, days % 146_097);
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let march_month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * march_month + 2) / 5 + 1;
    let month = if march_month < 10 { march_month + 3 } else { march_month - 9 };
    (era * 400 + year + u64::from(month <= 2), month, day)
}

#[cfg(all(test, not(peerguard_loom)))]
mod tests {
    use super::*;
    use std::time::Duration;

    fn text(seconds: u64, millis: u64) -> String {
        Rfc3339(UNIX_EPOCH + Duration::from_secs(seconds) + Duration::from_millis(millis)).to_string()
    }

    #[test]
    fn known_times() {
        assert_eq!(text(0, 0), "1970-01-01T00:00:00.000Z");
        assert_eq!(text(951_782_399, 999), "2000-02-28T23:59:59.999Z");
        assert_eq!(text(951_782_400, 0), "2000-02-29T00:00:00.000Z");
        assert_eq!(text(1_709_208_000, 1), "2024-02-29T12:00:00.001Z");
        assert_eq!(text(4_107_542_399, 0), "2100-02-28T23:59:59.000Z");
        assert_eq!(text(4_107_542_400, 0), "2100-03-01T00:00:00.000Z");
        assert_eq!(text(LAST + 5, 0), "9999-12-31T23:59:59.000Z");
    }

    #[test]
    fn days_follow_each_other_for_a_thousand_years() {
        let mut before = civil(0);
        for day in 1..366_000 {
            let now = civil(day);
            let next_day = (now.0, now.1, now.2) == (before.0, before.1, before.2 + 1);
            let next_month = now.2 == 1 && (now.0 * 12 + now.1) == (before.0 * 12 + before.1 + 1) && before.2 >= 28;
            assert!(next_day || next_month, "{before:?} is followed by {now:?}");
            before = now;
        }
    }
}
