//! Who we are to a NATS server, and whom we trust.

use std::time::Duration;

use async_nats::ConnectOptions;

use crate::options::NatsOptions;
use crate::tls::secret;

/// Options of a connection; files are read now.
///
/// # Errors
/// Why a file cannot be used, as a sentence.
pub(super) async fn connect_options(
    options: &NatsOptions,
    timeout: Duration,
) -> Result<ConnectOptions, String> {
    let mut connect = ConnectOptions::new()
        .name(format!("rstscope sink {}", options.name))
        .connection_timeout(timeout)
        .request_timeout(Some(timeout))
        // Retries are the courier's: it reads secrets and certificates anew.
        .max_reconnects(1);
    if options.urls.iter().any(|url| url.starts_with("tls:")) {
        connect = connect.require_tls(true).tls_client_config(options.tls.client_config()?);
    }
    if let Some(path) = &options.user_file {
        let text = secret("user and password", path)?;
        let (user, password) = text
            .split_once(':')
            .ok_or_else(|| format!("read {}: USER:PASSWORD is expected", path.display()))?;
        connect = connect.user_and_password(user.to_owned(), password.to_owned());
    }
    if let Some(path) = &options.token_file {
        connect = connect.token(secret("token", path)?);
    }
    if let Some(path) = &options.nkey_file {
        connect = connect.nkey(secret("nkey seed", path)?);
    }
    if let Some(path) = &options.creds_file {
        let text = secret("credentials", path)?;
        connect = connect
            .credentials(&text)
            .map_err(|error| format!("read {}: {error}", path.display()))?;
    }
    Ok(connect)
}
