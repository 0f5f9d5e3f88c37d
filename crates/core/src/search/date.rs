//! Days of a calendar as times.

use crate::wire::Timestamp;

const DAY_US: Timestamp = 24 * 3_600 * 1_000_000;

/// The beginning (UTC) of a day that is written as `YYYY-MM-DD`; `None`: there is no such day.
pub(super) fn beginning(text: &str) -> Option<Timestamp> {
    let mut parts = text.split('-');
    let (year, month, day) =
        (number(parts.next()?, 4)?, number(parts.next()?, 2)?, number(parts.next()?, 2)?);
    let is_day = (1..=12).contains(&month) && (1..=days_in(year, month)).contains(&day);
    (is_day && parts.next().is_none()).then(|| days_since_1970(year, month, day) * DAY_US)
}

/// The day after one that begins at `at`.
pub(super) const fn next(at: Timestamp) -> Timestamp {
    at + DAY_US
}

fn number(text: &str, digits: usize) -> Option<i64> {
    (text.len() == digits && text.bytes().all(|byte| byte.is_ascii_digit())).then(|| text.parse().ok())?
}

const fn days_in(year: i64, month: i64) -> i64 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// H. Hinnant, "chrono-Compatible Low-Level Date Algorithms", `days_from_civil`, for years from 0 on.
const fn days_since_1970(year: i64, month: i64, day: i64) -> i64 {
    // Years begin in March, so that the leap day is a year's last.
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_begins_at_midnight_utc() {
        assert_eq!(beginning("1970-01-01"), Some(0));
        assert_eq!(beginning("2026-03-02"), Some(1_772_409_600_000_000));
        assert_eq!(beginning("2024-02-29").map(next), beginning("2024-03-01"));
        assert_eq!(beginning("1999-12-31").map(next), beginning("2000-01-01"));
    }

    #[test]
    fn what_is_no_day_is_refused() {
        for text in [
            "",
            "2026",
            "2026-3-2",
            "2026-13-01",
            "2026-02-29",
            "1900-02-29",
            "2026-00-10",
            "2026-01-01-01",
            "+026-01-01",
            "today",
        ] {
            assert_eq!(beginning(text), None, "{text}");
        }
    }
}
