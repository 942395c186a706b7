//! Every server of one sensor in one step with its counts, in one body of about 25 bytes a server.
//!
//! Rows of a table cost SQLite about a microsecond each, these some tens of nanoseconds: so that tables of
//! servers over a month are answered while a person waits, though there are thousands of servers.

use std::collections::{BTreeMap, HashMap};

use events::{Connections, Minute, ServerRange};

use super::bytes::{In, Out, add_connections};
use super::group::Group;
use super::words::Words;

/// A server in a step; `N` is what kinds of resets are called.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Cell<N = Group> {
    pub(super) connections: Connections,
    /// The last minute with a reset, in minutes since the Unix epoch; 0 for none.
    pub(super) last_minute: u64,
    /// Different clients in the minute that had the most: so many there were at least.
    pub(super) clients_least: u64,
    /// Resets by kind.
    pub(super) groups: Vec<(N, u64)>,
}

/// All servers of a step.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Matrix {
    pub(super) servers: BTreeMap<ServerRange, Cell>,
}

impl<N> Default for Cell<N> {
    fn default() -> Self {
        let connections = Connections::default();
        Self { connections, last_minute: 0, clients_least: 0, groups: Vec::new() }
    }
}

impl Cell {
    fn merge(&mut self, other: &Self) {
        add_connections(&mut self.connections, &other.connections);
        self.last_minute = self.last_minute.max(other.last_minute);
        self.clients_least = self.clients_least.max(other.clients_least);
        for (group, count) in &other.groups {
            self.add(*group, *count);
        }
    }

    fn add(&mut self, group: Group, count: u64) {
        match self.groups.iter_mut().find(|(known, _)| *known == group) {
            Some((_, sum)) => *sum = sum.saturating_add(count),
            None => self.groups.push((group, count)),
        }
    }
}

impl Matrix {
    /// Of a minute.
    pub(super) fn of(minute: &Minute, words: &Words) -> Self {
        let mut matrix = Self::default();
        let last_minute = minute.start.0 / 60_000_000_000;
        for row in &minute.rows {
            let cell = matrix.servers.entry(row.server).or_default();
            cell.add(Group::of(row, words), row.count);
            cell.last_minute = last_minute;
            cell.clients_least = cell.clients_least.max(row.clients.count());
        }
        for row in &minute.services {
            let cell = matrix.servers.entry(row.server).or_default();
            add_connections(&mut cell.connections, &row.connections);
        }
        matrix
    }

    /// Adds another one.
    pub(super) fn merge(&mut self, other: &Self) {
        for (server, cell) in &other.servers {
            self.servers.entry(*server).or_default().merge(cell);
        }
    }

    pub(super) fn write(&self) -> Vec<u8> {
        let mut names: Vec<Group> = Vec::new();
        let mut places: HashMap<Group, u64, foldhash::fast::RandomState> = HashMap::default();
        let mut cells = Out::default();
        for (server, cell) in &self.servers {
            let mut one = Out::default();
            one.connections(&cell.connections);
            one.number(cell.last_minute);
            one.number(cell.clients_least);
            one.number(cell.groups.len() as u64);
            for (group, count) in &cell.groups {
                let place = *places.entry(*group).or_insert_with(|| {
                    names.push(*group);
                    names.len() as u64 - 1
                });
                one.number(place);
                one.number(*count);
            }
            cells.server(*server);
            cells.bytes(&one.0);
        }
        let mut out = Out::default();
        out.byte(VERSION);
        out.number(names.len() as u64);
        for name in &names {
            out.number(name.to_number());
        }
        out.number(self.servers.len() as u64);
        out.0.extend_from_slice(&cells.0);
        out.0
    }

    /// Of what [`Matrix::write`] gave.
    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        let mut matrix = Self::default();
        let body = Body::read(bytes)?;
        body.walk(
            &body.groups,
            |_| true,
            |server, cell| {
                matrix.servers.insert(server, cell.clone());
            },
        )?;
        Some(matrix)
    }
}

/// What [`Matrix::write`] gave, to go through.
pub(super) struct Body<'b> {
    /// The kinds of resets in it.
    pub(super) groups: Vec<Group>,
    servers: In<'b>,
}

impl<'b> Body<'b> {
    /// `None` if it is none.
    pub(super) fn read(bytes: &'b [u8]) -> Option<Self> {
        let mut from = In(bytes);
        if from.byte()? != VERSION {
            return None;
        }
        let mut groups = Vec::new();
        for _ in 0..from.len()? {
            groups.push(Group::from_number(from.number()?));
        }
        Some(Self { groups, servers: from })
    }

    /// Goes through the servers in their order, reading those that are `wanted`; what stands in `names` at a
    /// group's place is what it is called in cells.
    pub(super) fn walk<N: Copy>(
        &self,
        names: &[N],
        wanted: impl Fn(ServerRange) -> bool,
        mut take: impl FnMut(ServerRange, &Cell<N>),
    ) -> Option<()> {
        let mut from = self.servers;
        let mut cell = Cell::default();
        for _ in 0..from.len()? {
            let server = from.server()?;
            let body = from.bytes()?;
            if wanted(server) {
                cell.read(In(body), names)?;
                take(server, &cell);
            }
        }
        Some(())
    }
}

impl<N: Copy> Cell<N> {
    fn read(&mut self, mut from: In<'_>, names: &[N]) -> Option<()> {
        self.connections = from.connections()?;
        self.last_minute = from.number()?;
        self.clients_least = from.number()?;
        self.groups.clear();
        for _ in 0..from.len()? {
            let name = *names.get(usize::try_from(from.number()?).ok()?)?;
            self.groups.push((name, from.number()?));
        }
        Some(())
    }
}

const VERSION: u8 = 1;
