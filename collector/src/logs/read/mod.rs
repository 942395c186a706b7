//! Lines into sessions: one file a product, each by its vendor's description.
//!
//! | file | what |
//! |---|---|
//! | `header.rs` | the syslog header |
//! | `mark.rs` | where a product's mark may stand |
//! | `stamp.rs`, `fields.rs`, `memory.rs` | instants, pieces, what is remembered between lines |
//! | `pan_os.rs`, `fortigate.rs`, `cisco_asa.rs`, `juniper_srx.rs` | firewalls |
//! | `haproxy.rs`, `nginx.rs`, `envoy.rs` | proxies and servers |
//!
//! **Invariant:** lines come from strangers. Whatever they hold, reading them takes bounded time and
//! memory and never panics.

mod cisco_asa;
mod envoy;
mod fields;
mod fortigate;
mod haproxy;
mod header;
mod juniper_srx;
mod mark;
mod memory;
mod nginx;
mod pan_os;
pub(crate) mod stamp;

use events::UtcTime;

use super::session::{Garbage, LINE_KEPT, Product, Reading, beginning};
use header::Header;
use mark::Plain;
pub use stamp::Zone;

/// What is known of a line beside its text.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Context<'c> {
    /// When it came.
    pub received: UtcTime,
    /// By what its stamps are understood if they name no zone.
    pub zone: Zone,
    /// Whose it is if it does not say so itself.
    pub source: &'c str,
}

/// Reads lines; remembers what one line needs of another, within bounds.
#[derive(Debug)]
pub struct Reader {
    built: cisco_asa::Built,
    errors: nginx::Errors,
}

impl Reader {
    /// With nothing to remember yet.
    #[must_use]
    pub fn new() -> Self {
        Self { built: cisco_asa::Built::new(BUILT_MAX), errors: nginx::Errors::new(ERRORS_MAX) }
    }

    /// What a line says.
    ///
    /// # Errors
    /// [`Garbage`] where no product writes so, or the one that seems to differs from its description.
    pub fn read(&mut self, line: &[u8], context: &Context<'_>) -> Result<Reading, Garbage> {
        let line = String::from_utf8_lossy(&line[..line.len().min(LINE_MAX)]);
        let line = line.trim_matches(|c: char| c == '\u{feff}' || c == '\0' || c.is_whitespace());
        let mut reading = self.product(line, context)?;
        if let Reading::Session(session) = &mut reading {
            beginning(line, LINE_KEPT).clone_into(&mut session.line);
            if session.source.is_empty() {
                context.source.clone_into(&mut session.source);
            }
        }
        Ok(reading)
    }

    /// Openings and errors that gave way before the line that needs them came.
    #[must_use]
    pub fn forgotten(&self) -> u64 {
        self.built.gone() + self.errors.gone()
    }

    fn product(&mut self, line: &str, context: &Context<'_>) -> Result<Reading, Garbage> {
        let Some((at, format)) = format_of(line) else {
            return Err(Garbage::new("no product that is known writes so"));
        };
        let text = &line[at..];
        let header = Header::of(line, context);
        let (built, errors) = (&mut self.built, &mut self.errors);
        match format {
            Format::PanOs => pan_os::read(text, context),
            Format::CiscoAsa => cisco_asa::read(text, &header, context, built),
            Format::Haproxy => haproxy::read(text, &header, context),
            Format::NginxAccess => nginx::read_access(text, &header, context, errors),
            Format::NginxError => Ok(nginx::read_error(text, &header, context, errors)),
            Format::JuniperSrx => juniper_srx::read(text, &header, context),
            Format::Fortigate => fortigate::read(text, context),
            Format::Envoy => envoy::read(text, &header, context),
        }
    }
}

/// By whose description a line is read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Format {
    PanOs,
    CiscoAsa,
    Haproxy,
    NginxAccess,
    NginxError,
    JuniperSrx,
    Fortigate,
    Envoy,
}

/// Whose mark stands first, and where its message begins: what follows a mark may quote others.
fn format_of(line: &str) -> Option<(usize, Format)> {
    let plain = Plain::of(line);
    let marks = [
        (plain.find(pan_os::begins_at), Format::PanOs),
        (plain.find(cisco_asa::begins_at), Format::CiscoAsa),
        (plain.find(haproxy::begins_at), Format::Haproxy),
        (plain.find(nginx::access_at), Format::NginxAccess),
        (plain.find(juniper_srx::begins_at), Format::JuniperSrx),
        (fortigate::begins_at(line, &plain), Format::Fortigate),
        (plain.find(nginx::error_at), Format::NginxError),
        (plain.find(envoy::begins_at), Format::Envoy),
    ];
    marks.into_iter().filter_map(|(at, format)| Some((at?, format))).min_by_key(|(at, _)| *at)
}

impl Default for Reader {
    fn default() -> Self {
        Self::new()
    }
}

impl Reading {
    /// What wrote it, where it is a session.
    #[must_use]
    pub fn product(&self) -> Option<Product> {
        match self {
            Self::Session(session) => Some(session.product),
            Self::Other(_) => None,
        }
    }
}

/// What of a line is looked at, bytes; the longest PAN-OS records have some 4 KiB.
pub(crate) const LINE_MAX: usize = 16 * 1024;

/// Connections of ASA remembered at a time, some 200 bytes each.
const BUILT_MAX: usize = 65_536;

/// Errors of nginx remembered at a time.
const ERRORS_MAX: usize = 4096;
