//! `KEY=VALUE[,VALUE]`: which resets are meant. One grammar for the command, the API and the screen.

use std::net::IpAddr;
use std::str::FromStr;

use crate::event::{Endpoint, Event};
use crate::minute::ServerRange;
use crate::network::Network;
use classifiers::{Cause, Effect, Impact, Origin, Role, Stage};

/// One condition; several must all hold. Read from text, an error says what there is to choose from.
///
/// ```
/// let filter: events::Filter = "origin!=client,server".parse().unwrap();
/// assert!("impact=lost".parse::<events::Filter>().unwrap_err().contains("aborted"));
/// assert!(!filter.is_about_role());
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Filter {
    key: Key,
    values: Vec<String>,
    /// `!=`: none of the values.
    negated: bool,
}

/// What is compared.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Key {
    Impact,
    Origin,
    Cause,
    Server,
    Client,
    Port,
    Stage,
    Effect,
    Role,
}

impl Filter {
    /// The name for all three kinds of middlebox.
    pub const MIDDLEBOX: &str = "middlebox";

    /// Whether `event` is among those meant.
    #[must_use]
    pub fn passes(&self, event: &Event) -> bool {
        self.values.iter().any(|value| self.key.matches(value, event)) != self.negated
    }

    /// Whether what is known of some resets is among those meant; `None` if it is asked about what is not
    /// known.
    #[must_use]
    pub fn passes_facts(&self, facts: &Facts) -> Option<bool> {
        let mut any = false;
        for value in &self.values {
            any |= self.key.matches_facts(value, facts)?;
        }
        Some(any != self.negated)
    }

    /// Whether counted minutes can answer it: they know neither clients nor effects, and primary resets only.
    #[must_use]
    pub fn is_of_minutes(&self) -> bool {
        !matches!(self.key, Key::Client | Key::Effect | Key::Role)
    }

    /// Whether it speaks of the server or its port, and so of connections that were not reset, too.
    #[must_use]
    pub fn is_about_server(&self) -> bool {
        matches!(self.key, Key::Server | Key::Port)
    }

    /// The servers that it names one by one, address and port; `None` if it means others, too.
    #[must_use]
    pub fn servers_named(&self) -> Option<Vec<Endpoint>> {
        if self.key != Key::Server || self.negated {
            return None;
        }
        let socket = |value: &String| value.parse::<std::net::SocketAddr>().ok();
        self.values
            .iter()
            .map(|value| socket(value).map(|at| Endpoint { ip: at.ip(), port: at.port() }))
            .collect()
    }

    /// What it compares, for stores that do so themselves.
    #[must_use]
    pub const fn subject(&self) -> &'static str {
        match self.key {
            Key::Impact => "impact",
            Key::Origin => "origin",
            Key::Cause => "cause",
            Key::Stage => "stage",
            Key::Effect => "effect",
            Key::Role => "role",
            Key::Server | Key::Port => "server",
            Key::Client => "client",
        }
    }

    /// What it compares with: one of them, or none of them if it [`Filter::is_negated`].
    #[must_use]
    pub fn terms(&self) -> Vec<Term<'_>> {
        let of = |value| match self.key {
            Key::Server | Key::Client => place(value).map(Place::term).into_iter().collect(),
            Key::Port => {
                let port = str::parse(value).ok();
                vec![Term::Place { first: None, last: None, bits: 0, port }]
            }
            Key::Origin if value == Self::MIDDLEBOX => {
                let devices = Origin::ALL.iter().filter(|origin| origin.is_device());
                devices.map(|origin| Term::Word(origin.name())).collect()
            }
            _ => vec![Term::Word(value)],
        };
        self.values.iter().flat_map(|value| of(value.as_str())).collect()
    }

    /// Whether it means whatever is none of its terms.
    #[must_use]
    pub const fn is_negated(&self) -> bool {
        self.negated
    }

    /// Whether it speaks of roles, so that the default of primary resets only does not apply.
    #[must_use]
    pub fn is_about_role(&self) -> bool {
        self.key == Key::Role
    }
}

