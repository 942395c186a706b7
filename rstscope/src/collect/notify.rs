//! What a service manager is told: sd_notify(3). Without one, nothing.

use sd_notify::NotifyState;

/// Speaks to whoever started us, if it listens.
#[derive(Clone, Copy, Debug)]
pub(super) struct Notify {
    has_watchdog: bool,
}

impl Notify {
    pub(super) fn from_environment() -> Self {
        Self { has_watchdog: sd_notify::watchdog_enabled().is_some() }
    }

    /// Records can come.
    pub(super) fn ready(self) {
        tell(&[NotifyState::Ready]);
    }

    pub(super) fn beat(self, text: &str) {
        let states = [NotifyState::Status(text), NotifyState::Watchdog];
        tell(if self.has_watchdog { &states } else { &states[..1] });
    }

    pub(super) fn stopping(self) {
        tell(&[NotifyState::Stopping]);
    }
}

fn tell(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::debug!("tell the service manager: {error}");
    }
}
