//! All servers of a question, kept for some seconds: whoever scrolls, sorts or searches asks for parts of the
//! same list again and again.

use std::cmp::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::range;
use crate::history::{Ask, ServerList, ServerSummary};
use crate::past::{NoAnswer, Past};

/// The last lists.
#[derive(Debug, Default)]
pub(crate) struct Lists(Mutex<Vec<Kept>>);

#[derive(Debug)]
struct Kept {
    ask: Ask,
    until: Instant,
    list: Arc<ServerList>,
}

/// What a list is sorted by.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Order {
    column: Column,
    is_descending: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Column {
    Server,
    Harmful,
    Connections,
    Share,
    Aborted,
    Refused,
    Clients,
    Last,
}

impl Order {
    /// # Errors
    /// There is no such column; says which there are.
    pub(crate) fn of(text: Option<&str>) -> Result<Self, String> {
        let text = text.unwrap_or("-harmful");
        let (name, is_descending) = match text.strip_prefix('-') {
            Some(name) => (name, true),
            None => (text, false),
        };
        let column = COLUMNS.iter().find(|(known, _)| *known == name).map(|(_, column)| *column);
        let column = column.ok_or_else(|| {
            let names: Vec<&str> = COLUMNS.iter().map(|(name, _)| *name).collect();
            format!(
                "no column {name:?} to sort by; there are {}, with - before it for descending",
                names.join(", ")
            )
        })?;
        Ok(Self { column, is_descending })
    }

    fn compare(self, a: &ServerSummary, b: &ServerSummary) -> Ordering {
        let by = match self.column {
            Column::Server => Ordering::Equal,
            Column::Harmful => a.resets.harmful().cmp(&b.resets.harmful()),
            Column::Connections => attempts(a).cmp(&attempts(b)),
            // Cross products: no rounding makes two of one share.
            Column::Share => (u128::from(a.resets.harmful()) * u128::from(attempts(b)))
                .cmp(&(u128::from(b.resets.harmful()) * u128::from(attempts(a)))),
            Column::Aborted => a.resets.aborted.cmp(&b.resets.aborted),
            Column::Refused => a.resets.refused.cmp(&b.resets.refused),
            Column::Clients => a.clients.cmp(&b.clients),
            Column::Last => a.last.cmp(&b.last),
        };
        let by = if self.is_descending { by.reverse() } else { by };
        let is_by_name_down = self.column == Column::Server && self.is_descending;
        let by_name = a.server.cmp(&b.server);
        by.then(if is_by_name_down { by_name.reverse() } else { by_name })
    }
}

impl Lists {
    /// Rows of the list from `ask.offset` on, sorted, of those whose name holds `search`.
    ///
    /// # Errors
    /// The store has no answer.
    pub(crate) fn part(
        &self,
        past: &dyn Past,
        ask: &Ask,
        order: Order,
        search: Option<&str>,
    ) -> Result<ServerList, NoAnswer> {
        let list = self.whole(past, ask)?;
        let fits = |row: &&ServerSummary| {
            search.is_none_or(|text| range::write(&row.server).contains(text))
        };
        let mut rows: Vec<&ServerSummary> = list.rows.iter().filter(fits).collect();
        let total = if search.is_some() { rows.len() as u64 } else { list.total };
        rows.sort_by(|a, b| order.compare(a, b));
        let rows = rows.into_iter().skip(ask.offset).take(ask.limit).cloned().collect();
        Ok(ServerList { total, rows })
    }

    fn whole(&self, past: &dyn Past, ask: &Ask) -> Result<Arc<ServerList>, NoAnswer> {
        let all = Ask { limit: SERVERS_MAX, offset: 0, ..ask.clone() };
        let now = Instant::now();
        let known = {
            let mut kept = self.kept();
            kept.retain(|list| list.until > now);
            kept.iter().find(|list| list.ask == all).map(|list| Arc::clone(&list.list))
        };
        if let Some(list) = known {
            return Ok(list);
        }
        let list = Arc::new(past.servers(&all)?);
        let mut kept = self.kept();
        if kept.len() >= LISTS_MAX {
            kept.remove(0);
        }
        kept.push(Kept { ask: all, until: Instant::now() + LIFE, list: Arc::clone(&list) });
        Ok(list)
    }

    /// Nothing under the lock can leave it half done.
    fn kept(&self) -> std::sync::MutexGuard<'_, Vec<Kept>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

const fn attempts(row: &ServerSummary) -> u64 {
    row.connections.opened + row.connections.midstream
}

const COLUMNS: &[(&str, Column)] = &[
    ("server", Column::Server),
    ("harmful", Column::Harmful),
    ("connections", Column::Connections),
    ("share", Column::Share),
    ("aborted", Column::Aborted),
    ("refused", Column::Refused),
    ("clients", Column::Clients),
    ("last", Column::Last),
];

/// Rows of a list that is kept; some 400 bytes each.
const SERVERS_MAX: usize = 100_000;
const LISTS_MAX: usize = 2;
/// As long as questions that end "now" stay the same.
const LIFE: Duration = Duration::from_secs(10);