/// One of the values of a [`Filter`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Term<'f> {
    /// A name of one of the lists.
    Word(&'f str),
    /// Addresses, a port, or both.
    Place {
        /// The lowest address, if any is named; of the same family as `last`.
        first: Option<IpAddr>,
        /// The highest.
        last: Option<IpAddr>,
        /// Leading bits that all of them share.
        bits: u8,
        /// The port, if one is named.
        port: Option<u16>,
    },
}

/// What a store knows of resets that it kept or counted, without the events themselves.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Facts {
    /// What they cost.
    pub impact: Impact,
    /// Who.
    pub origin: Origin,
    /// Why.
    pub cause: Cause,
    /// How far the connections had come.
    pub stage: Stage,
    /// To whom the connections went.
    pub server: ServerRange,
    /// Who opened them, where that is known.
    pub client: Option<Endpoint>,
    /// What they did, where that is known.
    pub effect: Option<Effect>,
    /// How they relate to other resets, where that is known.
    pub role: Option<Role>,
}

impl FromStr for Filter {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (key, values, negated) = match (text.split_once("!="), text.split_once('=')) {
            (Some((key, values)), _) => (key, values, true),
            (None, Some((key, values))) => (key, values, false),
            (None, None) => return Err(format!("{text:?} has no \"=\"; write KEY=VALUE")),
        };
        let key = Key::named(key.trim())?;
        let values: Vec<String> = values.split(',').map(|value| value.trim().to_owned()).collect();
        for value in &values {
            key.check(value)?;
        }
        Ok(Self { key, values, negated })
    }
}

impl Key {
    fn named(name: &str) -> Result<Self, String> {
        Ok(match name {
            "impact" => Self::Impact,
            "origin" => Self::Origin,
            "cause" => Self::Cause,
            "server" => Self::Server,
            "client" => Self::Client,
            "port" => Self::Port,
            "stage" => Self::Stage,
            "effect" => Self::Effect,
            "role" => Self::Role,
            _ => {
                return Err(format!(
                    "no key {name:?}; there are impact, origin, cause, server, client, port, stage, \
                     effect, role"
                ));
            }
        })
    }

    fn check(self, value: &str) -> Result<(), String> {
        let (known, names): (bool, Vec<&str>) = match self {
            Self::Impact => of_list(value, Impact::ALL.iter().map(|item| item.name())),
            Self::Origin => of_list(value, origin_names()),
            Self::Cause => of_list(value, Cause::ALL.iter().map(|item| item.name())),
            Self::Stage => of_list(value, Stage::ALL.iter().map(|item| item.name())),
            Self::Effect => of_list(value, Effect::ALL.iter().map(|item| item.name())),
            Self::Role => of_list(value, Role::ALL.iter().map(|item| item.name())),
            Self::Server | Self::Client => {
                return place(value).map(drop).ok_or_else(|| {
                    format!(
                        "{value:?} is no address; write IP, IP/BITS, IP:PORT, [IPv6]:PORT or :PORT"
                    )
                });
            }
            Self::Port => {
                return value.parse().map(|_: u16| ()).map_err(|_| {
                    format!("{value:?} is no port; write the server's, for example port=443")
                });
            }
        };
        if known { Ok(()) } else { Err(format!("no {value:?}; there are {}", names.join(", "))) }
    }

    fn matches(self, value: &str, event: &Event) -> bool {
        let verdict = &event.verdict;
        match self {
            Self::Impact => verdict.impact.name() == value,
            Self::Origin => is_origin(verdict.origin, value),
            Self::Cause => verdict.cause.name() == value,
            Self::Stage => verdict.stage.name() == value,
            Self::Effect => verdict.effect.name() == value,
            Self::Role => verdict.role.name() == value,
            Self::Server => is_at(event.server, value),
            Self::Client => is_at(event.client, value),
            Self::Port => value.parse() == Ok(event.server.port),
        }
    }

