//! Idle timers in fields and in sentences.

use std::fmt::Write as _;
use std::net::IpAddr;

use classifiers::{Relation, TimerFacts, TimerFound, TimerKind, TimerOwner, TimerScope};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::event::Endpoint;
use crate::fill::hops;
use crate::sentence::{capitalised, thousands};
use crate::timers::{Holder, Product, Question, products};

/// An idle timer that several connections show.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct TimerFields {
    /// The best guess, seconds.
    pub seconds: f64,
    /// It is no shorter, seconds.
    pub low_s: f64,
    /// The latest end at it, or the shortest silence that was not survived, seconds.
    pub high_s: f64,
    /// What it does: `ends` connections (FIN or reset), or `forgets` them in silence.
    pub kind: String,
    /// Whose it is: `client`, `server`, `device` or `unknown`.
    pub owner: String,
    /// Which connections show it: of one `server`, of a `port` of any server, or of the whole `site`.
    pub scope: String,
    /// It ends connections by FIN rather than by reset.
    #[serde(default)]
    pub by_fin: bool,
    /// Connections that it ended, or that died above it.
    pub above: u32,
    /// Connections that survived shorter silences.
    pub below: u32,
    /// Connections that contradict it.
    pub against: u32,
    /// Hops behind the resets of it, if always the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hops: Option<u8>,
    /// Products that ship with such a timer, the likeliest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub products: Vec<String>,
}

impl TimerFields {
    /// The timer that a reset is due to; nothing if it is due to none.
    pub(super) fn at(facts: &TimerFacts) -> Option<Self> {
        (facts.relation == Relation::At).then(|| Self::of(facts))
    }

    fn of(facts: &TimerFacts) -> Self {
        let [low_s, high_s] = [facts.low, facts.high].map(|span| span.seconds());
        let holder = match facts.owner {
            TimerOwner::Client => Holder::Client,
            TimerOwner::Server => Holder::Server,
            TimerOwner::Device => Holder::Tracker,
            TimerOwner::Unknown => Holder::Any,
        };
        let range = match facts.kind {
            // It fires late by round trips and sweeps, never early.
            TimerKind::Ends => (low_s - EARLY_S - low_s * SWEEP, low_s + EARLY_S),
            TimerKind::Forgets => (low_s, high_s),
        };
        let question = Question { range, holder, by_fin: facts.by_fin, port: facts.port };
        let named: Vec<&Product> = products(&question).collect();
        let seconds = guess(facts, &named, range);
        Self {
            seconds: rounded(seconds),
            low_s: rounded(low_s),
            high_s: rounded(high_s),
            kind: match facts.kind {
                TimerKind::Ends => "ends",
                TimerKind::Forgets => "forgets",
            }
            .to_owned(),
            owner: owner_name(facts.owner).to_owned(),
            scope: match facts.scope {
                TimerScope::Server => "server",
                TimerScope::Port => "port",
                TimerScope::Site => "site",
            }
            .to_owned(),
            by_fin: facts.by_fin,
            above: facts.above,
            below: facts.below,
            against: facts.against,
            hops: facts.hops,
            products: named.iter().map(|product| product.name.to_owned()).collect(),
        }
    }

    /// What it does, to whom, after how long, by what evidence: `path` is who is spoken of.
    pub(super) fn sentence(&self, path: &str) -> String {
        let by_endpoint = matches!(self.owner.as_str(), "server" | "client");
        let mut text = match (self.kind.as_str(), self.owner.as_str()) {
            ("ends", "client") => format!("the clients of {path} close"),
            ("ends", "server") => format!("{path} ends"),
            ("forgets", _) if by_endpoint => format!("{path} forgets"),
            ("ends", "unknown") => format!("{path}, or a device in its name, ends"),
            (_, "unknown") => format!("{path}, or a device in front of it, forgets"),
            (kind, _) => {
                let does = if kind == "ends" { "ends" } else { "forgets" };
                match self.hops {
                    Some(away) if away > 0 => {
                        format!("a device on the path to {path}, {} away, {does}", hops(away))
                    }
                    _ => format!("a device on the path to {path} {does}"),
                }
            }
        };
        let _ = write!(
            text,
            " idle connections after {} s ({})",
            seconds_text(self.seconds),
            self.proof()
        );
        text
    }

