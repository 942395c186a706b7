//! What is known of one timer, by value.

use flowtable::Ticks;

/// A timer that other connections show, as seen from one reset.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct TimerFacts {
    /// What it does when it runs out.
    pub kind: TimerKind,
    /// Whose it is.
    pub owner: TimerOwner,
    /// Which connections show it.
    pub scope: TimerScope,
    /// How this reset relates to it.
    pub relation: Relation,
    /// It is no shorter than this: the earliest end, or the longest silence that was survived.
    pub low: Ticks,
    /// The latest end, or the shortest silence that was not survived.
    pub high: Ticks,
    /// How many connections were ended at it, or died above it.
    pub above: u32,
    /// How many connections survived shorter silences.
    pub below: u32,
    /// How many connections contradict it.
    pub against: u32,
    /// It ends connections by FIN rather than by reset.
    pub by_fin: bool,
    /// The hops that its resets have behind them, if always the same.
    pub hops: Option<u8>,
    /// The servers' port, unless it shows at several.
    pub port: Option<u16>,
}

impl TimerFacts {
    pub(super) const fn nothing(owner: TimerOwner, kind: TimerKind) -> Self {
        Self {
            kind,
            owner,
            scope: TimerScope::Server,
            relation: Relation::At,
            low: Ticks(0),
            high: Ticks(0),
            above: 0,
            below: 0,
            against: 0,
            by_fin: false,
            hops: None,
            port: None,
        }
    }

    /// The best guess of the timer.
    ///
    /// What ends connections fires at its earliest in time and later by jitter and sweeps; what
    /// forgets them does so somewhere between the two silences.
    #[must_use]
    pub const fn estimate(&self) -> Ticks {
        match self.kind {
            TimerKind::Ends => self.low,
            TimerKind::Forgets => Ticks(self.low.0 + (self.high.0 - self.low.0) / 2),
        }
    }
}

/// What a timer does when it runs out.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub enum TimerKind {
    /// Ends the connection by FIN or reset.
    Ends,
    /// Forgets it in silence: the next packet draws a reset.
    Forgets,
}

/// Whose timer it is.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub enum TimerOwner {
    /// The clients.
    Client,
    /// The server, or the front end that speaks for it.
    Server,
    /// A device in the path.
    Device,
    /// The resets do not tell.
    Unknown,
}

impl TimerOwner {
    pub(super) const ALL: [Self; Self::COUNT] =
        [Self::Client, Self::Server, Self::Device, Self::Unknown];
    pub(super) const COUNT: usize = 4;
}

/// Which connections show a timer.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub enum TimerScope {
    /// Those to one port of one server.
    Server,
    /// Those to one port of any server.
    Port,
    /// All.
    Site,
}

/// How a reset relates to the timers of its path.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Relation {
    /// Its silence is the timer's.
    At,
    /// There is a timer, but this silence is another.
    Elsewhere,
    /// Many such ends are known, after all kinds of silences: there is no timer.
    Scattered,
}
