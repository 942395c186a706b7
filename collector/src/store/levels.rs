//! The steps in which counts are kept, and which of them answer for a span of time.

use events::UtcTime;
use rusqlite::{Connection, params};

use super::options::StoreOptions;

/// A step in which counts are kept.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Level {
    Minute,
    TenMinutes,
    Hour,
    Day,
}

impl Level {
    /// Finest first.
    pub(crate) const ALL: [Self; 4] = [Self::Minute, Self::TenMinutes, Self::Hour, Self::Day];

    /// Its length.
    pub(crate) const fn step_s(self) -> u64 {
        match self {
            Self::Minute => 60,
            Self::TenMinutes => 600,
            Self::Hour => 3600,
            Self::Day => 86_400,
        }
    }

    /// The end of its tables' names.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Minute => "1m",
            Self::TenMinutes => "10m",
            Self::Hour => "1h",
            Self::Day => "1d",
        }
    }

    /// For how long it is kept.
    pub(crate) fn kept_s(self, options: &StoreOptions) -> u64 {
        match self {
            Self::Minute => u64::from(options.minutes_h) * 3600,
            Self::TenMinutes => u64::from(options.tens_d) * 86_400,
            Self::Hour | Self::Day => u64::from(options.hours_d) * 86_400,
        }
    }

    /// The first second of the step that `second` lies in.
    pub(crate) const fn start(self, second: u64) -> u64 {
        second - second % self.step_s()
    }
}

/// The table of [`Reach`].
pub(crate) const TABLE: &str =
    "CREATE TABLE reach(step_s INTEGER PRIMARY KEY, from_s INTEGER NOT NULL);";

/// How far back the counts of each step reach: from this second on none was deleted. Not what is to be kept: that
/// may have been less once, and whoever only reads a store does not know it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Reach([u64; 4]);

impl Reach {
    /// As what is to be kept says.
    pub(crate) fn of(options: &StoreOptions, now_s: u64) -> Self {
        Self(Level::ALL.map(|level| level.start(now_s.saturating_sub(level.kept_s(options)))))
    }

    /// As the writer left it; where he has not yet, as what is to be kept says.
    ///
    /// # Errors
    /// The file cannot be read.
    pub(crate) fn read(
        db: &Connection,
        options: &StoreOptions,
        now_s: u64,
    ) -> rusqlite::Result<Self> {
        let mut reach = Self::of(options, now_s);
        // Files of older versions have no such table.
        let sql = "SELECT 1 FROM sqlite_master WHERE name = 'reach'";
        if !db.prepare_cached(sql)?.exists([])? {
            return Ok(reach);
        }
        let mut read = db.prepare_cached("SELECT from_s FROM reach WHERE step_s = ?")?;
        for (level, from_s) in Level::ALL.into_iter().zip(&mut reach.0) {
            let mut rows = read.query([level.step_s() as i64])?;
            let known = rows.next()?.map(|row| row.get::<_, i64>(0)).transpose()?;
            // A clock that was ahead once deleted all there was: what came since is whole.
            if let Some(known) = known.map(|known| known as u64).filter(|known| *known <= now_s) {
                *from_s = known;
            }
        }
        Ok(reach)
    }

    /// Notes that what is older may be deleted now; what is gone stays gone.
    ///
    /// # Errors
    /// The file cannot be written.
    pub(crate) fn write(&self, db: &Connection, now_s: u64) -> rusqlite::Result<()> {
        let mut put = db.prepare_cached(
            "INSERT INTO reach VALUES(?, ?) ON CONFLICT(step_s) DO UPDATE
             SET from_s = excluded.from_s WHERE excluded.from_s > from_s OR from_s > ?",
        )?;
        for (level, from_s) in Level::ALL.into_iter().zip(self.0) {
            put.execute(params![level.step_s() as i64, from_s as i64, now_s as i64])?;
        }
        Ok(())
    }

    /// The first second of which a step's counts are all there.
    pub(crate) const fn oldest_s(&self, level: Level) -> u64 {
        self.0[level as usize]
    }
}

/// Whole steps, in seconds since the Unix epoch: from `from` on, before `to`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Span {
    pub(crate) from_s: u64,
    pub(crate) to_s: u64,
}

/// Which steps answer a question.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Plan {
    /// The step of a series over it.
    pub(crate) step: Level,
    /// All of it, in whole steps.
    pub(crate) span: Span,
    /// The same in as few steps as there can be, for sums.
    pub(crate) parts: Vec<(Level, Span)>,
}

impl Plan {
    /// The finest steps that still reach back to `from` and are not too many.
    pub(crate) fn new(from: UtcTime, to: UtcTime, now_s: u64, reach: &Reach) -> Self {
        let (from_s, to_s) = (from.0 / NS, to.0.div_ceil(NS).max(from.0 / NS));
        let is_fit = |level: &Level| {
            from_s >= reach.oldest_s(*level) && (to_s - from_s) / level.step_s() <= STEPS_MAX
        };
        let step = Level::ALL.into_iter().find(is_fit).unwrap_or(Level::Day);
        // Longer than what is kept: nothing is there.
        let oldest_s = reach.oldest_s(Level::Day).saturating_sub(Level::Day.step_s());
        let newest_s = now_s.saturating_add(2 * Level::Day.step_s());
        let from_s = step.start(from_s.clamp(oldest_s, newest_s));
        let to_s = to_s.clamp(from_s, newest_s).next_multiple_of(step.step_s());
        let span = Span { from_s, to_s };
        let mut parts = Vec::new();
        cover(span, Level::Day, step, &mut parts);
        Self { step, span, parts }
    }
}

