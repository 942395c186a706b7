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

/// Does `work` on a thread that has given its capabilities up, so that threads which it starts have none
/// either; with `keeps` right here.
pub(super) fn without<T: Send>(keeps: bool, work: impl FnOnce() -> T + Send) -> T {
    if keeps {
        return work();
    }
    let lowered = || {
        give_up();
        work()
    };
    let joined = std::thread::scope(|scope| scope.spawn(lowered).join());
    joined.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_gives_up_its_own_and_nobody_elses() {
        let before = caps::read(None, CapSet::Permitted).unwrap();
        let permitted = || caps::read(None, CapSet::Permitted).unwrap();
        let left = without(false, || std::thread::spawn(permitted).join().unwrap());
        assert!(left.is_empty());
        assert_eq!(without(true, permitted), before);
        assert_eq!(caps::read(None, CapSet::Permitted).unwrap(), before);
    }
}
