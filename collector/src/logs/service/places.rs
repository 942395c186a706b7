//! Places of connections: so many in all, so many for each sender, and none for those who say nothing.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::logs::options::LogOptions;

/// What connections of all listeners may take together.
#[derive(Debug)]
pub(super) struct Places {
    free: Arc<Semaphore>,
    of_sender: usize,
    /// Time in which a connection must send its first line.
    pub(super) first_line: Duration,
    taken: Mutex<HashMap<IpAddr, usize>>,
}

/// One of them; given back when dropped.
#[derive(Debug)]
pub(super) struct Place {
    places: Arc<Places>,
    sender: IpAddr,
    /// Nothing while it is waited for.
    permit: Option<OwnedSemaphorePermit>,
}

impl Places {
    pub(super) fn new(options: &LogOptions) -> Self {
        Self {
            free: Arc::new(Semaphore::new(options.connections.max(1))),
            of_sender: options.connections_per_sender.max(1),
            first_line: Duration::from_secs(options.first_line_s.max(1)),
            taken: Mutex::default(),
        }
    }

    /// Waits for a place; nothing if this sender has all that are his.
    pub(super) async fn take(self: &Arc<Self>, peer: IpAddr) -> Option<Place> {
        let mut place = self.promise(sender_of(peer))?;
        let permit = Arc::clone(&self.free).acquire_owned().await;
        place.permit = Some(permit.expect("nobody closes the places"));
        Some(place)
    }

    /// Whether a connection is over: it has said nothing for so long, ever or since its last line.
    pub(super) fn is_over(&self, has_spoken: bool, silent: Duration) -> bool {
        let limit = match (has_spoken, self.free.available_permits()) {
            (false, _) => self.first_line,
            (true, 0) => SILENCE_WHILE_FULL,
            (true, _) => SILENCE_MAX,
        };
        silent >= limit
    }

    fn promise(self: &Arc<Self>, sender: IpAddr) -> Option<Place> {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let count = taken.entry(sender).or_default();
        if *count >= self.of_sender {
            return None;
        }
        *count += 1;
        Some(Place { places: Arc::clone(self), sender, permit: None })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.places.taken.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = taken.get_mut(&self.sender) {
            *count -= 1;
            if *count == 0 {
                taken.remove(&self.sender);
            }
        }
    }
}

/// An address; of IPv6 the network of a host, which may have as many addresses as it likes.
fn sender_of(peer: IpAddr) -> IpAddr {
    match peer.to_canonical() {
        IpAddr::V6(ip) => Ipv6Addr::from_bits(ip.to_bits() >> 64 << 64).into(),
        ip @ IpAddr::V4(_) => ip,
    }
}

/// Firewalls keep a connection open over a quiet night; longer ones are dead.
const SILENCE_MAX: Duration = Duration::from_secs(24 * 3600);

/// While others wait for a place, whoever is silent for so long gives way: it can come again.
const SILENCE_WHILE_FULL: Duration = Duration::from_secs(600);

#[cfg(test)]
mod tests {
    use std::net::IpAddr;
    use std::sync::Arc;
    use std::time::Duration;

    use super::{LogOptions, Places};

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[tokio::test]
    async fn one_sender_cannot_take_all_places_and_gives_back_what_it_had() {
        let options =
            LogOptions { connections: 3, connections_per_sender: 2, ..LogOptions::default() };
        let places = Arc::new(Places::new(&options));
        let one = places.take(ip("10.0.0.1")).await.unwrap();
        let two = places.take(ip("::ffff:10.0.0.1")).await.unwrap();
        assert!(places.take(ip("10.0.0.1")).await.is_none());
        let other = places.take(ip("2001:db8::1")).await.unwrap();
        // All are taken: the next one waits, and whoever gives up waiting leaves nothing behind.
        let waiting = places.take(ip("2001:db8::2"));
        assert!(tokio::time::timeout(Duration::from_millis(1), waiting).await.is_err());
        drop((one, two, other));
        assert!(places.taken.lock().unwrap().is_empty());
        assert_eq!(places.free.available_permits(), 3);
    }

    #[tokio::test]
    async fn silence_is_borne_longer_where_nobody_waits() {
        let options = LogOptions { connections: 1, ..LogOptions::default() };
        let places = Arc::new(Places::new(&options));
        let is_over =
            |has_spoken, seconds| places.is_over(has_spoken, Duration::from_secs(seconds));
        assert!(is_over(false, 60) && !is_over(false, 59));
        assert!(!is_over(true, 23 * 3600) && is_over(true, 24 * 3600));
        let _place = places.take(ip("10.0.0.1")).await;
        assert!(is_over(true, 600) && !is_over(true, 599));
    }
}
