//! How often one address may ask, and how often it may guess a token, in bounded memory.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

/// Buckets of tokens, one an address: each request takes one, time gives them back.
#[derive(Debug)]
pub(super) struct Rates {
    per_s: f64,
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    buckets: HashMap<IpAddr, Buckets>,
    /// Shared by all addresses that there was no room for.
    others: Option<Buckets>,
}

#[derive(Clone, Copy, Debug)]
struct Buckets {
    requests: f64,
    guesses: f64,
    seen: Instant,
}

impl Rates {
    /// So many requests a second from one address, four seconds' worth at once.
    pub(super) fn new(per_s: u32) -> Self {
        Self { per_s: f64::from(per_s.max(1)), known: Mutex::default() }
    }

    /// Whether `address` may ask now.
    pub(super) fn may_ask(&self, address: IpAddr) -> bool {
        self.take(address, |buckets| &mut buckets.requests)
    }

    /// Whether its wrong token is told to be wrong; else it is told to wait.
    pub(super) fn may_guess(&self, address: IpAddr) -> bool {
        self.take(address, |buckets| &mut buckets.guesses)
    }

    fn take(&self, address: IpAddr, which: fn(&mut Buckets) -> &mut f64) -> bool {
        let now = Instant::now();
        let address = network(address);
        let requests_max = self.per_s * BURST_S;
        let full = Buckets { requests: requests_max, guesses: GUESSES_MAX, seen: now };
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.buckets.len() >= ADDRESSES_MAX && !known.buckets.contains_key(&address) {
            known
                .buckets
                .retain(|_, buckets| now.duration_since(buckets.seen).as_secs() < FORGET_AFTER_S);
        }
        let has_room = known.buckets.len() < ADDRESSES_MAX || known.buckets.contains_key(&address);
        let buckets = if has_room {
            known.buckets.entry(address).or_insert(full)
        } else {
            known.others.get_or_insert(full)
        };
        let passed_s = now.duration_since(buckets.seen).as_secs_f64();
        buckets.requests = (buckets.requests + passed_s * self.per_s).min(requests_max);
        buckets.guesses = (buckets.guesses + passed_s * GUESSES_PER_S).min(GUESSES_MAX);
        buckets.seen = now;
        let bucket = which(buckets);
        let may = *bucket >= 1.0;
        if may {
            *bucket -= 1.0;
        }
        may
    }
}

/// An IPv6 host has a whole /64 to ask from.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(ip) => Ipv6Addr::from_bits(ip.to_bits() & !u128::from(u64::MAX)).into(),
        v4 @ IpAddr::V4(_) => v4,
    }
}

const BURST_S: f64 = 4.0;
const GUESSES_MAX: f64 = 10.0;
const GUESSES_PER_S: f64 = 10.0 / 60.0;
const ADDRESSES_MAX: usize = 4096;
/// By then every bucket is full again.
const FORGET_AFTER_S: u64 = 60;
/// What who asks too often is told to wait.
pub(super) const RETRY_AFTER_S: &str = "5";

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};

    use super::{ADDRESSES_MAX, Rates};

    #[test]
    fn an_address_that_floods_is_refused_and_others_are_not() {
        let rates = Rates::new(10);
        let one: IpAddr = "2001:db8::1".parse().unwrap();
        let taken = (0..200).filter(|_| rates.may_ask(one)).count();
        assert!((40..60).contains(&taken), "{taken}");
        assert!(rates.may_ask("2001:db8:0:1::1".parse().unwrap()));
        assert!(!rates.may_ask("2001:db8::2".parse().unwrap()), "the same network");
    }

    #[test]
    fn memory_is_bounded_and_who_has_no_room_shares() {
        let rates = Rates::new(1);
        for bits in 0..ADDRESSES_MAX as u32 + 100 {
            rates.may_ask(Ipv4Addr::from_bits(bits).into());
        }
        assert_eq!(rates.known.lock().unwrap().buckets.len(), ADDRESSES_MAX);
        let late = Ipv4Addr::from_bits(u32::MAX);
        assert!((0..10).any(|_| !rates.may_ask(late.into())));
    }
}
