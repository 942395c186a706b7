//! Instants as vendors write them; the calendar is our own, not that of the code under test.

/// Date and time of day, UTC.
pub(crate) struct Civil {
    year: u64,
    month: usize,
    day: u64,
    second_of_day: u64,
    millisecond: u64,
}

const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

impl Civil {
    pub(crate) fn of(ns: u64) -> Self {
        let seconds = ns / 1_000_000_000;
        let (mut days, second_of_day) = (seconds / 86_400, seconds % 86_400);
        let is_leap = |year: u64| {
            year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
        };
        let mut year = 1970;
        while days >= 365 + u64::from(is_leap(year)) {
            days -= 365 + u64::from(is_leap(year));
            year += 1;
        }
        let february = 28 + u64::from(is_leap(year));
        let lengths = [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
        let mut month = 0;
        while days >= lengths[month] {
            days -= lengths[month];
            month += 1;
        }
        Self { year, month, day: days + 1, second_of_day, millisecond: ns / 1_000_000 % 1000 }
    }

    pub(crate) fn time(&self) -> String {
        let s = self.second_of_day;
        format!("{:02}:{:02}:{:02}", s / 3600, s / 60 % 60, s % 60)
    }

    /// `2023/11/14 22:13:20`.
    pub(crate) fn slashed(&self) -> String {
        format!("{}/{:02}/{:02} {}", self.year, self.month + 1, self.day, self.time())
    }

    /// `2023-11-14`.
    pub(crate) fn dashed_date(&self) -> String {
        format!("{}-{:02}-{:02}", self.year, self.month + 1, self.day)
    }

    /// `Nov 14 22:13:20`.
    pub(crate) fn bsd(&self) -> String {
        format!("{} {:2} {}", MONTHS[self.month], self.day, self.time())
    }

    /// `Nov 14 2023 22:13:20`.
    pub(crate) fn cisco(&self) -> String {
        format!("{} {:02} {} {}", MONTHS[self.month], self.day, self.year, self.time())
    }

    /// `14/Nov/2023:22:13:20.123`.
    pub(crate) fn haproxy(&self) -> String {
        let month = MONTHS[self.month];
        format!("{:02}/{month}/{}:{}.{:03}", self.day, self.year, self.time(), self.millisecond)
    }
}
