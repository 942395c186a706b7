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

    /// The text that is looked for.
    pub(crate) fn search(&self) -> Option<&str> {
        self.search.as_deref()
    }

    /// The same order in SQL, of columns that are named as here; servers that are equal in it stand in their own.
    pub(crate) fn sql(&self) -> String {
        let harmful = "aborted + refused";
        let columns = match self.column {
            Column::Harmful => vec![harmful, "aborted + refused + benign + unknown"],
            // That is how all are ordered at last.
            Column::Server => vec![],
            Column::Connections => vec!["opened + midstream"],
            Column::Share => {
                vec!["if(aborted + refused = 0, 0, (aborted + refused) / (opened + midstream))"]
            }
            Column::Aborted => vec!["aborted"],
            Column::Refused => vec!["refused"],
            Column::Last => vec!["last_minute"],
        };
        let direction = if self.is_ascending { "ASC" } else { "DESC" };
        let server = if self.column == Column::Server { direction } else { "ASC" };
        let own = SERVER_ORDER.map(|column| format!("{column} {server}"));
        let columns = columns.into_iter().map(|column| format!("{column} {direction}"));
        columns.chain(own).collect::<Vec<_>>().join(", ")
    }

    /// Which comes first; never equal for two servers.
    #[must_use]
    pub fn compare(&self, left: Ranked<'_>, right: Ranked<'_>) -> Ordering {
        let of = |of: fn(Ranked<'_>) -> u64| of(left).cmp(&of(right));
        let by = match self.column {
            Column::Harmful => of(|row| row.resets.harmful()).then(of(|row| row.resets.total())),
            Column::Server => left.server.cmp(right.server),
            Column::Connections => of(attempts),
            Column::Share => by_share(left, right),
            Column::Aborted => of(|row| row.resets.aborted),
            Column::Refused => of(|row| row.resets.refused),
            Column::Last => of(|row| row.last),
        };
        let by = if self.is_ascending { by } else { by.reverse() };
        by.then_with(|| left.server.cmp(right.server))
    }
}

/// By cross products: no rounding makes two of one share. Nothing of nothing is no share: it would be equal to
/// every other, and what is equal to two that differ stands in no order.
fn by_share(left: Ranked<'_>, right: Ranked<'_>) -> Ordering {
    let of = |row: Ranked<'_>| match row.resets.harmful() {
        0 => (0, 1),
        harmful => (u128::from(harmful), u128::from(attempts(row))),
    };
    let ((left, left_of), (right, right_of)) = (of(left), of(right));
    (left * right_of).cmp(&(right * left_of))
}

const fn attempts(row: Ranked<'_>) -> u64 {
    row.connections.opened + row.connections.midstream
}

/// [`ServerRange`]'s own order where both families share a column: the older one first.
const SERVER_ORDER: [&str; 4] = [
    "server_ip < toIPv6('::ffff:0.0.0.0') OR server_ip > toIPv6('::ffff:255.255.255.255')",
    "server_ip",
    "server_port",
    "server_prefix",
];

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
        // A cycle, were the fourth of the share of each: harmless resets of connections that nobody counted.
        let made = |last, aborted, benign, opened| {
            let (_, _, connections) = made(last, 0, opened);
            (server(last), ImpactCounts { aborted, benign, ..ImpactCounts::default() }, connections)
        };
        let order = ServerOrder::read(Some("-share"), None).unwrap();
        let rows = [made(1, 1, 0, 10), made(2, 0, 1, 0), made(3, 5, 0, 10)];
        let of = |place: usize| {
            let (server, resets, connections) = &rows[place];
            Ranked { server, resets, connections, last: 0 }
        };
        for (first, second) in [(2, 0), (0, 1), (2, 1)] {
            assert!(order.compare(of(first), of(second)).is_lt(), "{first} before {second}");
        }
        let some = ServerOrder::read(None, Some("0.0.3:".into())).unwrap();
        assert!(some.holds(&server(3)) && !some.holds(&server(4)));
    }
}
