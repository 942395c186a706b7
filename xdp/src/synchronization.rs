//! Whether the system's clock is held to the true time.

use std::io;
use std::time::Duration;

use crate::system;

/// What the kernel knows of its clock (adjtimex(2)), as chrony, ntpd, timesyncd or phc2sys told it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Synchronization {
    /// Whether somebody holds the clock.
    pub is_synchronized: bool,
    /// How wrong it is at most; grows by itself while nobody says anything.
    pub error_max: Duration,
}

impl Synchronization {
    /// Asks the kernel.
    ///
    /// # Errors
    /// A sandbox forbids the question.
    pub fn query() -> io::Result<Self> {
        let state = system::clock_state()?;
        Ok(Self {
            is_synchronized: state.status & libc::STA_UNSYNC == 0,
            error_max: Duration::from_micros(u64::try_from(state.maxerror).unwrap_or(0)),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::Synchronization;

    #[test]
    fn the_kernel_tells_of_its_clock() {
        // 16 s is where the kernel itself gives up (NTP_PHASE_LIMIT).
        assert!(Synchronization::query().unwrap().error_max.as_secs() <= 16);
    }
}
