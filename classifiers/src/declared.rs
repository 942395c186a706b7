//! Reasons that senders write into their resets (classification.md, table 3C).

use flowtable::Stack;
use wire::Mptcp;

use crate::case::{Case, initial_hop_limit};
use crate::verdict::{Carrier, Declared};
use crate::vocabulary::Cause;

/// A declared reason and what it means for the verdict.
#[derive(Clone, Copy)]
pub(crate) struct Reason {
    pub(crate) declared: Declared,
    /// The cause it decides, if it decides one.
    pub(crate) cause: Option<Cause>,
    pub(crate) confidence: f32,
}

/// The reason written into this reset, if any.
pub(crate) fn of(case: &Case<'_>) -> Option<Reason> {
    mptcp(case).or_else(|| diagnostic(case)).or_else(|| netscaler(case)).or_else(|| text(case))
}

fn reason(carrier: Carrier, code: u16, meaning: &'static str, cause: Option<Cause>) -> Reason {
    let declared = Declared { carrier, code, meaning, consistent: true };
    Reason { declared, cause, confidence: 0.95 }
}

/// MP_TCPRST and MP_FASTCLOSE (RFC 8684, sections 3.5 and 3.6).
fn mptcp(case: &Case<'_>) -> Option<Reason> {
    let cause = Some(Cause::MptcpSubflowReset);
    match case.reset().mptcp? {
        Mptcp::FastClose => {
            let meaning = "the whole MPTCP connection is closed at once";
            Some(Reason { confidence: 0.98, ..reason(Carrier::MptcpFastClose, 0, meaning, cause) })
        }
        Mptcp::TcpRst { reason: code, .. } => {
            let meaning = match code {
                0 => "unspecified",
                1 => "MPTCP-specific error",
                2 => "lack of resources",
                3 => "administratively prohibited",
                4 => "too much outstanding data",
                5 => "unacceptable performance",
                6 => "middlebox interference",
                _ => "unassigned code",
            };
            let found = reason(Carrier::MptcpReset, u16::from(code), meaning, cause);
            Some(Reason { confidence: 0.98, ..found })
        }
        Mptcp::Other { .. } => None,
    }
}

/// draft-boucadair-tcpm-rst-diagnostic-payload: magic, code, private enterprise number.
fn diagnostic(case: &Case<'_>) -> Option<Reason> {
    match case.watch.note.as_bytes() {
        [0x33, 0xaa, high, low, 0, 0, 0, 0, ..] => {
            let code = u16::from_be_bytes([*high, *low]);
            let (meaning, cause) = diagnostic_code(code);
            Some(reason(Carrier::DiagnosticPayload, code, meaning, cause))
        }
        [0xf3, 0x17, ..] => Some(reason(Carrier::DiagnosticText, 0, "free text", None)),
        _ => None,
    }
}

const fn diagnostic_code(code: u16) -> (&'static str, Option<Cause>) {
    use Cause::{
        AppAbort, DataAfterClose, IdleTimeoutMiddlebox, MptcpSubflowReset, PolicyResetMidstream,
        ProxiedBackendRefused, ResourceExhaustion, UnacceptableSegment,
    };
    match code {
        1 => ("illegal option", Some(UnacceptableSegment)),
        2 => ("desynchronised state", Some(UnacceptableSegment)),
        3 => ("new data after close", Some(DataAfterClose)),
        4 => ("abort", Some(AppAbort)),
        5 => ("unexpected ACK", Some(UnacceptableSegment)),
        6 => ("SYN in window", Some(UnacceptableSegment)),
        8 => ("malformed message", Some(UnacceptableSegment)),
        9 => ("not authorised", Some(PolicyResetMidstream)),
        10 => ("resource exceeded", Some(ResourceExhaustion)),
        11 => ("network failure", Some(ProxiedBackendRefused)),
        12 => ("reset received from the peer", None),
        13 => ("destination unreachable", Some(ProxiedBackendRefused)),
        14 => ("connection timeout", Some(IdleTimeoutMiddlebox)),
        15 => ("MPTCP outstanding data", Some(MptcpSubflowReset)),
        16 => ("MPTCP performance", Some(MptcpSubflowReset)),
        17 => ("MPTCP middlebox interference", Some(MptcpSubflowReset)),
        _ => ("unassigned code", None),
    }
}

/// NetScaler writes a reset code into the window field (its reset code dictionary, CTX200852).
///
/// 8192 and its neighbours are also ordinary windows: only listed codes count, and only where the
/// sender's own window was another.
pub(crate) fn netscaler(case: &Case<'_>) -> Option<Reason> {
    let (code, from) = (case.reset().window, case.from());
    if !NETSCALER_CODES.contains(&code) || (from.packets > 0 && from.window == code) {
        return None;
    }
    let (meaning, cause) = netscaler_code(code)?;
    let foreign = matches!(case.stack(), Stack::Linux | Stack::Apple | Stack::Windows);
    if case.reset().timestamps.is_some() || (foreign && !crate::clues::is_split(case)) {
        return None;
    }
    let fits = initial_hop_limit(case.reset().hop_limit) == 255;
    let found = reason(Carrier::NetscalerWindow, code, meaning, cause);
    Some(Reason { confidence: if fits { 0.95 } else { 0.7 }, ..found })
}

/// All that are listed, and more.
const NETSCALER_CODES: std::ops::RangeInclusive<u16> = 8_201..=9_952;

const fn netscaler_code(code: u16) -> Option<(&'static str, Option<Cause>)> {
    use Cause::{
        ConnectionLimit, DataAfterClose, HealthCheck, IdleTimeoutMiddlebox, KeepaliveTimeout,
        PolicyResetMidstream, ResourceExhaustion, RetransmissionTimeout, StaleConnection,
        TlsFailureAbort, UnacceptableSegment,
    };
    Some(match code {
        8201 | 8202 | 8212 => ("segment for a connection that is gone", Some(StaleConnection)),
        8204..=8207 | 9305 => ("segment not acceptable", Some(UnacceptableSegment)),
        8208 | 9304 => ("retransmissions exhausted", Some(RetransmissionTimeout)),
        8209 | 9219 | 9401 => ("resources exhausted", Some(ResourceExhaustion)),
        8211 | 9300..=9303 => ("idle connection flushed", Some(IdleTimeoutMiddlebox)),
        9100 => ("request never finished", Some(IdleTimeoutMiddlebox)),
        9310 => ("keepalive probes unanswered", Some(KeepaliveTimeout)),
        9700 | 9701 => ("reset passed on from the other side", None),
        9702 => ("data after close", Some(DataAfterClose)),
        9800 => ("monitor probe", Some(HealthCheck)),
        9811 | 9833 | 9952 => ("TLS failure", Some(TlsFailureAbort)),
        9814 | 9830 | 9845 => ("denied by policy", Some(PolicyResetMidstream)),
        9855 => ("connection limit", Some(ConnectionLimit)),
        _ => return None,
    })
}

/// Any other text (RFC 1122, section 4.2.2.12): quoted, not parsed.
fn text(case: &Case<'_>) -> Option<Reason> {
    let bytes = case.watch.note.as_bytes();
    let printable = |byte: &u8| byte.is_ascii_graphic() || matches!(byte, b' ' | b'\r' | b'\n');
    let is_text = bytes.len() >= 4 && bytes.iter().all(printable);
    is_text.then(|| reason(Carrier::PayloadText, 0, "text", None))
}
