//! In which order servers are listed, and which of them.

use std::cmp::Ordering;

use events::{Connections, ServerRange};

use crate::impacts::ImpactCounts;
use crate::server::range;

/// A column to sort by and a text to look for.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct ServerOrder {
    column: Column,
    is_ascending: bool,
    /// Part of the server's name.
    search: Option<String>,
}

/// What a server is ranked by.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Ranked<'r> {
    /// Which.
    pub server: &'r ServerRange,
    /// Its resets.
    pub resets: &'r ImpactCounts,
    /// Its connections.
    pub connections: &'r Connections,
    /// Its last reset, in whichever unit.
    pub last: u64,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
enum Column {
    #[default]
    Harmful,
    Server,
    Connections,
    Share,
    Aborted,
    Refused,
    Last,
}

impl ServerOrder {
    /// Reads `-share`: a column, `-` before it for descending.
    ///
    /// # Errors
    /// There is no such column; says which there are.
    pub fn read(sort: Option<&str>, search: Option<String>) -> Result<Self, String> {
        let text = sort.unwrap_or("-harmful");
        let (name, is_ascending) = match text.strip_prefix('-') {
            Some(name) => (name, false),
            None => (text, true),
        };
        let known = COLUMNS.iter().find(|(known, _)| *known == name);
        let Some((_, column)) = known else {
            let names: Vec<&str> = COLUMNS.iter().map(|(name, _)| *name).collect();
            return Err(format!(
                "no column {name:?} to sort by; there are {}, with - before it for descending",
                names.join(", ")
            ));
        };
        Ok(Self { column: *column, is_ascending, search })
    }

    /// Whether a server is among those looked for.
    #[must_use]
    pub fn holds(&self, server: &ServerRange) -> bool {
        self.search.as_ref().is_none_or(|text| range::write(server).contains(text))
    }

    /// Which comes first; never equal for two servers.
    #[must_use]
    pub fn compare(&self, left: Ranked<'_>, right: Ranked<'_>) -> Ordering {
        let of = |of: fn(Ranked<'_>) -> u64| of(left).cmp(&of(right));
        let by = match self.column {
            Column::Harmful => of(|row| row.resets.harmful()).then(of(|row| row.resets.total())),
            Column::Server => left.server.cmp(right.server),
            Column::Connections => of(attempts),
            // Cross products: no rounding makes two of one share.
            Column::Share => (u128::from(left.resets.harmful()) * u128::from(attempts(right)))
                .cmp(&(u128::from(right.resets.harmful()) * u128::from(attempts(left)))),
            Column::Aborted => of(|row| row.resets.aborted),
            Column::Refused => of(|row| row.resets.refused),
            Column::Last => of(|row| row.last),
        };
        let by = if self.is_ascending { by } else { by.reverse() };
        by.then_with(|| left.server.cmp(right.server))
    }
}

const fn attempts(row: Ranked<'_>) -> u64 {
    row.connections.opened + row.connections.midstream
}

const COLUMNS: &[(&str, Column)] = &[
    ("harmful", Column::Harmful),
    ("server", Column::Server),
    ("connections", Column::Connections),
    ("share", Column::Share),
    ("aborted", Column::Aborted),
    ("refused", Column::Refused),
    ("last", Column::Last),
];

#[cfg(test)]
mod tests {
    use events::{Connections, ServerRange};

    use super::{Ranked, ServerOrder};
    use crate::impacts::ImpactCounts;

    #[test]
    fn servers_stand_in_the_order_that_was_asked_for() {
        let server =
            |last| ServerRange { ip: [10, 0, 0, last].into(), port: Some(443), prefix: None };
        let made = |last, aborted, opened| {
            let resets = ImpactCounts { aborted, ..ImpactCounts::default() };
            (server(last), resets, Connections { opened, ..Connections::default() })
        };
        // Nobody was opened of the third: its share is the greatest.
        let rows = [made(1, 5, 10), made(2, 9, 90), made(3, 1, 0), made(4, 9, 90)];
        let sorted = |sort: &str| {
            let order = ServerOrder::read(Some(sort), None).unwrap();
            let mut rows = rows;
            rows.sort_by(|a, b| {
                let a = Ranked { server: &a.0, resets: &a.1, connections: &a.2, last: 0 };
                let b = Ranked { server: &b.0, resets: &b.1, connections: &b.2, last: 0 };
                order.compare(a, b)
            });
            rows.map(|row| row.0)
        };
        assert_eq!(sorted("-harmful"), [2, 4, 1, 3].map(server));
        assert_eq!(sorted("harmful"), [3, 1, 2, 4].map(server));
        assert_eq!(sorted("-share"), [3, 1, 2, 4].map(server));
        assert_eq!(sorted("-server"), [4, 3, 2, 1].map(server));
        assert!(ServerOrder::read(Some("colour"), None).unwrap_err().contains("share"));
        let some = ServerOrder::read(None, Some("0.0.3:".into())).unwrap();
        assert!(some.holds(&server(3)) && !some.holds(&server(4)));
    }
}
