//! Days: the service counts them in midnights, tests in whatever they set; and dates as HTTP writes them.

use crate::clock::Timestamp;
use crate::clock::civil;
use std::fmt;
use std::time::Duration;

/// How long a day is. What becomes due after some days becomes due at the midnight behind them.
///
/// In production a day is a day, and midnight is that of UTC. A test that waits for rules on the machine's own time
/// sets a shorter one, whose midnights are its multiples since the Unix epoch.
///
/// ```
/// use fourfold::objects::Day;
/// use std::time::Duration;
/// assert_eq!(Day::default().length(), Duration::from_secs(86_400));
/// assert_eq!(Day::of(Duration::from_secs(2)).length(), Duration::from_secs(2));
/// ```
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Day {
    ms: u64,
}

impl Day {
    /// A day that is as long as this, in whole milliseconds and at least one.
    pub fn of(length: Duration) -> Self {
        Self { ms: u64::try_from(length.as_millis()).unwrap_or(u64::MAX).max(1) }
    }

    /// How long it is.
    pub fn length(self) -> Duration {
        Duration::from_millis(self.ms)
    }

    /// The first midnight that is later than `days` days after `from`.
    pub(crate) fn midnight_after(self, from: Timestamp, days: i32) -> Timestamp {
        let days = u64::try_from(days).unwrap_or(0);
        let moment = from.as_millis().saturating_add(days.saturating_mul(self.ms));
        let begun = moment - moment % self.ms;
        Timestamp::from_millis(begun.saturating_add(self.ms))
    }
}

impl Default for Day {
    fn default() -> Self {
        Self { ms: 24 * 60 * 60 * 1000 }
    }
}

impl fmt::Debug for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Day({:?})", self.length())
    }
}

/// A moment as HTTP writes it: `Fri, 21 Dec 2012 00:00:00 GMT`.
pub(crate) struct HttpDate(pub(crate) Timestamp);

impl fmt::Display for HttpDate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const WEEKDAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
        const MONTHS: [&str; 12] =
            ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
        let (days, second) = (self.0.as_secs() / 86_400, self.0.as_secs() % 86_400);
        let (year, month, day) = civil(days);
        let name = |names: &[&'static str], index: u64| {
            usize::try_from(index).ok().and_then(|index| names.get(index).copied()).unwrap_or_default()
        };
        write!(
            f,
            "{}, {day:02} {} {year:04} {:02}:{:02}:{:02} GMT",
            name(&WEEKDAYS, days % 7),
            name(&MONTHS, month.saturating_sub(1)),
            second / 3600,
            second / 60 % 60,
            second % 60
        )
    }
}
