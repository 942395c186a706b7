//! Less to steal: threads that read what strangers send hold no capability.
//!
//! Linux keeps capabilities by thread. Only the thread that attaches programs to interfaces needs any,
//! also later, when an interface comes back; all others give theirs up for good. Threads share
//! memory, so this narrows what a mistake can reach, no more.

use caps::CapSet;

/// Gives up every capability of the calling thread, and of those that it will start.
pub(super) fn give_up() {
    // Ambient first: it may hold nothing that the permitted set has lost, and would be cut anyway.
    for set in [CapSet::Ambient, CapSet::Inheritable, CapSet::Effective, CapSet::Permitted] {
        if let Err(error) = caps::clear(None, set) {
            tracing::warn!("give up the {set:?} capabilities of a thread: {error}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_gives_up_its_own_and_nobody_elses() {
        let before = caps::read(None, CapSet::Permitted).unwrap();
        let left = std::thread::spawn(|| {
            give_up();
            std::thread::spawn(|| caps::read(None, CapSet::Permitted).unwrap()).join().unwrap()
        });
        assert!(left.join().unwrap().is_empty());
        assert_eq!(caps::read(None, CapSet::Permitted).unwrap(), before);
    }
}
