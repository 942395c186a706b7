//! Numbers in few columns.

use events::thousands;

/// A count: whole up to seven digits, then with a unit.
pub(super) fn count(number: u64) -> String {
    if number < 10_000_000 { thousands(number) } else { scaled(number as f64, 1000.0) }
}

/// So many a second.
pub(super) fn rate(per_s: f64) -> String {
    if per_s > 0.0 && per_s < 9.95 {
        return format!("{per_s:.1}");
    }
    count(per_s.max(0.0) as u64)
}

/// Bits a second.
pub(super) fn bits(per_s: f64) -> String {
    format!("{}bit/s", scaled(per_s.max(0.0), 1000.0))
}

/// Bytes.
pub(super) fn bytes(number: u64) -> String {
    indicatif::BinaryBytes(number).to_string()
}

/// Seconds, as long as people say them.
pub(super) fn span(seconds: f64) -> String {
    let whole = seconds.max(0.0) as u64;
    match whole {
        0 if seconds > 0.0 && seconds < 1.0 => format!("{:.0} ms", seconds * 1e3),
        0..60 => format!("{whole} s"),
        60..3600 => format!("{} min {:02} s", whole / 60, whole % 60),
        3600..172_800 => format!("{} h {:02} min", whole / 3600, whole % 3600 / 60),
        _ => format!("{} days", whole / 86_400),
    }
}

fn scaled(number: f64, base: f64) -> String {
    let (mut number, mut unit) = (number, 0);
    while number >= base && unit + 1 < UNITS.len() {
        number /= base;
        unit += 1;
    }
    let digits = if number < 10.0 && unit > 0 { 1 } else { 0 };
    format!("{number:.digits$} {}", UNITS[unit])
}

const UNITS: [&str; 6] = ["", "k", "M", "G", "T", "P"];

#[cfg(test)]
mod tests {
    use super::{bits, count, rate, span};

    #[test]
    fn numbers_stay_short() {
        assert_eq!(count(9_999_999), "9,999,999");
        assert_eq!(count(123_456_789), "123 M");
        assert_eq!((rate(0.0), rate(0.25), rate(12.6)), ("0".into(), "0.2".into(), "12".into()));
        assert_eq!((bits(950.0), bits(9_870_000_000.0)), ("950 bit/s".into(), "9.9 Gbit/s".into()));
        let spans =
            [(0.25, "250 ms"), (59.9, "59 s"), (61.0, "1 min 01 s"), (7260.0, "2 h 01 min")];
        for (seconds, text) in spans {
            assert_eq!(span(seconds), text);
        }
        assert_eq!(span(200_000.0), "2 days");
    }
}
