//! All sinks of a run, made and checked together; nothing is opened or reached yet.

use std::path::PathBuf;

use crate::error::Error;
use crate::options::{Options, SendOptions, SinkOptions, SpoolOptions};
use crate::own::OwnSink;
use crate::record::{Kind, RecordKind};
use crate::sink::{Identity, Sink, check_name, check_send, make};

/// A sink and what is known of it beside it.
pub(crate) struct Planned {
    pub(crate) sink: Box<dyn Sink>,
    pub(crate) place: Place,
}

/// What is told of a sink, and what it takes.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    pub(crate) name: String,
    pub(crate) kind: &'static str,
    pub(crate) target: String,
    pub(crate) choice: Choice,
    pub(crate) send: SendOptions,
}

/// Which records a sink takes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Choice {
    records: [bool; RecordKind::ALL.len()],
    provisional: bool,
    secondary: bool,
}

impl Choice {
    fn new(send: &SendOptions, records: &[RecordKind]) -> Self {
        Self {
            records: RecordKind::ALL.map(|of| records.contains(&of)),
            provisional: send.provisional,
            secondary: send.secondary,
        }
    }

    /// Whether it takes such a record.
    pub(crate) const fn takes(&self, kind: Kind) -> bool {
        self.records[kind.of as usize]
            && (self.provisional || !kind.provisional)
            && (self.secondary || !kind.secondary)
    }
}

/// Makes all sinks, those of the options first, and checks what concerns all of them.
///
/// # Errors
/// The first option that cannot be as it is.
pub(crate) fn plan(
    options: &Options,
    identity: &Identity,
    own: &[OwnSink],
) -> Result<Vec<Planned>, Error> {
    check_spool(&options.spool)?;
    check_directories(&options.sinks)?;
    let mut planned = Vec::new();
    for options in &options.sinks {
        let place = Place {
            name: options.name().to_owned(),
            kind: options.kind(),
            target: options.target(),
            choice: Choice::new(options.send(), &options.records()),
            send: options.send().clone(),
        };
        planned.push(Planned { sink: make(options, identity)?, place });
    }
    for own in own {
        check_name(&own.name)?;
        check_send(&own.name, &own.send)?;
        let records = own.send.records.as_deref().unwrap_or(&RecordKind::ALL);
        let place = Place {
            name: own.name.clone(),
            kind: own.kind,
            target: own.target.clone(),
            choice: Choice::new(&own.send, records),
            send: own.send.clone(),
        };
        planned.push(Planned { sink: own.sink(), place });
    }
    let name = |number: usize| planned[number].place.name.as_str();
    if let Some(twice) = (1..planned.len()).find(|n| (0..*n).any(|other| name(other) == name(*n))) {
        let why = "two sinks have this name; each needs one of its own";
        return Err(Error::option(format!("sink name {:?}", name(twice)), why));
    }
    Ok(planned)
}

/// Two sinks must not write the same files.
fn check_directories(sinks: &[SinkOptions]) -> Result<(), Error> {
    for (number, sink) in sinks.iter().enumerate() {
        let Some(directory) = files_of(sink) else { continue };
        let same = |other: &&SinkOptions| files_of(other).is_some_and(|files| files == directory);
        if let Some(other) = sinks[..number].iter().find(same) {
            let what = format!("sink {}: directory {}", sink.name(), directory.display());
            let why = format!("sink {} writes there; each needs one of its own", other.name());
            return Err(Error::option(what, why));
        }
    }
    Ok(())
}

/// The directory that a sink has its files in, if it has.
fn files_of(sink: &SinkOptions) -> Option<PathBuf> {
    match sink {
        SinkOptions::Ndjson(options) => {
            let directory = options.directory.as_ref()?;
            Some(std::path::absolute(directory).unwrap_or_else(|_| directory.clone()))
        }
        _ => None,
    }
}

fn check_spool(options: &SpoolOptions) -> Result<(), Error> {
    let segment_bytes = options.segment_bytes;
    if segment_bytes < SEGMENT_BYTES_MIN {
        return Err(Error::option(
            format!("spool.segment_bytes = {segment_bytes}"),
            format!("must be at least {SEGMENT_BYTES_MIN}"),
        ));
    }
    if options.bytes_max < segment_bytes * 2 {
        return Err(Error::option(
            format!("spool.bytes_max = {}", options.bytes_max),
            format!("must be at least two segments, {}", segment_bytes * 2),
        ));
    }
    if !(0.0..=90.0).contains(&options.free_percent_min) {
        return Err(Error::option("spool.free_percent_min", "must be from 0 to 90"));
    }
    if options.queue_events_max == 0 {
        return Err(Error::option("spool.queue_events_max", "must be at least 1"));
    }
    Ok(())
}

impl Options {
    /// Checks everything that can be checked without touching a file or the network.
    ///
    /// # Errors
    /// The first option that cannot be as it is.
    pub fn check(&self) -> Result<(), Error> {
        plan(self, &Identity::of_this_machine(""), &[]).map(|_| ())
    }
}

const SEGMENT_BYTES_MIN: u64 = 4096;

#[cfg(test)]
mod tests {
    use super::Choice;
    use crate::options::{NdjsonOptions, Options, SendOptions, SinkOptions, SpoolOptions};
    use crate::record::{Kind, RecordKind};

    #[test]
    fn two_sinks_do_not_write_the_same_files() {
        let sink = |name: &str, directory: &str| {
            SinkOptions::Ndjson(NdjsonOptions {
                name: name.to_owned(),
                directory: Some(directory.into()),
                ..NdjsonOptions::default()
            })
        };
        let check = |directory| {
            let sinks = vec![sink("a", "/data/events"), sink("b", directory)];
            Options { spool: SpoolOptions::default(), sinks }.check()
        };
        check("/data/events/b").unwrap();
        let why = check("/data/./events/").unwrap_err().to_string();
        assert!(why.contains("sink b: directory") && why.contains("sink a writes there"), "{why}");
    }

    #[test]
    fn only_what_a_sink_names_goes_to_it() {
        let send = SendOptions { secondary: true, ..SendOptions::default() };
        let choice = Choice::new(&send, &[RecordKind::Event, RecordKind::Evidence]);
        let event = Kind::default();
        assert!(choice.takes(event) && choice.takes(Kind { secondary: true, ..event }));
        assert!(!choice.takes(Kind { provisional: true, ..event }));
        assert!(choice.takes(Kind::of(RecordKind::Evidence)));
        assert!(!choice.takes(Kind::of(RecordKind::Minute)));
    }
}
