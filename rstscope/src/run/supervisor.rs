//! What a service manager is told: sd_notify(3). Without one, nothing.

use std::time::Duration;

use events::Status;
use sd_notify::NotifyState;

/// Speaks to whoever started us, if it listens.
#[derive(Clone, Copy, Debug)]
pub(super) struct Supervisor {
    /// It wants to hear from us now and then, and kills us else.
    has_watchdog: bool,
}

impl Supervisor {
    pub(super) fn from_environment() -> Self {
        let interval = sd_notify::watchdog_enabled();
        if let Some(short) = interval.filter(|interval| *interval < WATCHDOG_MIN) {
            tracing::warn!(
                "the watchdog of the service manager barks after {} s; we report once a second: \
                 set WatchdogSec to {} or more",
                short.as_secs_f64(),
                WATCHDOG_MIN.as_secs()
            );
        }
        Self { has_watchdog: interval.is_some() }
    }

    /// The links are bound.
    pub(super) fn ready(self) {
        tell(&[NotifyState::Ready]);
    }

    /// No link can be had yet: the start takes longer.
    pub(super) fn waiting(self) {
        tell(&[
            NotifyState::Status("waiting for the first interface"),
            NotifyState::ExtendTimeoutUsec(WAITING_SPAN.as_micros() as u32),
        ]);
    }

    /// The exporter beats: everything behind it does too.
    pub(super) fn beat(self, status: &Status) {
        let up = status.queues.iter().filter(|queue| queue.is_up).count();
        let lost: u64 = status.losses.values().sum();
        let text = format!(
            "{up} of {} queues up, {} packets, {} resets, {lost} lost",
            status.queues.len(),
            status.packets,
            status.resets
        );
        let states = [NotifyState::Status(&text), NotifyState::Watchdog];
        tell(if self.has_watchdog { &states } else { &states[..1] });
    }

    /// The configuration is read anew, until [`Supervisor::ready`].
    pub(super) fn reloading(self) {
        match NotifyState::monotonic_usec_now() {
            Ok(now) => tell(&[NotifyState::Reloading, now]),
            Err(_) => tell(&[NotifyState::Reloading]),
        }
    }

    /// The end has begun: what is on hold is told.
    pub(super) fn stopping(self) {
        tell(&[NotifyState::Stopping]);
    }
}

fn tell(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::debug!("tell the service manager: {error}");
    }
}

/// The next word comes within seconds.
const WAITING_SPAN: Duration = Duration::from_secs(30);
/// A few beats may be late on a busy machine.
const WATCHDOG_MIN: Duration = Duration::from_secs(5);
