//! The clients of a row while it grows: most rows have few.

use std::net::IpAddr;

use events::Clients;

/// Registers of [`Clients`] in a sorted list while they are few.
#[derive(Clone, Debug)]
pub(super) enum FewClients {
    /// Register and rank, 4 bytes each.
    Few(Vec<(u16, u8)>),
    /// All registers.
    Many(Box<Clients>),
}

impl Default for FewClients {
    fn default() -> Self {
        Self::Few(Vec::new())
    }
}

impl FewClients {
    /// Adds one; gives the cells (8 bytes) that this took. Without `has_room` only registers that are
    /// there grow: the count is then too low.
    pub(super) fn add(&mut self, client: IpAddr, has_room: bool) -> usize {
        let before = self.cells();
        match self {
            Self::Many(clients) => clients.add(client),
            Self::Few(few) => {
                let (index, rank) = Clients::register(client);
                match few.binary_search_by_key(&index, |(known, _)| *known) {
                    Ok(place) => few[place].1 = few[place].1.max(rank),
                    Err(_) if !has_room => {}
                    Err(place) if few.len() < FEW_MAX => few.insert(place, (index, rank)),
                    Err(_) => {
                        let mut clients = Clients::of_few(few.iter().copied());
                        clients.add(client);
                        *self = Self::Many(Box::new(clients));
                    }
                }
            }
        }
        self.cells() - before
    }

    /// Room taken, in cells of 8 bytes.
    pub(super) fn cells(&self) -> usize {
        match self {
            Self::Few(few) => few.capacity().div_ceil(2),
            Self::Many(_) => Clients::REGISTERS / 8 + 4,
        }
    }

    /// As told.
    pub(super) fn clients(&self) -> Clients {
        match self {
            Self::Few(few) => Clients::of_few(few.iter().copied()),
            Self::Many(clients) => (**clients).clone(),
        }
    }
}

/// A power of two, as lists grow; half of what all registers take.
const FEW_MAX: usize = 128;
