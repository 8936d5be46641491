//! Moments as the service's messages spell them.

use crate::clock::Timestamp;

const DAY: u64 = 24 * 60 * 60;

/// `Thu Jan 22 01:22:02 UTC 2015`.
pub(crate) fn day_and_time(at: Timestamp) -> String {
    const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let text = at.to_string();
    // `2015-01-22T01:22:02.000Z`, with a sign and more digits behind the year 9999.
    let (date, time) = text.split_once('T').unwrap_or((&text, ""));
    let mut parts = date.trim_start_matches('+').split('-');
    let year = parts.next().unwrap_or_default();
    let month = parts.next().and_then(|month| month.parse::<usize>().ok()).unwrap_or(1);
    let day = parts.next().unwrap_or_default();
    // The first day of the epoch was a Thursday.
    let weekday = usize::try_from(at.as_secs() / DAY % 7).unwrap_or(0);
    let time = time.split('.').next().unwrap_or_default();
    let month = MONTHS.get(month.wrapping_sub(1)).copied().unwrap_or("Jan");
    format!("{} {month} {day} {time} UTC {year}", DAYS[weekday])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_spelled_as_the_service_does() {
        let check = |secs, text: &str| assert_eq!(day_and_time(Timestamp::from_secs(secs)), text);
        check(1_421_889_722, "Thu Jan 22 01:22:02 UTC 2015");
        check(0, "Thu Jan 01 00:00:00 UTC 1970");
        check(951_782_400, "Tue Feb 29 00:00:00 UTC 2000");
        check(1_735_689_599, "Tue Dec 31 23:59:59 UTC 2024");
    }
}
