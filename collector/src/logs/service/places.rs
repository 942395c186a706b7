//! Places of connections: so many in all, so many for each sender, and while others wait none for those who say
//! nothing.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

use crate::logs::options::LogOptions;

/// What connections of all listeners may take together.
#[derive(Debug)]
pub(super) struct Places {
    free: Arc<Semaphore>,
    of_sender: usize,
    /// Time in which a connection must send its first line while others wait.
    first_line: Duration,
    taken: Mutex<HashMap<IpAddr, usize>>,
    queue: watch::Sender<Queue>,
}

/// Who waits for a place.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Queue {
    waiting: usize,
    /// Of those, for how many somebody gives way already.
    served: usize,
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
            queue: watch::Sender::default(),
        }
    }

    /// Waits for a place; nothing if this sender has all that are his.
    pub(super) async fn take(self: &Arc<Self>, peer: IpAddr) -> Option<Place> {
        let mut place = self.promise(sender_of(peer))?;
        let permit = match Arc::clone(&self.free).try_acquire_owned() {
            Ok(permit) => permit,
            Err(_) => {
                let _wait = Wait::new(&self.queue);
                let permit = Arc::clone(&self.free).acquire_owned().await;
                permit.expect("nobody closes the places")
            }
        };
        place.permit = Some(permit);
        Some(place)
    }

    /// Changes whenever others begin or cease to wait.
    pub(super) fn queue(&self) -> watch::Receiver<Queue> {
        self.queue.subscribe()
    }

    /// How long a connection may say nothing, from its begin or since its last line.
    pub(super) fn silence_max(&self, has_spoken: bool) -> Duration {
        let is_wanted = self.queue.borrow().is_wanting();
        match (is_wanted, has_spoken) {
            (false, _) => SILENCE_MAX,
            (true, false) => self.first_line,
            (true, true) => SILENCE_WHILE_FULL,
        }
    }

    /// Whether a connection that was silent for so long gives its place up: while others wait, as many do as wait.
    pub(super) fn gives_way(&self, has_spoken: bool, silent: Duration) -> bool {
        let is_over = silent >= self.silence_max(has_spoken);
        if is_over {
            self.queue.send_if_modified(|queue| {
                let is_wanted = queue.is_wanting();
                queue.served += usize::from(is_wanted);
                is_wanted
            });
        }
        is_over
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

impl Queue {
    const fn is_wanting(self) -> bool {
        self.waiting > self.served
    }
}

/// Somebody waits; no longer when dropped.
struct Wait<'p>(&'p watch::Sender<Queue>);

impl<'p> Wait<'p> {
    fn new(queue: &'p watch::Sender<Queue>) -> Self {
        queue.send_modify(|queue| queue.waiting += 1);
        Self(queue)
    }
}

impl Drop for Wait<'_> {
    fn drop(&mut self) {
        // A place that came free otherwise may have served: then one more than needed gives way.
        self.0.send_modify(|queue| {
            queue.waiting -= 1;
            queue.served = queue.served.saturating_sub(1);
        });
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
    use std::pin::Pin;
    use std::sync::Arc;
    use std::task::{Context, Waker};
    use std::time::Duration;

    use super::{LogOptions, Places};

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn waits(one: &mut (impl Future + Unpin)) -> bool {
        Pin::new(one).poll(&mut Context::from_waker(Waker::noop())).is_pending()
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
    async fn silence_is_borne_as_long_as_nobody_waits() {
        let options = LogOptions { connections: 2, ..LogOptions::default() };
        let places = Arc::new(Places::new(&options));
        let over = |has_spoken, seconds| places.gives_way(has_spoken, Duration::from_secs(seconds));
        let one = places.take(ip("10.0.0.1")).await.unwrap();
        let two = places.take(ip("10.0.0.1")).await.unwrap();
        for has_spoken in [false, true] {
            assert!(!over(has_spoken, 23 * 3600), "all places are taken and nobody wants one");
            assert!(over(has_spoken, 24 * 3600));
        }
        let queue = places.queue();
        let mut first = Box::pin(places.take(ip("10.0.0.2")));
        let mut second = Box::pin(places.take(ip("10.0.0.3")));
        assert!(waits(&mut first));
        assert!(queue.has_changed().unwrap(), "those who are silent are told");
        assert!(!over(false, 59) && !over(true, 599));
        assert!(over(false, 60) && !over(true, 3600), "one waits, one gives way");
        assert!(waits(&mut second));
        assert!(over(true, 600) && !over(false, 3600));
        drop(one);
        let three = first.await.unwrap();
        assert!(!over(false, 3600), "for the other one, somebody is on his way");
        drop(two);
        let four = second.await.unwrap();
        assert!(!over(false, 3600), "nobody waits any longer");
        drop((three, four));
        assert_eq!(places.free.available_permits(), 2);
    }

    #[tokio::test]
    async fn who_waits_behind_another_is_not_forgotten() {
        let options = LogOptions { connections: 1, ..LogOptions::default() };
        let places = Arc::new(Places::new(&options));
        let silent = Duration::from_secs(3600);
        let mut held = places.take(ip("10.0.0.1")).await.unwrap();
        let mut waiting: Vec<_> =
            (2..6).map(|number| Box::pin(places.take(ip(&format!("10.0.0.{number}"))))).collect();
        for wait in &mut waiting {
            assert!(waits(wait));
        }
        for (number, wait) in waiting.into_iter().enumerate() {
            assert!(places.gives_way(false, silent), "{number}");
            drop(held);
            held = wait.await.unwrap();
        }
        assert!(!places.gives_way(false, silent));
    }
}
