//! The running sensor, asked through its local API.

use std::net::SocketAddr;
use std::time::Duration;

use collector::StatusPage;
use events::Status;

/// What the running sensor says of itself; nothing where none answers.
pub(super) fn status(address: SocketAddr) -> Option<Status> {
    let agent: ureq::Agent =
        ureq::Agent::config_builder().timeout_global(Some(PATIENCE)).build().into();
    let mut answer = agent.get(format!("http://{address}/api/v1/status")).call().ok()?;
    let text = answer.body_mut().read_to_string().ok()?;
    let page: StatusPage = serde_json::from_str(&text).ok()?;
    Some(page.status)
}

/// Whether the sensor holds queues of that interface.
pub(super) fn watches(status: &Status, interface: &str) -> bool {
    status.queues.iter().any(|queue| queue.interface == interface)
}

const PATIENCE: Duration = Duration::from_secs(2);