    /// `29.00 to 31.20 s; 41 reset above, 1,204 survived below; default of AWS NLB`.
    fn proof(&self) -> String {
        let mut text = String::new();
        let done = match (self.kind.as_str(), self.by_fin) {
            ("forgets", _) => {
                let (low, high) = (seconds_text(self.low_s), seconds_text(self.high_s));
                let _ = write!(text, "between {low} and {high} s; ");
                "reset above"
            }
            (_, true) => "closed by FIN at it",
            (_, false) => "reset at it",
        };
        let [above, below] = [self.above, self.below].map(|count| thousands(u64::from(count)));
        let _ = write!(text, "{above} {done}, {below} survived below");
        match self.against {
            0 => {}
            1 => text.push_str(", 1 contradicts it"),
            against => {
                let _ = write!(text, ", {against} contradict it");
            }
        }
        match self.products.as_slice() {
            [] => {}
            [one] => {
                let _ = write!(text, "; default of {one}");
            }
            [first, others @ ..] => {
                let _ = write!(text, "; default of {first}, also of {}", others.join(", "));
            }
        }
        text
    }

    /// The shortest that it can be.
    pub(crate) fn floor_text(&self) -> String {
        format!("{} s", seconds_text(self.low_s.min(self.seconds)))
    }

    /// What to do about it.
    pub(crate) fn step(&self) -> String {
        let floor = self.floor_text();
        match (self.kind.as_str(), self.owner.as_str()) {
            ("ends", "server") => format!(
                "set the client pool's idle time below {floor}, or raise the server's timer above the \
                 pool's"
            ),
            ("ends", "client") => {
                format!(
                    "keep the server's keep-alive time above {floor}, so that it never closes first"
                )
            }
            _ => format!("set TCP keepalives below {floor}, or raise the timer"),
        }
    }
}

/// An idle timer of the run, and whose connections show it.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct TimerReport {
    /// The server, if one alone shows it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server: Option<Endpoint>,
    /// The port, unless all show it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
    /// What is known of it.
    #[serde(flatten)]
    pub timer: TimerFields,
    /// All that in words.
    pub text: String,
}

impl From<&TimerFound> for TimerReport {
    fn from(found: &TimerFound) -> Self {
        let timer = TimerFields::of(&found.facts);
        let server =
            found.server.map(|end| Endpoint { ip: IpAddr::from(end.address), port: end.port });
        let path = match (server, found.facts.port) {
            (Some(server), _) => server.to_string(),
            (None, Some(port)) => format!("any server's port {port}"),
            (None, None) => "all servers".to_owned(),
        };
        let text =
            format!("{}. {}.", capitalised(&timer.sentence(&path)), capitalised(&timer.step()));
        Self { server, port: found.facts.port, timer, text }
    }
}

/// The likeliest number of seconds: a product's if one fits, else a round one close by, since people
/// configure round numbers.
fn guess(facts: &TimerFacts, named: &[&Product], range: (f64, f64)) -> f64 {
    let estimate = facts.estimate().seconds();
    let close = |seconds: f64| {
        let reach = (estimate * NEAR_SHARE).max(match facts.kind {
            TimerKind::Ends => EARLY_S,
            TimerKind::Forgets => NEAR_S,
        });
        (seconds - estimate).abs() <= reach && (range.0..=range.1).contains(&seconds)
    };
    let known = named.iter().map(|product| f64::from(product.seconds)).find(|&one| close(one));
    let round =
        || ROUND_S.iter().map(|step| (estimate / step).round() * step).find(|&one| close(one));
    known.or_else(round).unwrap_or(estimate)
}

const fn owner_name(owner: TimerOwner) -> &'static str {
    match owner {
        TimerOwner::Client => "client",
        TimerOwner::Server => "server",
        TimerOwner::Device => "device",
        TimerOwner::Unknown => "unknown",
    }
}

