//! Why: the first rule that fits, given who (classification.md, section 5.3).
//!
//! Every rule is asked under one hypothesis about the sender, so that the verdict can also name the
//! cause that would hold under the other.

mod crowd;
mod device;
mod ending;
mod handshake;
mod lonely;
mod reuse;
mod stream;
mod tls;
mod untranslated;

pub(crate) use crowd::meets_wrong_ack;

use crate::case::Case;
use crate::vocabulary::Cause;
use crate::weights::fitted_base;

pub(crate) use crowd::timer_evidence;

/// A cause, the rule that gave it, and how sure that rule is at best.
#[derive(Clone, Copy)]
pub(crate) struct Finding {
    pub(crate) cause: Cause,
    pub(crate) base: f32,
    /// `base` before the fit; told so that the next fit knows the grounds.
    pub(crate) hand_set: f32,
    /// The rule's number in classification.md.
    pub(crate) rule: &'static str,
    /// What it is most often confused with.
    pub(crate) confusion: Cause,
    /// What cannot be told apart on the wire, as a sentence; or "".
    pub(crate) caveat: &'static str,
    /// Other connections gave it.
    pub(crate) by_others: bool,
}

impl Finding {
    const fn new(rule: &'static str, cause: Cause, base: f32, confusion: Cause) -> Self {
        Self { cause, base, hand_set: base, rule, confusion, caveat: "", by_others: false }
    }

    const fn of_others(self) -> Self {
        Self { by_others: true, ..self }
    }

    const fn with_caveat(self, caveat: &'static str) -> Self {
        Self { caveat, ..self }
    }

    /// With the base that was fitted for these grounds.
    fn fitted(self) -> Self {
        let base = fitted_base(self.rule, self.cause, self.base);
        Self { base, hand_set: self.base, ..self }
    }
}

/// The cause if the named endpoint sent it.
pub(crate) fn if_endpoint(case: &Case<'_>) -> Finding {
    crowd::if_endpoint(case)
        .map(Finding::of_others)
        .or_else(|| reuse::cause(case))
        .or_else(|| untranslated::cause(case))
        .or_else(|| lonely::cause(case))
        .or_else(|| handshake::cause(case))
        .or_else(|| ending::cause(case))
        .or_else(|| stream::cause(case).map(|finding| crowd::tempered(case, finding)))
        .unwrap_or(Finding::new("R99", Cause::Unknown, 0.5, Cause::AppAbort))
        .fitted()
}

/// The cause if a device sent it.
pub(crate) fn if_device(case: &Case<'_>) -> Finding {
    crowd::if_device(case).map(Finding::of_others).unwrap_or_else(|| device::cause(case)).fitted()
}
