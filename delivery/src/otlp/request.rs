//! One HTTP request, and its answer.

use std::io::Read as _;
use std::path::Path;
use std::time::{Duration, SystemTime};

use ureq::Agent;
use ureq::tls::{Certificate, ClientCert, PemItem, PrivateKey, RootCerts, TlsConfig, parse_pem};

use crate::options::TlsOptions;
use crate::tls::read;

/// What a receiver answered.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct HttpAnswer {
    /// Status code.
    pub(crate) status: u16,
    /// How long it asks us to wait, if it does.
    pub(crate) retry_after: Option<Duration>,
    /// `Content-Type`, in lower case, or "".
    pub(crate) content_type: String,
    /// The body's first 64 KiB.
    pub(crate) body: Vec<u8>,
}

/// An HTTP client that trusts and shows what the options say; files are read now.
///
/// # Errors
/// Why a certificate or key cannot be used, as a sentence.
pub(crate) fn agent(tls: &TlsOptions, timeout: Duration, is_tls: bool) -> Result<Agent, String> {
    let mut config = Agent::config_builder()
        .http_status_as_error(false)
        .max_redirects(0)
        .timeout_global(Some(timeout))
        .user_agent(concat!("rstscope/", env!("CARGO_PKG_VERSION")));
    if is_tls {
        config = config.tls_config(tls_config(tls)?);
    }
    Ok(config.build().new_agent())
}

fn tls_config(options: &TlsOptions) -> Result<TlsConfig, String> {
    let mut tls = TlsConfig::builder();
    if let Some(path) = options.ca_path() {
        tls = tls.root_certs(RootCerts::from(certificates(&path)?));
    }
    if let Some((certificate, key)) = options.own_paths()? {
        let pem = read(key)?;
        let key = PrivateKey::from_pem(&pem)
            .map_err(|error| format!("read private key {}: {error}", key.display()))?;
        let client = ClientCert::new_with_certs(&certificates(certificate)?, key);
        tls = tls.client_cert(Some(client));
    }
    Ok(tls.build())
}

/// All certificates of a PEM file; at least one.
fn certificates(path: &Path) -> Result<Vec<Certificate<'static>>, String> {
    let pem = read(path)?;
    let found: Vec<_> = parse_pem(&pem)
        .filter_map(|item| match item {
            Ok(PemItem::Certificate(certificate)) => Some(certificate),
            _ => None,
        })
        .collect();
    if found.is_empty() {
        return Err(format!("read {}: no certificate in it (PEM is expected)", path.display()));
    }
    Ok(found)
}

/// Sends a body and takes in the answer.
///
/// # Errors
/// Why there is no answer, as a sentence.
pub(crate) fn post(
    agent: &Agent,
    url: &str,
    headers: &[(String, String)],
    body: &[u8],
) -> Result<HttpAnswer, String> {
    let mut request = agent.post(url);
    for (name, value) in headers {
        request = request.header(name, value);
    }
    let failed = |error: String| format!("send to {url}: {error}");
    let mut response = request.send(body).map_err(|error| failed(error.to_string()))?;
    let header = |name| response.headers().get(name).and_then(|value| value.to_str().ok());
    let retry_after = header("retry-after").and_then(retry_after);
    let content_type = header("content-type").unwrap_or_default().to_ascii_lowercase();
    let status = response.status().as_u16();
    let mut body = Vec::new();
    let reader = response.body_mut().as_reader();
    // Nobody says so much: what is beyond is not looked at.
    reader
        .take(ANSWER_LEN_MAX)
        .read_to_end(&mut body)
        .map_err(|error| failed(format!("read its answer: {error}")))?;
    Ok(HttpAnswer { status, retry_after, content_type, body })
}

/// Seconds, or a date (RFC 9110, section 10.2.3).
fn retry_after(text: &str) -> Option<Duration> {
    let text = text.trim();
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let then = http_date(text)?;
    Some(then.duration_since(SystemTime::now()).unwrap_or_default())
}

/// `Sun, 06 Nov 1994 08:49:37 GMT`, the only form that is sent today.
fn http_date(text: &str) -> Option<SystemTime> {
    let (_, rest) = text.split_once(", ")?;
    let mut words = rest.split(' ');
    let (day, month, year, time) = (words.next()?, words.next()?, words.next()?, words.next()?);
    let month = MONTHS.iter().position(|name| *name == month)? + 1;
    humantime::parse_rfc3339(&format!("{year}-{month:02}-{day:0>2}T{time}Z")).ok()
}

const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// Bytes of an answer that are looked at.
const ANSWER_LEN_MAX: u64 = 64 << 10;

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use super::{http_date, retry_after};

    #[test]
    fn a_receiver_may_ask_for_a_span_or_a_date() {
        assert_eq!(retry_after(" 7 "), Some(Duration::from_secs(7)));
        assert_eq!(retry_after("soon"), None);
        assert_eq!(retry_after("Sun, 06 Nov 1994 08:49:37 GMT"), Some(Duration::ZERO));
        let then = http_date("Sun, 06 Nov 1994 08:49:37 GMT").unwrap();
        let seconds = then.duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs();
        assert_eq!(seconds, 784_111_777);
    }
}