fn rounded(seconds: f64) -> f64 {
    (seconds * 1e3).round() / 1e3
}

/// Decimals only where they say something; cut off, since what must stay below is told by it.
fn seconds_text(seconds: f64) -> String {
    if seconds >= 1_000.0 {
        thousands(seconds as u64)
    } else if (seconds - seconds.round()).abs() < 0.005 {
        format!("{seconds:.0}")
    } else {
        format!("{seconds:.2}")
    }
}

/// Acknowledgments make a silence seem shorter than the timer that ended it.
const EARLY_S: f64 = 0.1;
/// Devices sweep their tables now and then, so that even the earliest end may be late.
const SWEEP: f64 = 0.01;
/// As far from the middle of what is possible a round number still is the better guess.
const NEAR_S: f64 = 1.0;
const NEAR_SHARE: f64 = 0.005;
const ROUND_S: [f64; 7] = [3_600.0, 600.0, 60.0, 30.0, 10.0, 5.0, 1.0];

#[cfg(test)]
mod tests {
    use classifiers::{Relation, TimerFacts, TimerKind, TimerOwner, TimerScope};
    use flowtable::Ticks;

    use super::TimerFields;

    fn facts(kind: TimerKind, owner: TimerOwner, low_ms: u64, high_ms: u64) -> TimerFacts {
        TimerFacts {
            kind,
            owner,
            scope: TimerScope::Server,
            relation: Relation::At,
            low: Ticks::from_ms(low_ms),
            high: Ticks::from_ms(high_ms),
            above: 41,
            below: 1_204,
            against: 0,
            by_fin: false,
            hops: Some(3),
            port: Some(8080),
        }
    }

    #[test]
    fn a_forgetful_device_is_told_with_its_product() {
        let facts = facts(TimerKind::Forgets, TimerOwner::Device, 349_200, 350_900);
        let fields = TimerFields::at(&facts).unwrap();
        assert_eq!(fields.seconds, 350.0);
        assert_eq!(fields.products, ["AWS NLB, Gateway LB and Network Firewall"]);
        assert_eq!(
            fields.sentence("10.1.0.9:443"),
            "a device on the path to 10.1.0.9:443, 3 hops away, forgets idle connections after \
             350 s (between 349.20 and 350.90 s; 41 reset above, 1,204 survived below; default of \
             AWS NLB, Gateway LB and Network Firewall)"
        );
        assert!(fields.step().contains("keepalives below 349.20 s"));
    }

    #[test]
    fn the_owner_decides_which_product_comes_first() {
        let name = |owner, ms| {
            let facts = facts(TimerKind::Ends, owner, ms, ms + 3);
            TimerFields::at(&facts).unwrap().products
        };
        assert_eq!(name(TimerOwner::Server, 5_001)[0], "Node.js keepAliveTimeout");
        assert!(name(TimerOwner::Server, 60_002).len() > 1);
        assert!(name(TimerOwner::Device, 300_400)[0].contains("F5"));
        assert!(name(TimerOwner::Server, 7_004).is_empty());
    }

    #[test]
    fn a_round_number_close_by_is_the_better_guess() {
        let seconds = |kind, low, high| {
            TimerFields::at(&facts(kind, TimerOwner::Device, low, high)).unwrap().seconds
        };
        assert_eq!(seconds(TimerKind::Forgets, 10_800, 11_250), 11.0);
        assert_eq!(seconds(TimerKind::Ends, 8_960, 9_003), 9.0);
        assert_eq!(seconds(TimerKind::Ends, 7_450, 7_470), 7.45);
        assert_eq!(seconds(TimerKind::Forgets, 29_100, 34_000), 32.0);
    }

    #[test]
    fn a_reset_at_another_silence_is_told_without_the_timer() {
        let facts = TimerFacts {
            relation: Relation::Elsewhere,
            ..facts(TimerKind::Ends, TimerOwner::Server, 5_000, 5_010)
        };
        assert_eq!(TimerFields::at(&facts), None);
    }
}
