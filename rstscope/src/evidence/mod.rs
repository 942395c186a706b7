//! `rstscope evidence`: the packets of a reset as a capture file, with the reasons in it.
//!
//! | file | what |
//! |---|---|
//! | `mod.rs` | the subcommands |
//! | `section.rs` | `[evidence]` of the configuration |
//! | `files.rs` | a capture file for each reset that `rstscope read` tells |
//! | `shipping.rs` | which packets a running sensor sends on |

mod files;
mod section;
mod shipping;

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use anyhow::{Context as _, bail};
use clap::{Args, Subcommand};
use collector::Store;
use events::{Event, EventStatus, Evidence, Pseudonyms};
use pipeline::{EvidenceOptions, Sink};

use crate::Outcome;
use crate::cli::SensorArguments;
use crate::client::{Client, ClientArguments};
use crate::output::warn;
use crate::sensor::{self, Reading};

pub(crate) use files::EvidenceFiles;
pub(crate) use section::{EvidenceSection, check};
pub(crate) use shipping::Shipping;

/// Arguments of `rstscope evidence`.
#[derive(Args, Debug)]
pub(crate) struct EvidenceArguments {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand, Debug)]
enum What {
    /// Fetch the packets of an event that a collector or a running sensor keeps
    Get(GetArguments),
    /// Make it of the reset in a frame of a capture
    Make(Box<MakeArguments>),
}

#[derive(Args, Debug)]
struct GetArguments {
    /// Identifier of the event
    id: String,
    /// Where to write it; - is standard output
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
    /// Where the API is
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:9477")]
    api: String,
    /// Read the store in this directory instead, whether or not a collector uses it
    #[arg(long, value_name = "DIR", conflicts_with = "api")]
    store: Option<PathBuf>,
    /// Write other addresses, by the key in this file (64 hexadecimal digits); with --store only
    #[arg(long, value_name = "KEYFILE", requires = "store")]
    pseudonymise: Option<PathBuf>,
    #[command(flatten)]
    client: ClientArguments,
}

#[derive(Args, Debug)]
struct MakeArguments {
    /// Captures (pcap or pcapng, plain, gzip or zstd); - is standard input
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
    /// The frame of the reset in its file (1-based)
    #[arg(long, value_name = "N")]
    frame: u64,
    /// Where to write it; - is standard output
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
    /// Bytes of payload to keep of each packet; a packet is kept up to 128 bytes in all
    #[arg(long, value_name = "N", default_value_t = 0)]
    payload_bytes: usize,
    /// Write other addresses, by the key in this file (64 hexadecimal digits)
    #[arg(long, value_name = "KEYFILE")]
    pseudonymise: Option<PathBuf>,
    #[command(flatten)]
    sensor: SensorArguments,
}

/// Does what was asked.
pub(crate) fn run(arguments: &EvidenceArguments) -> anyhow::Result<Outcome> {
    match &arguments.what {
        What::Get(arguments) => get(arguments),
        What::Make(arguments) => make(arguments),
    }
}

fn get(arguments: &GetArguments) -> anyhow::Result<Outcome> {
    let id = &arguments.id;
    if id.is_empty() || !id.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        bail!("{id:?} is no identifier of an event; \"rstscope query\" and the page show them");
    }
    let file = match &arguments.store {
        Some(directory) => of_store(directory, id, arguments.pseudonymise.as_deref())?,
        None => {
            let client = Client::new(&arguments.api, &arguments.client)?;
            let path = format!("/api/v1/history/{id}/evidence.pcapng");
            client.bytes(&path, &[]).map_err(anyhow::Error::msg)?
        }
    };
    write(&arguments.output, &file)?;
    Ok(Outcome::Good)
}

fn of_store(directory: &Path, id: &str, key_file: Option<&Path>) -> anyhow::Result<Vec<u8>> {
    let store = Store::open_to_read(directory)
        .with_context(|| format!("open the store in {}", directory.display()))?;
    let Some(mut evidence) = store.evidence(id)? else {
        bail!("{} keeps no packets of event {id}", directory.display());
    };
    if let Some(pseudonyms) = pseudonyms(key_file)? {
        evidence = pseudonyms.evidence(&evidence);
    }
    let detail = store.event(id)?;
    Ok(evidence.to_pcapng(detail.as_ref().map(|detail| &detail.event)))
}

fn make(arguments: &MakeArguments) -> anyhow::Result<Outcome> {
    let pseudonyms = pseudonyms(arguments.pseudonymise.as_deref())?;
    let mut wanted = Wanted { frame: arguments.frame, found: Vec::new(), last: None };
    let evidence = kept(arguments.payload_bytes);
    let reading = Reading { workers: 1, provisional: false, evidence };
    let never = AtomicBool::new(false);
    let (files, sensor) = (&arguments.files, &arguments.sensor);
    let report = sensor::read_by(reading, files, sensor, None, &never, &mut wanted)?;
    warn(&report);
    let (frame, count) = (arguments.frame, wanted.found.len());
    let Some((event, mut evidence)) = wanted.found.pop() else {
        bail!(
            "no primary reset in frame {frame}; \"rstscope read --all\" lists the resets and their \
             frames"
        );
    };
    if count > 0 {
        bail_if_several(count, frame)?;
    }
    if let Some(pseudonyms) = pseudonyms {
        evidence = pseudonyms.evidence(&evidence);
    }
    write(&arguments.output, &evidence.to_pcapng(Some(&event)))?;
    Ok(if report.has_problems() { Outcome::Damaged } else { Outcome::Good })
}

fn bail_if_several(count: usize, frame: u64) -> anyhow::Result<()> {
    if count > 1 {
        bail!("{count} files have a reset in frame {frame}: name one file");
    }
    Ok(())
}

/// What is kept of captures.
pub(crate) const fn kept(payload_bytes: usize) -> EvidenceOptions {
    EvidenceOptions { payload_bytes, ..EvidenceOptions::usual() }
}

/// The mapping by the key in a file.
///
/// # Errors
/// The file cannot be read, or holds no key.
pub(crate) fn pseudonyms(key_file: Option<&Path>) -> anyhow::Result<Option<Pseudonyms>> {
    let Some(path) = key_file else { return Ok(None) };
    let text = std::fs::read_to_string(path)
        .with_context(|| format!("read the key from {}", path.display()))?;
    let pseudonyms = Pseudonyms::by_key(&text).map_err(anyhow::Error::msg);
    pseudonyms.with_context(|| format!("use the key in {}", path.display())).map(Some)
}

fn write(path: &Path, file: &[u8]) -> anyhow::Result<()> {
    if path == Path::new("-") {
        let mut out = io::stdout().lock();
        return out.write_all(file).and_then(|()| out.flush()).context("write to standard output");
    }
    std::fs::write(path, file).with_context(|| format!("write {}", path.display()))
}

/// Keeps the evidence of the resets in a frame.
struct Wanted {
    frame: u64,
    found: Vec<(Event, Evidence)>,
    last: Option<Event>,
}

impl Sink for Wanted {
    fn emit(&mut self, event: &Event) -> io::Result<()> {
        let is_it = event.frame == Some(self.frame) && event.status == EventStatus::Final;
        self.last = is_it.then(|| event.clone());
        Ok(())
    }

    fn evidence(&mut self, evidence: &Evidence) -> io::Result<()> {
        if let Some(event) = self.last.take() {
            self.found.push((event, evidence.clone()));
        }
        Ok(())
    }
}
