//! The running sensor, asked through its local API.

use std::time::Duration;

use collector::StatusPage;
use events::Status;

/// What the running sensor says of itself; nothing where none answers, or where there is no API.
///
/// # Errors
/// It answers, but not us; says why.
pub(super) fn status(options: &collector::Options) -> Result<Option<Status>, String> {
    let Some(address) = options.address() else { return Ok(None) };
    let agent: ureq::Agent =
        ureq::Agent::config_builder().timeout_global(Some(PATIENCE)).build().into();
    let mut request = agent.get(format!("http://{address}/api/v1/status"));
    let mut unread = String::new();
    if let Some(path) = &options.token_file {
        match std::fs::read_to_string(path) {
            Ok(token) => {
                request = request.header("Authorization", format!("Bearer {}", token.trim()))
            }
            Err(error) => unread = format!("; the token in {}: {error}", path.display()),
        }
    }
    let mut answer = match request.call() {
        Ok(answer) => answer,
        Err(ureq::Error::StatusCode(code)) => {
            return Err(format!("{address} answers {code}{unread}"));
        }
        Err(_) => return Ok(None),
    };
    let page = answer.body_mut().read_to_string().ok();
    let page: Option<StatusPage> = page.and_then(|text| serde_json::from_str(&text).ok());
    Ok(page.map(|page| page.status))
}

/// Whether the sensor holds queues of that interface.
pub(super) fn watches(status: &Status, interface: &str) -> bool {
    status.queues.iter().any(|queue| queue.interface == interface)
}

const PATIENCE: Duration = Duration::from_secs(2);