    fn matches_facts(self, value: &str, facts: &Facts) -> Option<bool> {
        Some(match self {
            Self::Impact => facts.impact.name() == value,
            Self::Origin => is_origin(facts.origin, value),
            Self::Cause => facts.cause.name() == value,
            Self::Stage => facts.stage.name() == value,
            Self::Effect => facts.effect?.name() == value,
            Self::Role => facts.role?.name() == value,
            Self::Server => place(value).is_some_and(|place| place.holds(facts.server)),
            Self::Client => is_at(facts.client?, value),
            Self::Port => facts.server.port.is_some_and(|port| value.parse() == Ok(port)),
        })
    }
}

/// Whether `name` means `origin`; `middlebox` means any device in the path.
fn is_origin(origin: Origin, name: &str) -> bool {
    origin.name() == name || (name == Filter::MIDDLEBOX && origin.is_device())
}

fn origin_names() -> impl Iterator<Item = &'static str> {
    Origin::ALL.iter().map(|item| item.name()).chain([Filter::MIDDLEBOX])
}

fn of_list<'n>(value: &str, names: impl Iterator<Item = &'n str>) -> (bool, Vec<&'n str>) {
    let names: Vec<&str> = names.collect();
    (names.contains(&value), names)
}

/// Addresses, a port, or both.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Place {
    network: Option<Network>,
    port: Option<u16>,
}

impl Place {
    fn term(self) -> Term<'static> {
        let (first, last) = self.network.map(Network::ends).unzip();
        let bits = self.network.map_or(0, Network::bits);
        Term::Place { first, last, bits, port: self.port }
    }

    /// Whether all of `range` lies in it.
    fn holds(self, range: ServerRange) -> bool {
        let theirs = Network { ip: range.ip, prefix: range.prefix };
        self.network
            .is_none_or(|network| network.bits() <= theirs.bits() && network.holds(range.ip))
            && self.port.is_none_or(|port| range.port == Some(port))
    }
}

fn place(text: &str) -> Option<Place> {
    if let Some(port) = text.strip_prefix(':').and_then(|port| port.parse().ok()) {
        return Some(Place { network: None, port: Some(port) });
    }
    if let Ok(address) = text.parse::<std::net::SocketAddr>() {
        let network = Network { ip: address.ip(), prefix: None };
        return Some(Place { network: Some(network), port: Some(address.port()) });
    }
    let bare = |ip: &str| ip.trim_matches(['[', ']']).to_owned();
    let network = match text.split_once('/') {
        Some((ip, prefix)) => Network::read(&format!("{}/{prefix}", bare(ip)))?,
        None => Network::read(&bare(text))?,
    };
    Some(Place { network: Some(network), port: None })
}

fn is_at(endpoint: Endpoint, value: &str) -> bool {
    place(value).is_some_and(|place| {
        place.network.is_none_or(|network| network.holds(endpoint.ip))
            && place.port.is_none_or(|port| port == endpoint.port)
    })
}

#[cfg(test)]
mod tests {
    use crate::event::Endpoint;

    use super::{Filter, ServerRange, Term, is_at, place};

    #[test]
    fn a_filter_that_cannot_be_meant_is_refused_with_the_choices() {
        let cases = [
            ("impact", "has no \"=\""),
            ("colour=red", "no key \"colour\""),
            ("impact=abort", "aborted, refused, benign, unknown"),
            ("origin=middlebox_to", "middlebox_to_client"),
            ("server=example", "is no address"),
            ("server=10.0.0.0/33", "is no address"),
            ("client=2001:db8::/129", "is no address"),
            ("server=10.0.0.0/", "is no address"),
            ("port=https", "is no port"),
            ("port=65536", "is no port"),
        ];
        for (text, expected) in cases {
            let error = text.parse::<Filter>().unwrap_err();
            assert!(error.contains(expected), "{text}: {error}");
        }
        for text in [
            "impact=aborted,refused",
            "origin!=middlebox",
            "client=[2001:db8::1]:443",
            "port=443,80",
        ] {
            assert!(text.parse::<Filter>().is_ok(), "{text}");
        }
    }

