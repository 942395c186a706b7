//! Primary resets of a run, counted by who, why, what it cost and where.

use classifiers::{Cause, Impact, Origin};
use events::{Endpoint, GroupCount};
use hashbrown::HashMap;

/// What primary resets are counted by.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Group {
    pub(crate) origin: Origin,
    pub(crate) cause: Cause,
    pub(crate) impact: Impact,
    pub(crate) server: Endpoint,
}

/// The counts; bounded.
#[derive(Debug)]
pub(crate) struct Groups {
    groups: HashMap<Group, u64>,
    ungrouped: u64,
}

impl Groups {
    pub(crate) fn new() -> Self {
        Self { groups: HashMap::with_capacity(GROUPS_MAX), ungrouped: 0 }
    }

    pub(crate) const fn memory_bytes() -> usize {
        GROUPS_MAX * (size_of::<(Group, u64)>() + 1) * 8 / 7
    }

    /// Resets for whose group there was no room.
    pub(crate) const fn unlisted(&self) -> u64 {
        self.ungrouped
    }

    /// Counts one more of a group.
    pub(crate) fn count(&mut self, group: &Group) {
        if let Some(count) = self.groups.get_mut(group) {
            *count += 1;
        } else if self.groups.len() < GROUPS_MAX {
            self.groups.insert(*group, 1);
        } else {
            self.ungrouped += 1;
        }
    }

    /// All groups, the largest first.
    pub(crate) fn by_count(&self) -> Vec<GroupCount> {
        let mut groups: Vec<GroupCount> = self
            .groups
            .iter()
            .map(|(&Group { origin, cause, impact, server }, &count)| GroupCount {
                origin,
                cause,
                impact,
                server,
                count,
            })
            .collect();
        groups.sort_by_key(|group| {
            (std::cmp::Reverse(group.count), group.origin, group.cause, group.server)
        });
        groups
    }
}

/// Groups of resets that are counted apart; a scan makes more, and those are counted together.
const GROUPS_MAX: usize = 1 << 14;
