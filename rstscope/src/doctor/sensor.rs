//! The running sensor, asked through its local API.

use collector::StatusPage;
use events::Status;

use crate::client::{Client, ClientArguments};

/// What the running sensor says of itself; nothing where none answers, or where there is no API.
///
/// # Errors
/// It answers, but not us; says why.
pub(super) fn status(options: &collector::Options) -> Result<Option<Status>, String> {
    let Some(address) = options.address() else { return Ok(None) };
    let scheme = if options.tls.certificate_file.is_some() { "https" } else { "http" };
    let arguments = ClientArguments {
        token_file: options.token_file.clone().or_else(|| options.admin_token_file.clone()),
        // Its own certificate may be vouched for by nobody here; what it says is only shown.
        ca_file: options.tls.certificate_file.clone(),
    };
    let client = Client::new(&format!("{scheme}://{address}"), &arguments)
        .map_err(|error| crate::chain_text(&error))?;
    match client.get::<StatusPage>("/api/v1/status", &[]) {
        Ok(page) => Ok(Some(page.status)),
        Err(error) if error.starts_with("no answer") => Ok(None),
        Err(error) => Err(error),
    }
}

/// Whether the sensor holds queues of that interface.
pub(super) fn watches(status: &Status, interface: &str) -> bool {
    status.queues.iter().any(|queue| queue.interface == interface)
}
