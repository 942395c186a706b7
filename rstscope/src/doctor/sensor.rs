//! The running sensor, asked through its local API.

use std::time::Duration;

use events::Status;

/// What the running sensor says of itself; nothing where none answers.
pub(super) fn status(url: &str) -> Option<Status> {
    let agent: ureq::Agent =
        ureq::Agent::config_builder().timeout_global(Some(PATIENCE)).build().into();
    let mut answer = agent.get(format!("{url}/api/v1/status")).call().ok()?;
    let text = answer.body_mut().read_to_string().ok()?;
    serde_json::from_str(&text).ok()
}

/// Whether the sensor holds queues of that interface.
pub(super) fn watches(status: &Status, interface: &str) -> bool {
    status.queues.iter().any(|queue| queue.interface == interface)
}

/// The local API of the defaults.
pub(super) const URL: &str = "http://127.0.0.1:9477";
const PATIENCE: Duration = Duration::from_secs(2);
