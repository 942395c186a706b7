//! `servers server=10.0.0.5:443 cause=idle_timeout_endpoint last 24h`: what is asked, in words.

use collector::{Ask, read_instant, read_server, read_span_s};
use events::{Filter, ServerRange, UtcTime};

/// What is asked.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Words {
    pub(super) view: View,
    pub(super) ask: Ask,
    /// The filters as they were written: the API wants them as text.
    pub(super) conditions: Vec<String>,
}

/// Which answer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum View {
    Overview,
    Servers,
    Server(ServerRange),
    Events,
    Event(String),
    Idle,
    Bursts,
    Devices,
    Sensors,
    Disagreements,
}

impl Words {
    /// Reads words, separated by blanks.
    ///
    /// # Errors
    /// One cannot be meant, with the choices there are.
    pub(super) fn read(text: &str, now: UtcTime) -> Result<Self, String> {
        let mut view = None;
        let (mut last_s, mut since, mut until) = (None, None, None);
        let (mut filters, mut conditions, mut sensor) = (Vec::new(), Vec::new(), None);
        let mut words = text.split_whitespace();
        while let Some(word) = words.next() {
            let mut next =
                |what: &str| words.next().ok_or(format!("{word:?} wants {what} after it"));
            match word {
                "last" => last_s = Some(read_span_s(next("a span, for example 24h")?)?),
                "since" => since = Some(read_instant(next("a time")?)?),
                "until" => until = Some(read_instant(next("a time")?)?),
                _ if word.contains('=') => match word.strip_prefix("sensor=") {
                    Some(name) => sensor = Some(name.to_owned()),
                    None => {
                        filters.push(word.parse::<Filter>()?);
                        conditions.push(word.to_owned());
                    }
                },
                _ if view.is_some() => return Err(format!("{word:?} is no condition; {HELP}")),
                "event" => view = Some(View::Event(next("its identifier")?.to_owned())),
                "server" => view = Some(View::Server(server(next("IP:PORT")?)?)),
                _ => view = Some(named(word)?),
            }
        }
        if last_s.is_some() && since.is_some() {
            return Err("last and since exclude each other".to_owned());
        }
        let to = until.unwrap_or(now);
        let span_ns = last_s.unwrap_or(LAST_S).saturating_mul(1_000_000_000);
        let from = since.unwrap_or(UtcTime(to.0.saturating_sub(span_ns)));
        if from >= to {
            return Err(format!("{from} is not before {to}"));
        }
        let ask = Ask { from, to, filters, sensor, limit: 20, offset: 0 };
        Ok(Self { view: view.unwrap_or(View::Overview), ask, conditions })
    }

    /// The same with so many rows.
    pub(super) fn paged(mut self, limit: usize, offset: usize) -> Self {
        (self.ask.limit, self.ask.offset) = (limit, offset);
        self
    }
}

fn named(word: &str) -> Result<View, String> {
    Ok(match word {
        "overview" => View::Overview,
        "servers" => View::Servers,
        "events" => View::Events,
        "idle" => View::Idle,
        "bursts" => View::Bursts,
        "devices" => View::Devices,
        "sensors" => View::Sensors,
        "disagreements" => View::Disagreements,
        _ => return Err(format!("{word:?} is no view; {HELP}")),
    })
}

fn server(text: &str) -> Result<ServerRange, String> {
    read_server(text).ok_or_else(|| {
        format!("{text:?} is no server; write 10.0.0.5:443, [2001:db8::1]:443 or 10.0.0.0/24")
    })
}

const HELP: &str = "views are overview, servers, server IP:PORT, events, event ID, idle, bursts, devices, \
sensors, disagreements; conditions are KEY=VALUE, last 24h, since TIME, until TIME";

const LAST_S: u64 = 86_400;

#[cfg(test)]
mod tests {
    use events::UtcTime;

    use super::{View, Words};

    const NOW: UtcTime = UtcTime(1_790_000_000_000_000_000);

    #[test]
    fn view_conditions_and_time_come_in_any_order() {
        let words =
            Words::read("server=10.0.0.5:443 last 2h events sensor=a impact!=benign", NOW).unwrap();
        assert_eq!(words.view, View::Events);
        assert_eq!(words.conditions, ["server=10.0.0.5:443", "impact!=benign"]);
        assert_eq!((words.ask.sensor.as_deref(), words.ask.to), (Some("a"), NOW));
        assert_eq!(NOW.0 - words.ask.from.0, 7200 * 1_000_000_000);
        let words =
            Words::read("since 2026-01-01T00:00:00Z until 2026-01-02T00:00:00Z", NOW).unwrap();
        assert_eq!(words.view, View::Overview);
        assert_eq!(words.ask.to.0 - words.ask.from.0, 86_400 * 1_000_000_000);
        assert_eq!(Words::read("event 00ff", NOW).unwrap().view, View::Event("00ff".to_owned()));
    }

    #[test]
    fn what_cannot_be_meant_is_refused_with_the_choices() {
        for (text, expected) in [
            ("server", "wants IP:PORT"),
            ("sevrers", "views are overview"),
            ("servers events", "is no condition"),
            ("last", "wants a span"),
            ("last week", "is no span"),
            ("since yesterday", "in UTC"),
            ("last 1h since 2026-01-01T00:00:00Z", "exclude"),
            ("cause=idle", "idle_timeout_endpoint"),
            ("since 2100-01-01T00:00:00Z", "is not before"),
        ] {
            let error = Words::read(text, NOW).unwrap_err();
            assert!(error.contains(expected), "{text}: {error}");
        }
    }
}