    #[test]
    fn a_network_holds_what_shares_its_first_bits() {
        let at =
            |ip: &str, value: &str| is_at(Endpoint { ip: ip.parse().unwrap(), port: 443 }, value);
        for value in ["10.0.0.0/8", "10.200.0.0/16", "10.200.3.4/32", "0.0.0.0/0", "10.255.0.0/9"] {
            assert!(at("10.200.3.4", value), "{value}");
        }
        for value in ["11.0.0.0/8", "10.200.3.5/32", "::/0", "10.0.0.0/9"] {
            assert!(!at("10.200.3.4", value), "{value}");
        }
        assert!(at("2001:db8:ffff::1", "2001:db8::/32") && !at("2001:db9::1", "2001:db8::/32"));
        assert!(!at("10.0.0.1", "::ffff:10.0.0.0/104"), "families are kept apart");
    }

    #[test]
    fn a_range_of_servers_is_meant_only_as_a_whole() {
        let range = |port, prefix| ServerRange { ip: "10.0.0.0".parse().unwrap(), port, prefix };
        let meant = |value: &str, range| place(value).unwrap().holds(range);
        assert!(meant("10.0.0.0/8", range(None, Some(24))));
        assert!(!meant("10.0.0.0/28", range(None, Some(24))));
        assert!(!meant("10.0.0.0:443", range(None, None)), "many ports are not this one");
        assert!(meant("10.0.0.0", range(None, None)) && meant(":443", range(Some(443), None)));
        let named = |text: &str| text.parse::<Filter>().unwrap().servers_named();
        assert_eq!(named("server=10.0.0.5:443,[::1]:80").map(|servers| servers.len()), Some(2));
        assert!(named("server=10.0.0.5").is_none() && named("server!=10.0.0.5:443").is_none());
    }

    #[test]
    fn a_filter_comes_apart_into_what_it_compares() {
        let place = |first: Option<&str>, last: Option<&str>, bits, port| {
            let ip = |text: Option<&str>| text.map(|text| text.parse().unwrap());
            Term::Place { first: ip(first), last: ip(last), bits, port }
        };
        for (text, subject, terms) in [
            ("impact!=aborted,benign", "impact", vec![Term::Word("aborted"), Term::Word("benign")]),
            ("port=443", "server", vec![place(None, None, 0, Some(443))]),
            (
                "client=10.1.2.3/9,[2001:db8::1]:80",
                "client",
                vec![
                    place(Some("10.0.0.0"), Some("10.127.255.255"), 9, None),
                    place(Some("2001:db8::1"), Some("2001:db8::1"), 128, Some(80)),
                ],
            ),
            (
                "server=0.0.0.0/0,::/0",
                "server",
                vec![
                    place(Some("0.0.0.0"), Some("255.255.255.255"), 0, None),
                    place(Some("::"), Some("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"), 0, None),
                ],
            ),
        ] {
            let filter: Filter = text.parse().unwrap();
            assert_eq!((filter.subject(), filter.terms()), (subject, terms), "{text}");
            assert_eq!(filter.is_negated(), text.contains('!'));
        }
        let any: Filter = "origin=middlebox".parse().unwrap();
        assert!(
            any.terms().len() > 1
                && any
                    .terms()
                    .iter()
                    .all(|term| matches!(term, Term::Word(name) if name.starts_with("middlebox")))
        );
    }

    #[test]
    fn an_address_a_port_or_both_may_be_named() {
        let endpoint = Endpoint { ip: "10.0.0.5".parse().unwrap(), port: 443 };
        for value in ["10.0.0.5", "10.0.0.5:443", ":443"] {
            assert!(is_at(endpoint, value), "{value}");
        }
        for value in ["10.0.0.6", "10.0.0.5:80", ":80"] {
            assert!(!is_at(endpoint, value), "{value}");
        }
        let endpoint = Endpoint { ip: "2001:db8::1".parse().unwrap(), port: 443 };
        for value in ["2001:db8::1", "[2001:db8::1]", "[2001:db8::1]:443"] {
            assert!(is_at(endpoint, value), "{value}");
        }
    }
}
