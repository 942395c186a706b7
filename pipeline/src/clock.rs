//! The only place that reads a clock for packets, and the processor's time.

use std::time::{SystemTime, UNIX_EPOCH};

use flowtable::Timestamp;
use nix::time::{ClockId, clock_gettime};

/// The time now; read once a batch.
pub(crate) fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp(u64::try_from(since.as_nanos()).unwrap_or(u64::MAX))
}

/// Processor time that the calling thread has used, in nanoseconds; 0 where the kernel cannot tell.
pub(crate) fn thread_cpu_ns() -> u64 {
    let used = clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).ok();
    used.map_or(0, |used| {
        (used.tv_sec() as u64).saturating_mul(1_000_000_000) + used.tv_nsec() as u64
    })
}
