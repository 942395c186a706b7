//! Everything about one interface, in the order in which one thing hides the next.

use events::Status;
use xdp::{Interface, Options};

use super::files::Files;
use super::finding::Finding;
use super::{affinity, attach, driver, frames, link, offloads, queues};
use crate::config::Config;
use crate::sensor;

/// What is known besides the interface itself.
pub(super) struct Circumstances<'c> {
    pub(super) files: &'c Files,
    pub(super) config: &'c Config,
    /// What the running sensor says of itself.
    pub(super) running: Option<&'c Status>,
    /// The cores that the sensor may use.
    pub(super) cores: &'c [u32],
    /// Why no interface can be attached to; nothing if they can.
    pub(super) hindrance: Option<&'static str>,
}

/// Returns what was found, and whether the interface can be watched for a while.
pub(super) fn check(name: &str, around: &Circumstances<'_>) -> (Vec<Finding>, bool) {
    let link = link::check(name, around.running);
    let mut findings = link.findings;
    let Some(interface) = link.interface else { return (findings, false) };
    let options = sensor::interface_options(name, &around.config.capture);
    findings.push(frames::check(&interface, options.frame_size, around.files));
    findings.extend(driver::check(&interface, around.config.capture.pass_others));
    let hindrance = link.hindrance.or(around.hindrance);
    let (tried, is_generic, can_watch) = tried(&interface, &options, hindrance, around.running);
    findings.extend(tried);
    let cores = around.cores.len() as u32;
    let by_queue = around.config.capture.symmetric_queues;
    findings.extend(queues::check(&interface, cores, by_queue, around.files));
    findings.extend(offloads::check(&interface, is_generic));
    findings.extend(affinity::check(&interface, around.cores, around.files));
    if link.is_the_hosts {
        findings = findings.into_iter().map(left_to_a_person).collect();
    }
    (findings, can_watch)
}

/// Settings of the card that the host itself is reached by reset its link, or drop the host's packets.
fn left_to_a_person(finding: Finding) -> Finding {
    let is_told = finding.fix.as_ref().is_some_and(|fix| fix.takes_away.is_some());
    if is_told || finding.commands().is_empty() {
        return finding;
    }
    finding.takes_away("maybe the host's own connections, which use this interface")
}

/// Attaches for a moment; where that cannot be done, the running sensor is asked.
fn tried(
    interface: &Interface,
    options: &Options,
    hindrance: Option<&str>,
    running: Option<&Status>,
) -> (Vec<Finding>, bool, bool) {
    let Some(why) = hindrance else {
        let trial = attach::check(interface, options);
        let can_watch = trial.is_attachable;
        return (trial.findings, trial.is_generic, can_watch);
    };
    let own = running.into_iter().flat_map(|status| &status.queues);
    let mut own = own.filter(|queue| queue.interface == interface.name()).peekable();
    let Some(first) = own.peek() else {
        let not = |name| Finding::not_checked(name, why);
        let findings = vec![not("native xdp"), not("zero copy"), not("promiscuous")];
        return (findings, options.attach_mode == xdp::AttachMode::GenericOnly, false);
    };
    let is_generic = first.mode.starts_with("generic");
    let says = format!("the running sensor has {}, stamped by: {}", first.mode, first.clock);
    let finding = if first.mode.contains("zero") || attach::is_virtual(interface) {
        Finding::ok("mode in force", says)
    } else {
        Finding::warn("mode in force", says)
            .because("the kernel copies every packet")
            .advise("stop the sensor and look again: then it is tried, with the driver's reason")
    };
    let down = own.filter(|queue| !queue.is_up).count();
    let mut findings = vec![finding];
    if down > 0 {
        findings.push(Finding::fail("queues in use", format!("{down} of the sensor's are not up")));
    }
    (findings, is_generic, false)
}
