//! R25: resets at the end of a TLS handshake that failed.

use flowtable::PayloadClass;

use crate::case::Case;
use crate::rules::Finding;
use crate::rules::stream::IDLE_S;
use crate::vocabulary::Cause;

/// A TLS alert, or a handshake that never became data.
pub(super) fn cause(case: &Case<'_>) -> Option<Finding> {
    let before = case.before();
    let last = [before.last_payload(case.sender), before.last_payload(case.receiver)];
    let first = [before.first_payload(case.sender), before.first_payload(case.receiver)];
    if last.contains(&PayloadClass::TlsAlert) {
        return Some(Finding::new("R25", Cause::TlsFailureAbort, 0.9, Cause::AppAbort));
    }
    if ended_by_alert(case) {
        return Some(
            Finding::new("R25", Cause::TlsFailureAbort, 0.7, Cause::AppAbort).with_caveat(
                "the alert is encrypted: a side that only says goodbye looks the same",
            ),
        );
    }
    let in_handshake = first.contains(&PayloadClass::TlsClientHello)
        && last.iter().all(|class| class.is_tls_handshake() || *class == PayloadClass::Empty)
        && case.idle_s() < IDLE_S;
    let encrypted = last[0] == PayloadClass::TlsEncryptedAlert
        && before.first_payload(case.receiver).is_tls()
        && !last.contains(&PayloadClass::TlsData);
    (in_handshake || encrypted)
        .then(|| Finding::new("R25", Cause::TlsFailureAbort, 0.6, Cause::AppAbort))
}

/// After its handshake messages the sender sent nothing but one record as short as an alert. TLS 1.3
/// encrypts its alerts (RFC 8446, section 6.2); a server that accepts the other side's last message
/// goes on with tickets or with data.
pub(super) fn ended_by_alert(case: &Case<'_>) -> bool {
    let before = case.before();
    before.last_payload(case.sender) == PayloadClass::TlsEarlyShortData
        && before.first_payload(case.receiver).is_tls()
}
