//! `rstscope doctor`: what keeps this machine from sensing well, and the command that mends it.
//!
//! Each check looks at one thing and tells a [`finding::Finding`]: OK, WARN (slower, or knowing less) or
//! FAIL (no packets, or wrong verdicts), with the commands that mend it. What cannot be looked at says so;
//! what a machine does not have is not shown. Zero copy and the like are tried by attaching for a moment,
//! and the tap is judged by running the sensor on it for some seconds; if a sensor is running already, it
//! is asked.
//!
//! | file | what |
//! |---|---|
//! | `machine.rs`, `processor.rs`, `clocks.rs`, `privileges.rs` | the machine, and what we may do on it |
//! | `port.rs` | the order of all that concerns one interface |
//! | `link.rs`, `frames.rs`, `driver.rs`, `attach.rs`, `queues.rs`, `offloads.rs`, `affinity.rs` | of that |
//! | `watch.rs`, `tap.rs` | a short run of the sensor, and what it tells of the tap |
//! | `spool.rs` | room for events, and sinks |
//! | `sensor.rs` | the running sensor, asked through its API |
//! | `finding.rs`, `text.rs`, `mend.rs` | what is told, how it looks, and how it is mended |
//! | `files.rs` | `/proc` and `/sys` |

mod affinity;
mod arguments;
mod attach;
mod clocks;
mod driver;
mod files;
mod finding;
mod frames;
mod link;
mod machine;
mod mend;
mod offloads;
mod port;
mod privileges;
mod processor;
mod queues;
mod sensor;
mod spool;
mod tap;
mod text;
mod watch;

use std::io::{self, BufWriter, Write as _};

use anyhow::Context as _;
pub(crate) use arguments::DoctorArguments;
use events::Status;
use files::Files;
use finding::{Diagnosis, Finding};
use nix::sched::{CpuSet, sched_getaffinity};
use port::Circumstances;
use xdp::{Interface, Privileges, ReceiveHash, Symmetry};

use crate::config::{self, Config, LinkSection, PagesChoice};
use crate::{Outcome, terminal};

/// Looks, tells, and mends where that was asked for.
pub(crate) fn run(arguments: &DoctorArguments) -> anyhow::Result<Outcome> {
    if arguments.symmetric_hash {
        return make_symmetric(arguments);
    }
    let mut config = config::load(arguments.config.as_deref())?.config;
    if !arguments.interface.is_empty() {
        config.link = arguments.interface.iter().map(|link| LinkSection::parse(link)).collect();
    }
    config::check(&config)?;
    let diagnosis = look(&config, arguments);
    let mends = arguments.fix && arguments.look <= mend::LOOKS_MAX;
    if !(mends && arguments.json) {
        tell(&diagnosis, arguments)?;
    }
    if mends && mend::mend(&diagnosis, arguments)? {
        return mend::look_again(arguments.look + 1).map(|()| Outcome::Good);
    }
    if mends && arguments.json {
        tell(&diagnosis, arguments)?;
    }
    Ok(if diagnosis.ok { Outcome::Good } else { Outcome::Faulty })
}

fn tell(diagnosis: &Diagnosis, arguments: &DoctorArguments) -> anyhow::Result<()> {
    let mut out = BufWriter::new(io::stdout().lock());
    if arguments.json {
        serde_json::to_writer_pretty(&mut out, diagnosis)?;
        writeln!(out)?;
    } else {
        if arguments.look > 1 {
            writeln!(out, "\nLooked again:\n")?;
        }
        let colours = terminal::colours(arguments.color);
        text::write(&mut out, diagnosis, terminal::width(), colours)?;
    }
    out.flush().context("write to standard output")
}

