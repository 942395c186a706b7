//! One minute while it is counted, and the guard that bounds its rows.
//!
//! A scan makes a key of every port it tries. So a key has a row of its own while there is room: half of
//! the room is for servers that nobody was seen to reach, seven eighths for all, and what is beyond goes
//! to the row of its network (/24, IPv6 /48, any port), or, where these are too many, to the one row of
//! all addresses. Counts are right in every case; `overflow` says how many resets are in wider rows.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use classifiers::Stage;
use events::{Connections, ServerRange, TOP_CLIENTS};
use hashbrown::HashMap;

use super::fact::Fact;
use super::row::{Key, Row};
use super::scans::Scans;
use super::tallies::Tally;
use super::{CELL_BYTES, MinuteOptions, Snapshot};

/// A minute that is not told yet.
#[derive(Debug)]
pub(super) struct Open {
    keys_max: usize,
    pub(super) rows: HashMap<Key, Row>,
    pub(super) services: HashMap<ServerRange, Connections>,
    pub(super) scans: Scans,
    /// All of them, those of no row included.
    pub(super) connections: Connections,
    pub(super) overflow: u64,
    /// Findings of it that are on hold.
    pub(super) held: u64,
    /// What was true at its end.
    pub(super) end: Option<End>,
}

/// What the end of a minute shows.
#[derive(Debug)]
pub(super) struct End {
    pub(super) snapshot: Snapshot,
    pub(super) losses: BTreeMap<String, u64>,
}

impl Open {
    pub(super) fn new(keys_max: usize) -> Self {
        Self {
            keys_max: keys_max.max(KEYS_LEAST),
            rows: HashMap::new(),
            services: HashMap::new(),
            scans: Scans::default(),
            connections: Connections::default(),
            overflow: 0,
            held: 0,
            end: None,
        }
    }

    /// Bytes of a full minute without what its rows add to their fixed size.
    pub(super) const fn memory_bytes(options: &MinuteOptions) -> usize {
        let (row, service) = (size_of::<(Key, Row)>(), size_of::<(ServerRange, Connections)>());
        // A hash table doubles at seven eighths: a third over what it holds, on average. Eight named
        // clients a row are counted as well.
        let lists = TOP_CLIENTS * size_of::<(IpAddr, u64)>() + Row::CELLS_LEAST * CELL_BYTES;
        let fixed = (row + service) * 4 / 3 + lists;
        options.keys_max * fixed + Scans::memory_bytes()
    }

    /// Rows of both kinds.
    pub(super) fn len(&self) -> usize {
        self.rows.len() + self.services.len()
    }

    /// Cells taken by what grows in its rows.
    pub(super) fn cells(&self) -> usize {
        self.rows.values().map(Row::cells).sum()
    }

    /// Counts a reset; gives the cells that it took.
    pub(super) fn add(&mut self, fact: &Fact, has_room: bool) -> usize {
        let exact = Key::of(fact, fact.server.into());
        if let Some(row) = self.rows.get_mut(&exact) {
            return row.add(fact, has_room);
        }
        // Nothing was seen of the server but, at most, that it refused.
        let is_proved = !matches!(fact.stage, Stage::PostSyn | Stage::None);
        let key = if self.rows.len() < self.exact_max(is_proved) {
            exact
        } else {
            self.overflow += 1;
            self.scans.add(fact.client);
            let wide = Key::of(fact, network_of(fact.server.ip));
            let has_place = self.rows.len() < self.keys_max || self.rows.contains_key(&wide);
            if has_place { wide } else { Key::of(fact, all_like(fact.server.ip)) }
        };
        self.rows.entry(key).or_default().add(fact, has_room)
    }

    /// Counts connections of a server, or of one that is not known.
    pub(super) fn count(&mut self, server: Option<flowtable::Endpoint>, tally: Tally) {
        add(&mut self.connections, tally);
        let Some(server) = server.map(crate::telling::end) else { return };
        let exact = ServerRange::from(server);
        if let Some(service) = self.services.get_mut(&exact) {
            return add(service, tally);
        }
        let range = if self.services.len() < self.exact_max(tally.is_served()) {
            exact
        } else {
            let wide = network_of(server.ip);
            let is_known = self.services.contains_key(&wide);
            if is_known || self.services.len() < self.keys_max { wide } else { all_like(server.ip) }
        };
        add(self.services.entry(range).or_default(), tally);
    }

    /// The clock has left it: `before` was true when it began.
    pub(super) fn end(&mut self, before: &Snapshot, now: &Snapshot) {
        let grown = |now: u64, before: u64| now.saturating_sub(before);
        let (then, these) = (&before.connections, &now.connections);
        self.connections.timed_out += grown(these.timed_out, then.timed_out);
        self.connections.unanswered += grown(these.unanswered, then.unanswered);
        self.connections.still_open = these.still_open;
        let before = &before.status.losses;
        let losses = now.status.losses.iter().map(|(name, &count)| {
            (name.clone(), grown(count, before.get(name).copied().unwrap_or(0)))
        });
        let mut losses: BTreeMap<_, _> = losses.filter(|(_, count)| *count > 0).collect();
        if let Some(earlier) = self.end.take() {
            // A clock that was set back came here before.
            for (name, count) in earlier.losses {
                *losses.entry(name).or_default() += count;
            }
        }
        self.end = Some(End { snapshot: now.clone(), losses });
    }

    const fn exact_max(&self, is_proved: bool) -> usize {
        if is_proved { self.keys_max - self.keys_max / 8 } else { self.keys_max / 2 }
    }
}

fn add(sum: &mut Connections, tally: Tally) {
    sum.opened += u64::from(tally.opened);
    sum.midstream += u64::from(tally.midstream);
    sum.established += u64::from(tally.established);
    sum.closed_well += u64::from(tally.closed_well);
    sum.reset += u64::from(tally.reset);
}

/// The network of a server, as wide as sites usually have one.
fn network_of(ip: IpAddr) -> ServerRange {
    let (ip, prefix) = match ip {
        IpAddr::V4(v4) => (IpAddr::V4(Ipv4Addr::from_bits(v4.to_bits() & !0xff)), 24),
        IpAddr::V6(v6) => (IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() >> 80 << 80)), 48),
    };
    ServerRange { ip, port: None, prefix: Some(prefix) }
}

/// All addresses of its family.
const fn all_like(ip: IpAddr) -> ServerRange {
    let ip = match ip {
        IpAddr::V4(_) => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        IpAddr::V6(_) => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
    };
    ServerRange { ip, port: None, prefix: Some(0) }
}

/// Fewer rows than that are no room to sort a scan in.
const KEYS_LEAST: usize = 16;
