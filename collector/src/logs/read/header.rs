//! What stands before a message: the syslog header, where there is one.

use chrono::FixedOffset;
use events::UtcTime;
use syslog_loose::{IncompleteDate, Variant, parse_message_with_year_exact_tz};

use super::Context;
use super::fields::NAME_BYTES;
use super::stamp::{self, SECOND_NS};
use crate::logs::session::beginning;

/// The header of a line, RFC 3164 or RFC 5424; empty if it has none.
///
/// Only stamp, host and program are taken: where the message begins is each product's own matter, because
/// some write it as if its first word were the program's name.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Header<'l> {
    /// Who wrote it; names are cut at [`NAME_BYTES`].
    pub(crate) host: Option<&'l str>,
    /// Which program.
    pub(crate) program: Option<&'l str>,
    /// The process.
    pub(crate) process: Option<i32>,
    /// When it was sent.
    pub(crate) stamp: Option<UtcTime>,
}

impl<'l> Header<'l> {
    /// Reads it; what stands for "not known" is nothing.
    pub(crate) fn of(line: &'l str, context: &Context<'_>) -> Self {
        let received = context.received;
        let year = move |date: IncompleteDate| nearest_year(date, received);
        let utc = FixedOffset::east_opt(0);
        let Ok(message) = parse_message_with_year_exact_tz(line, year, utc, Variant::Either) else {
            return Self::default();
        };
        let stamp = message.timestamp.and_then(|time| match has_own_zone(line) {
            true => stamp::instant(time),
            false => stamp::utc_of(time.naive_local(), context.zone),
        });
        let process = match message.procid {
            Some(syslog_loose::ProcId::PID(process)) => Some(process),
            _ => None,
        };
        let host = message.hostname.filter(|host| !host.is_empty() && *host != "-");
        let name = |text: Option<&'l str>| text.map(|text| beginning(text, NAME_BYTES));
        Self { host: name(host), program: name(message.appname), process, stamp }
    }
}

/// Whether the stamp of a header says its offset from UTC: such a stamp begins with the year.
fn has_own_zone(line: &str) -> bool {
    let after_priority = match line.trim_start().strip_prefix('<') {
        Some(rest) => rest.split_once('>').map_or("", |(_, rest)| rest),
        None => line,
    };
    let text = after_priority.trim_start();
    // The version of RFC 5424.
    let text = text.strip_prefix("1 ").unwrap_or(text);
    let begins = |at: usize, is: fn(&u8) -> bool| text.as_bytes().get(at).is_some_and(is);
    (0..4).all(|at| begins(at, u8::is_ascii_digit)) && begins(4, |byte| *byte == b'-')
}

/// RFC 3164 leaves the year out: the one that brings the stamp nearest to when the line came.
fn nearest_year(date: IncompleteDate, received: UtcTime) -> i32 {
    let (month, day, ..) = date;
    let this = stamp::year_of(received);
    let distance = |year: i32| {
        let civil = chrono::NaiveDate::from_ymd_opt(year, month, day)?.and_hms_opt(0, 0, 0)?;
        let seconds = civil.and_utc().timestamp();
        Some(seconds.abs_diff((received.0 / SECOND_NS).cast_signed()))
    };
    let years = [this, this - 1, this + 1].into_iter();
    years.min_by_key(|year| distance(*year).unwrap_or(u64::MAX)).unwrap_or(this)
}

#[cfg(test)]
mod tests {
    use events::UtcTime;

    use super::super::stamp::Zone;
    use super::{Context, Header};

    fn header(line: &str, east_s: i32) -> Header<'_> {
        // 2026-01-01T00:00:10Z
        let received = UtcTime(1_767_225_610_000_000_000);
        Header::of(line, &Context { received, zone: Zone { east_s }, source: "peer" })
    }

    fn written(header: Header<'_>) -> String {
        header.stamp.map_or("none".to_owned(), |time| time.to_string())
    }

    #[test]
    fn headers_of_all_dialects_tell_who_and_when() {
        let cases = [
            ("<14>Dec 31 23:59:58 fw1 app[7]: x", "2025-12-31T23:59:58.000000000Z"),
            ("<14>Jan  1 00:00:05 fw1 app: x", "2026-01-01T00:00:05.000000000Z"),
            ("<14>Jan 01 2026 00:00:05 fw1 : %ASA-6-1: x", "2026-01-01T00:00:05.000000000Z"),
            (
                "<14>1 2026-01-01T02:00:05.25+02:00 fw1 app 7 - - x",
                "2026-01-01T00:00:05.250000000Z",
            ),
            ("<14>2026-01-01T00:00:05Z fw1 app[7]: x", "2026-01-01T00:00:05.000000000Z"),
        ];
        for (line, expected) in cases {
            let header = header(line, 0);
            assert_eq!(written(header), expected, "{line}");
            assert_eq!(header.host, Some("fw1"), "{line}");
        }
        assert_eq!(header("no header at all", 0), Header::default());
    }

    #[test]
    fn only_stamps_without_a_zone_are_shifted() {
        assert_eq!(
            written(header("<14>Jan  1 02:00:05 fw1 app: x", 7200)),
            "2026-01-01T00:00:05.000000000Z"
        );
        assert_eq!(
            written(header("<14>Jan 01 2026 02:00:05 fw1 : x", 7200)),
            "2026-01-01T00:00:05.000000000Z"
        );
        assert_eq!(
            written(header("<14>1 2026-01-01T02:00:05+02:00 fw1 app 7 - - x", 7200)),
            "2026-01-01T00:00:05.000000000Z"
        );
    }
}