/// Covers `span`, which is of whole steps of `finest`, by as coarse steps as fit.
fn cover(span: Span, level: Level, finest: Level, parts: &mut Vec<(Level, Span)>) {
    if span.from_s >= span.to_s {
        return;
    }
    if level == finest {
        parts.push((level, span));
        return;
    }
    let finer = Level::ALL[level as usize - 1];
    let from_s = span.from_s.next_multiple_of(level.step_s());
    let to_s = level.start(span.to_s);
    if from_s >= to_s {
        cover(span, finer, finest, parts);
        return;
    }
    cover(Span { to_s: from_s, ..span }, finer, finest, parts);
    parts.push((level, Span { from_s, to_s }));
    cover(Span { from_s: to_s, ..span }, finer, finest, parts);
}

/// The key of a step and a sensor in every table of counts.
pub(crate) const fn at(start_s: u64, sensor: u16) -> i64 {
    ((start_s / 60) << SENSOR_BITS | sensor as u64) as i64
}

/// Of what [`at`] gave: first second and sensor.
pub(crate) const fn of_at(at: i64) -> (u64, u16) {
    let at = at as u64;
    ((at >> SENSOR_BITS) * 60, (at & ((1 << SENSOR_BITS) - 1)) as u16)
}

/// Steps of a series at most: a month by hour.
const STEPS_MAX: u64 = 800;

const SENSOR_BITS: u32 = 12;

const NS: u64 = 1_000_000_000;

const _: () = assert!(super::words::SENSORS_MAX <= 1 << SENSOR_BITS);

#[cfg(test)]
mod tests {
    use events::UtcTime;
    use proptest::prelude::*;

    use super::{Level, NS, Plan, Reach, StoreOptions, TABLE, at, of_at};

    const NOW_S: u64 = 1_790_000_000;

    fn kept() -> Reach {
        Reach::of(&StoreOptions::default(), NOW_S)
    }

    #[test]
    fn what_was_deleted_is_not_there_again_when_more_is_to_be_kept() {
        let db = rusqlite::Connection::open_in_memory().unwrap();
        let much = StoreOptions { minutes_h: 24 * 30, ..StoreOptions::default() };
        let little = StoreOptions { minutes_h: 1, ..StoreOptions::default() };
        let read = |options| Reach::read(&db, options, NOW_S).unwrap();
        assert_eq!(read(&much), Reach::of(&much, NOW_S), "a file of an older version");
        db.execute_batch(TABLE).unwrap();
        let ahead_s = NOW_S + 1_000_000_000;
        Reach::of(&little, ahead_s).write(&db, ahead_s).unwrap();
        assert_eq!(read(&much), Reach::of(&much, NOW_S), "of a clock that was ahead");
        for (options, now_s) in [(&little, NOW_S), (&much, NOW_S + 60)] {
            Reach::of(options, now_s).write(&db, now_s).unwrap();
        }
        assert_eq!(read(&much).oldest_s(Level::Minute), NOW_S / 60 * 60 - 3600);
        let ask = |ago_s: u64| {
            let from = UtcTime((NOW_S - ago_s) * NS);
            Plan::new(from, UtcTime(NOW_S * NS), NOW_S, &read(&much)).step
        };
        assert_eq!((ask(3600), ask(7200)), (Level::Minute, Level::TenMinutes));
    }

    #[test]
    fn an_hour_is_told_by_minutes_and_a_month_by_hours() {
        let plan = |ago_s: u64| {
            let from = UtcTime((NOW_S - ago_s) * NS);
            Plan::new(from, UtcTime(NOW_S * NS), NOW_S, &kept()).step
        };
        assert_eq!(plan(3600), Level::Minute);
        assert_eq!(plan(86_400), Level::TenMinutes);
        assert_eq!(plan(30 * 86_400), Level::Hour);
        assert_eq!(plan(300 * 86_400), Level::Day);
    }

    proptest! {
        #[test]
        fn parts_cover_the_span_once_and_in_order(ago_s in 0_u64..40_000_000, len_s in 0_u64..40_000_000) {
            let from_s = NOW_S - ago_s;
            let (from, to) = (UtcTime(from_s * NS), UtcTime((from_s + len_s).min(NOW_S) * NS));
            let plan = Plan::new(from, to, NOW_S, &kept());
            let mut next_s = plan.span.from_s;
            for (level, part) in &plan.parts {
                prop_assert_eq!(part.from_s, next_s);
                prop_assert!(part.to_s > part.from_s && part.from_s % level.step_s() == 0);
                prop_assert!(part.to_s % level.step_s() == 0 && *level >= plan.step);
                next_s = part.to_s;
            }
            prop_assert_eq!(next_s, plan.span.to_s);
            prop_assert!((plan.span.to_s - plan.span.from_s) / plan.step.step_s() <= 810);
        }

        #[test]
        fn a_key_says_step_and_sensor(minute in 0_u64..1 << 40, sensor in 0_u16..4096) {
            prop_assert_eq!(of_at(at(minute * 60, sensor)), (minute * 60, sensor));
        }
    }
}
