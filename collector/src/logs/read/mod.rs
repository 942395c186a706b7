//! Lines into sessions: one file a product, each by its vendor's description.
//!
//! | file | what |
//! |---|---|
//! | `header.rs` | the syslog header |
//! | `mark.rs`, `preamble.rs` | where a product's mark may stand, and behind what |
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
mod preamble;
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
            Format::NginxCombined => Ok(nginx::COMBINED),
            Format::Envoy => envoy::read(text, &header, context),
            Format::EnvoyJson => envoy::read_json(text, &header, context),
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
    NginxCombined,
    Envoy,
    EnvoyJson,
}

/// Whose mark stands first, and where its message begins: what follows a mark may quote others.
fn format_of(line: &str) -> Option<(usize, Format)> {
    let plain = Plain::of(line);
    let marks = [
        (plain.find(pan_os::begins_at), Format::PanOs),
        (plain.find(cisco_asa::begins_at), Format::CiscoAsa),
        (plain.find_ours(haproxy::ours_at), Format::Haproxy),
        (plain.find_ours(haproxy::usual_at), Format::Haproxy),
        (plain.find_ours(nginx::access_at), Format::NginxAccess),
        (plain.find(juniper_srx::begins_at), Format::JuniperSrx),
        (fortigate::begins_at(line, &plain), Format::Fortigate),
        (plain.find_ours(nginx::error_at), Format::NginxError),
        (plain.find(nginx::combined_at), Format::NginxCombined),
        (plain.find(envoy::begins_at), Format::Envoy),
        (plain.find_ours(envoy::json_at), Format::EnvoyJson),
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

#[cfg(test)]
mod tests {
    use events::UtcTime;

    use super::fields::{NAME_BYTES, WORD_BYTES};
    use super::{Context, LINE_KEPT, Reader, Reading, Zone};

    /// A line of each product whose every text is `x`.
    fn lines(x: &str) -> [String; 9] {
        let sides = "10.1.2.3/40000 to inside:203.0.113.9/443";
        [
            format!(
                "<14>Nov 14 22:13:24 {x} 1,2023/11/14 22:13:24,1,THREAT,url,1,2023/11/14 22:13:20,10.1.2.3,203.0.113.9,\
                 0.0.0.0,0.0.0.0,{x},{x},{x},{x},{x},u,t,i,o,f,x,7,1,40000,443,0,0,0x0,tcp,{x},u,{x}"
            ),
            format!(
                "<166>Nov 14 2023 22:13:20 {x} : %ASA-6-302014: Teardown TCP connection 9 for {x}:{sides} duration \
                 0:00:20 bytes 1 {x}"
            ),
            format!(
                "<166>Nov 14 2023 22:13:20 {x} : %FTD-1-430003: AccessControlRuleAction: {x}, SrcIP: 10.1.2.3, DstIP: \
                 203.0.113.9, SrcPort: 40000, DstPort: 443, Protocol: tcp, AccessControlRuleName: {x}"
            ),
            format!(
                "<14>1 2023-11-14T22:13:20.000Z {x} RT_FLOW - RT_FLOW_SESSION_CLOSE [j reason=\"{x}\" \
                 source-address=\"10.1.2.3\" source-port=\"4\" destination-address=\"203.0.113.9\" \
                 destination-port=\"443\" protocol-id=\"6\" policy-name=\"{x}\"]"
            ),
            format!(
                "<134>Nov 14 22:13:20 {x} haproxy[7]: rstscope_haproxy ci=10.1.2.3 cp=40000 fi=203.0.113.9 fp=443 ts=SD \
                 t0=1700000000 tt=7 ft={x} b={x}"
            ),
            format!(
                "<190>Nov 14 22:13:20 {x} nginx: rstscope_nginx client=10.1.2.3 client_port=4 server=203.0.113.9 \
                 server_port=443 status=499 pid=1 connection=4 msec=1700000005.127 request_time=3.1 upstream=\"{x}\" \
                 host={x}"
            ),
            format!(
                "<189>Nov 14 22:13:20 {x} logid=1 type=utm subtype={x} proto=6 action=blocked srcip=10.1.2.3 srcport=4 \
                 dstip=203.0.113.9 dstport=443 eventtime=1700000000 devname={x} policyname={x} attack={x}"
            ),
            format!(
                "<190>Nov 14 22:13:20 {x} envoy: [2023-11-14T22:13:20.443Z] \"GET / HTTP/1.1\" {x} UC,{x} {x} - \"-\" 0 \
                 95 3100 - \"{x}\" \"{x}\" \"{x}\" \"{x}\" \"203.0.113.9:443\" x 10.2.0.7:5 203.0.113.9:443 10.1.2.3:4 \
                 {x} default"
            ),
            format!(
                "<190>Nov 14 22:13:20 {x} envoy: {{\"response_flags\":\"UC,{x}\",\"response_code\":503,\"duration\":7,\
                 \"start_time\":\"2023-11-14T22:13:20.443Z\",\"downstream_remote_address\":\"10.1.2.3:4\",\"path\":\"{x}\"}}"
            ),
        ]
    }

    #[test]
    fn no_text_that_is_kept_is_longer_than_its_bound() {
        // Of two bytes each: a cut may fall into the middle of one.
        let long = "ü".repeat(700);
        for line in lines(&long) {
            let received = UtcTime(1_700_000_000_000_000_000);
            let context = Context { received, zone: Zone { east_s: 0 }, source: "peer" };
            let reading = Reader::new().read(line.as_bytes(), &context);
            let Ok(Reading::Session(session)) = reading else { panic!("{reading:?}: {line}") };
            let names = [Some(&session.source), session.rule.as_ref(), session.threat.as_ref()];
            for name in names.into_iter().flatten() {
                assert!(name.len() <= NAME_BYTES && name.capacity() <= 2 * NAME_BYTES, "{line}");
            }
            for word in [&session.said, &session.action] {
                assert!(word.len() <= WORD_BYTES && word.capacity() <= 2 * WORD_BYTES, "{line}");
            }
            assert!(session.line.len() <= LINE_KEPT);
        }
    }
}