fn look(config: &Config, arguments: &DoctorArguments) -> Diagnosis {
    let files = Files::of_machine();
    let cores = cores();
    let (running, refusal) = match sensor::status(&config.api) {
        Ok(running) => (running, None),
        Err(why) => (None, Some(why)),
    };
    let names: Vec<&String> = config.link.iter().flat_map(|link| &link.interfaces).collect();
    let queue_bytes = queue_bytes(config, &names);
    let flow_bytes = config.sensor.flows as u64 * FLOW_LEN;
    let is_reserved = config.capture.huge_pages == PagesChoice::Reserved;
    let reserved_bytes = is_reserved.then_some(queue_bytes);
    let needed_bytes = queue_bytes + flow_bytes + REST_LEN;
    let mut findings = machine::check(&files, needed_bytes, reserved_bytes);
    findings.extend(processor::check(&files));
    findings.extend(clocks::check(&files));
    findings.extend(privileges::check(queue_bytes));
    findings.extend(refusal.map(|why| Finding::not_checked("running sensor", why)));
    findings = findings.into_iter().map(|finding| finding.of("machine")).collect();

    let may = Privileges::here().is_none_or(|privileges| privileges.missing.is_empty());
    let around = Circumstances {
        files: &files,
        config,
        running: running.as_ref(),
        cores: &cores,
        hindrance: match () {
            () if !may => Some("capabilities are missing"),
            () if arguments.watch == 0 => Some("--watch 0 leaves the interface alone"),
            () => None,
        },
    };
    let mut can_watch = !names.is_empty();
    for name in &names {
        let (found, is_attachable) = port::check(name, &around);
        findings.extend(found.into_iter().map(|finding| finding.of(name)));
        can_watch &= is_attachable;
    }
    findings.extend(traffic(config, &names, running.as_ref(), can_watch, arguments.watch));
    let delivery = spool::check(&config.spool, &config.sink, config.store.enabled);
    findings.extend(delivery.into_iter().map(|finding| finding.of("delivery")));
    Diagnosis::new(findings)
}

/// What the traffic tells: of a short run, or of the sensor that is running.
fn traffic(
    config: &Config,
    names: &[&String],
    running: Option<&Status>,
    can_watch: bool,
    seconds: u32,
) -> Vec<Finding> {
    let by_queue = config.capture.symmetric_queues;
    let asked = running.filter(|status| names.iter().any(|name| sensor::watches(status, name)));
    if let Some(status) = asked {
        let mut findings = tap::check(status, by_queue);
        findings.extend(tap::lost(status));
        return findings.into_iter().map(|finding| finding.of("tap")).collect();
    }
    if names.is_empty() {
        let why = "no interface was named; --interface IF looks at one";
        return vec![Finding::not_checked("interfaces", why).of("tap")];
    }
    if !can_watch {
        let why = match seconds {
            0 => "--watch 0 leaves the interfaces alone",
            _ => "not all interfaces could be attached to, see above",
        };
        return vec![Finding::not_checked("traffic", why).of("tap")];
    }
    match watch::watch(config, seconds) {
        Ok(watched) => {
            let found = tap::check(&watched.status, by_queue);
            let mut findings: Vec<Finding> =
                found.into_iter().map(|finding| finding.of("tap")).collect();
            findings.extend(tap::losses(&watched));
            findings
        }
        Err(error) => vec![Finding::fail("traffic", crate::chain_text(&error)).of("tap")],
    }
}

/// `--symmetric-hash`.
fn make_symmetric(arguments: &DoctorArguments) -> anyhow::Result<Outcome> {
    let links = arguments.interface.iter().map(|link| LinkSection::parse(link));
    for name in links.flat_map(|link| link.interfaces) {
        let symmetry = ReceiveHash::make_symmetric(&name).with_context(|| {
            format!("make the receive hash of {name} symmetric by ethtool netlink (Linux 6.17)")
        })?;
        let how = match symmetry {
            Symmetry::Xor => "symmetric-xor",
            Symmetry::OrXor => "symmetric-or-xor",
            Symmetry::Key => "a key that repeats after 16 bits",
        };
        writeln!(io::stdout().lock(), "{name}: {how}")?;
    }
    Ok(Outcome::Good)
}

/// Bytes of the frames of all queues.
fn queue_bytes(config: &Config, names: &[&String]) -> u64 {
    let of = |name: &&String| -> Option<u64> {
        let interface = Interface::query(name).ok()?;
        let (frame_size, _) = interface.frame_plan(config.capture.frame_size);
        Some(u64::from(interface.receive_queues()) * u64::from(frame_size))
    };
    names.iter().filter_map(of).sum::<u64>() * u64::from(config.capture.frames)
}

/// The cores that this process may use.
fn cores() -> Vec<u32> {
    let allowed = sched_getaffinity(nix::unistd::Pid::from_raw(0));
    let is_allowed =
        |core: &usize| allowed.as_ref().is_ok_and(|set| set.is_set(*core).unwrap_or(false));
    (0..CpuSet::count()).filter(is_allowed).map(|core| core as u32).collect()
}

/// A connection in the table.
const FLOW_LEN: u64 = 132;
/// Servers, watches, windows and all else that the sensor takes at its start, about.
const REST_LEN: u64 = 128 << 20;
