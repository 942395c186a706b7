//! Events of real resets: the capture of the demo, judged by the sensor itself.
#![allow(dead_code, reason = "each test uses its part")]

use std::io;
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, OnceLock};

use collector::{Listen, Options, Recent, Sensor, Server};
use events::{Connections, Event, Fibre, QueueStatus, Share, Status, TapFault, TapFaultKind};
use pipeline::Sink;

struct Collected(Vec<Event>);

impl Sink for Collected {
    fn emit(&mut self, event: &Event) -> io::Result<()> {
        self.0.push(event.clone());
        Ok(())
    }
}

/// Every event of the capture, aftermath included.
pub(crate) fn events() -> &'static [Event] {
    static EVENTS: OnceLock<Vec<Event>> = OnceLock::new();
    EVENTS.get_or_init(|| {
        let capture = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../lab/captures/demo.pcap");
        let options = pipeline::Options { seed: Some(7), flows: 1 << 12, ..Default::default() };
        let mut sink = Collected(Vec::new());
        let stop = AtomicBool::new(false);
        pipeline::read(&[capture], &options, None, &stop, &mut sink).expect("the capture is whole");
        assert!(sink.0.len() >= 10, "the capture has ten resets");
        sink.0
    })
}

/// Knows nothing yet; `eth1` shall be watched.
pub(crate) fn recent(options: &Options) -> Arc<Recent> {
    let interfaces = vec!["eth1".to_owned()];
    let sensor = Sensor { name: "tap-7".into(), version: "1.2.3".into(), interfaces };
    Arc::new(Recent::new(options, sensor))
}

/// Knows the events and one status.
pub(crate) fn fed(options: &Options) -> Arc<Recent> {
    let recent = recent(options);
    for event in events() {
        recent.event(event);
    }
    recent.status(&status());
    recent
}

/// On a port that nobody else has.
pub(crate) fn anywhere() -> Options {
    let listen = Some(Listen::At("127.0.0.1:0".parse().expect("an address")));
    Options { listen, ..Options::default() }
}

pub(crate) fn serve(options: &Options, recent: &Arc<Recent>) -> Server {
    let server = collector::serve(options, Arc::clone(recent)).expect("the port is free");
    server.expect("the options do not say off")
}

/// A busy second, with something of everything.
pub(crate) fn status() -> Status {
    let losses = [("kernel_receive_dropped", 9), ("kernel_fill_ring_empty", 7)];
    let losses = losses.map(|(name, count)| (name.to_owned(), count));
    let queue = |queue, is_up| QueueStatus {
        interface: "eth1".into(),
        queue,
        fibre: Some(Fibre::East),
        mode: "native zero-copy".into(),
        clock: "network card".into(),
        is_up,
        packets: 600,
        judged: 590,
        losses: losses.clone().into(),
    };
    let mut status = Status {
        uptime_s: 60.5,
        packets: 1200,
        bytes: 96_000,
        flows: 38,
        flows_max: 1 << 20,
        connections: Connections { opened: 38, reset: 12, closed_well: 26, ..Default::default() },
        resets: 12,
        losses: losses.clone().into(),
        queues: vec![queue(0, true), queue(1, false)],
        ..Status::default()
    };
    status.tap.one_sided = Share { part: 3, whole: 4 };
    status.tap.faults.push(TapFault {
        kind: TapFaultKind::OneSided,
        text: "only one direction of 3 of 4 connections comes".into(),
    });
    status
}
