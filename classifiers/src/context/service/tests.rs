//! Worlds of services: what happened to them is known, and so must be what is said of it.

use flowtable::{
    Direction, Endpoint, FlowKey, FlowRecord, Happening, Look, Note, Segment, Stack, Timestamp,
    Watch,
};
use wire::{Address, SeqNumber, TcpFlags};

use crate::context::{BurstKind, Context, Setting};
use crate::verdict::Ruling;
use crate::vocabulary::Cause;
use crate::{decide, judge};

const SYN: u16 = 2;
const FIN: u16 = 1;
const RST: u16 = 4;
const ACK: u16 = 16;
const START_MS: u64 = 1_748_736_000_000;

/// One connection as a test tells it.
#[derive(Clone, Copy)]
struct Flow {
    client: Endpoint,
    server: Endpoint,
    opened_ms: u64,
    /// When the server answered a request; never if 0.
    served_ms: u64,
}

#[derive(Default)]
struct World {
    context: Context,
    resets: Vec<(Watch, Ruling)>,
}

fn at(ms: u64) -> Timestamp {
    Timestamp((START_MS + ms) * 1_000_000)
}

fn end(number: u32, port: u16) -> Endpoint {
    let mut address = [0; 16];
    address[12..].copy_from_slice(&number.to_be_bytes());
    Endpoint { address: Address(address), port }
}

/// Connection `number` of the service on `port`, one client address for each twenty.
fn flow(number: u32, port: u16, opened_ms: u64) -> Flow {
    let client = end(1 + number / 20, 20_000 + (number % 40_000) as u16);
    Flow { client, server: end(u32::MAX, port), opened_ms, served_ms: opened_ms + 30 }
}

impl Flow {
    fn segment(ms: u64, flags: u16, seq: u32, ack: u32, len: u32) -> Segment {
        Segment {
            time: at(ms),
            flags: TcpFlags(flags),
            seq: SeqNumber(seq),
            ack: SeqNumber(ack),
            payload_len: len,
            hop_limit: 60,
            window: 500,
            ..Segment::blank()
        }
    }

    /// Everything before the reset; `fin_ms` is when the client closed, if it did.
    fn record(&self, fin_ms: Option<u64>) -> FlowRecord {
        let mut record = FlowRecord::empty();
        let ports = [self.client.port, self.server.port];
        let mut tell = |is_client: bool, segment: Segment| {
            let direction = if is_client { Direction::FromLow } else { Direction::FromHigh };
            record.observe(direction, &segment, ports);
        };
        let opened = self.opened_ms;
        tell(true, Self::segment(opened, SYN, 100, 0, 0));
        tell(false, Self::segment(opened + 20, SYN | ACK, 500, 101, 0));
        tell(true, Self::segment(opened + 22, ACK, 101, 501, 0));
        if self.served_ms > 0 {
            tell(true, Self::segment(self.served_ms - 20, ACK, 101, 501, 50));
            tell(false, Self::segment(self.served_ms, ACK, 501, 151, 80));
            tell(true, Self::segment(self.served_ms + 2, ACK, 151, 581, 0));
        }
        if let Some(ms) = fin_ms {
            tell(true, Self::segment(ms, FIN | ACK, 151, 581, 0));
        }
        record
    }

    fn watch(&self, is_client: bool, reset: Segment, before: FlowRecord) -> Watch {
        let key = FlowKey { low: self.client, high: self.server, scope: 0 };
        let direction = if is_client { Direction::FromLow } else { Direction::FromHigh };
        Watch::new(key, direction, reset, before)
    }
}

impl World {
    fn note(&mut self, flow: &Flow, ms: u64, what: Happening) {
        let Flow { client, server, .. } = *flow;
        self.context.notes(&[&Note { time: at(ms), flow: 0, client, server, what }]);
    }

    fn open(&mut self, flow: &Flow) {
        self.note(flow, flow.opened_ms + 22, Happening::Established);
    }

    fn reset(&mut self, watch: Watch) {
        let verdict = decide(&watch, true, &Setting::NONE);
        self.context.learn(&watch, &verdict);
        self.resets.push((watch, verdict));
    }

    /// The server's process ends: its kernel resets.
    fn cut(&mut self, flow: &Flow, ms: u64) {
        let reset = Flow::segment(ms, RST | ACK, 581, 151, 0);
        self.reset(flow.watch(false, reset, flow.record(None)));
    }

    /// The client speaks, and the host does not know it.
    fn forget(&mut self, flow: &Flow, ms: u64) {
        let mut record = flow.record(None);
        let ports = [flow.client.port, flow.server.port];
        record.observe(Direction::FromLow, &Flow::segment(ms, ACK, 151, 581, 40), ports);
        let reset = Flow::segment(ms + 20, RST, 581, 0, 0);
        self.reset(flow.watch(false, reset, record));
    }

    fn refuse(&mut self, flow: &Flow, ms: u64) {
        let mut record = FlowRecord::empty();
        let ports = [flow.client.port, flow.server.port];
        record.observe(Direction::FromLow, &Flow::segment(ms, SYN, 100, 0, 0), ports);
        let reset = Flow::segment(ms + 20, RST | ACK, 0, 101, 0);
        self.reset(flow.watch(false, reset, record));
    }

    /// What is said of all resets, told as late as the exporter does.
    fn causes(&mut self) -> Vec<Cause> {
        let Self { context, resets } = self;
        let judged = resets.iter().map(|(watch, verdict)| {
            let setting = context.setting(watch, verdict, true);
            let cause = judge(watch, true, &setting).cause;
            assert!(cause == verdict.cause || setting.bears_on(watch), "judged again for nothing");
            cause
        });
        judged.collect()
    }

    fn count(&mut self, cause: Cause) -> usize {
        self.causes().iter().filter(|said| **said == cause).count()
    }
}

/// Sixty connections, opened one after the other within a minute.
fn busy() -> (World, Vec<Flow>) {
    let mut world = World::default();
    let flows: Vec<Flow> = (0..60).map(|n| flow(n, 8080, u64::from(n) * 1000)).collect();
    for flow in &flows {
        world.open(flow);
    }
    (world, flows)
}

#[test]
fn a_killed_process_its_outage_and_its_return_are_one_restart() {
    let (mut world, flows) = busy();
    for (nth, flow) in flows.iter().enumerate() {
        world.cut(flow, 62_000 + nth as u64 / 2);
    }
    for nth in 0..5 {
        world.refuse(&flow(100 + nth, 8080, 0), 63_000 + u64::from(nth) * 500);
    }
    world.open(&flow(200, 8080, 67_000));
    assert_eq!(world.count(Cause::ServiceRestart), 60);
    assert_eq!(world.count(Cause::ServiceUnavailable), 5);
    let burst = *world.context.bursts().next().expect("there was one");
    assert_eq!(burst.kind(), BurstKind::Restart);
    assert_eq!((burst.cuts(), burst.outage.refused), (60, 5));
    assert_eq!(burst.share(), Some(1.0));
    assert_eq!(burst.last().since_ns(burst.first()), 29_000_000);
    assert_eq!(burst.outage_ns(), Some(5_022_000_000));
    assert!(burst.came_back() && burst.moved.is_none());
}

#[test]
fn a_process_that_has_nothing_unread_ends_by_fins() {
    let (mut world, flows) = busy();
    for flow in &flows {
        let idle = flowtable::Ticks::from_ms(1_000);
        let silence = flowtable::Silence {
            idle,
            unused: idle,
            survived: idle,
            age_s: 10,
            client_spoke_last: false,
            is_disturbed: false,
            is_established: true,
        };
        let fin = Happening::FirstFin { by_client: false, silence };
        world.note(flow, 62_000, fin);
        world.note(flow, 62_010, Happening::Closed);
    }
    world.refuse(&flow(100, 8080, 0), 62_500);
    assert_eq!(world.count(Cause::ServiceUnavailable), 1);
    let burst = *world.context.bursts().next().expect("there was one");
    assert_eq!((burst.kind(), burst.cuts(), burst.finished()), (BurstKind::Down, 0, 60));
}

#[test]
fn silence_and_then_no_memory_is_a_reboot_also_for_those_who_speak_late() {
    let (mut world, flows) = busy();
    for (nth, flow) in flows.iter().enumerate() {
        let late = if nth < 10 { 20_000 } else { 0 };
        world.forget(flow, 75_000 + nth as u64 * 20 + late);
    }
    assert_eq!(world.count(Cause::ServiceRestart), 60);
    let burst = *world.context.bursts().next().expect("there was one");
    assert_eq!(burst.kind(), BurstKind::Reboot);
    assert!(burst.silence_ns().is_some_and(|ns| (14_000_000_000..17_000_000_000).contains(&ns)));
}

#[test]
fn a_pool_of_old_connections_that_expired_is_no_reboot() {
    let (mut world, flows) = busy();
    for (nth, flow) in flows.iter().enumerate() {
        world.forget(flow, 3_600_000 + nth as u64);
    }
    assert_eq!(world.count(Cause::ServiceRestart), 0);
}

#[test]
fn another_machine_under_the_same_address_is_a_failover() {
    let (mut world, flows) = busy();
    let look = |hop_limit| Look { hop_limit, stack: Stack::Linux };
    let moved = Happening::NewLook { before: look(60), now: look(61) };
    world.note(&flow(100, 8080, 0), 63_000, moved);
    for (nth, flow) in flows.iter().enumerate() {
        world.forget(flow, 62_000 + nth as u64 * 10);
    }
    assert_eq!(world.count(Cause::ServiceRestart), 60);
    assert_eq!(world.context.bursts().next().map(super::Burst::kind), Some(BurstKind::Failover));
}

#[test]
fn a_crash_loop_is_several_bursts_and_a_late_refusal_is_of_none() {
    let (mut world, flows) = busy();
    flows.iter().for_each(|flow| world.cut(flow, 62_000));
    let again: Vec<Flow> = (100..160).map(|n| flow(n, 8080, 64_000 + u64::from(n))).collect();
    again.iter().for_each(|flow| world.open(flow));
    again.iter().for_each(|flow| world.cut(flow, 68_000));
    world.refuse(&flow(300, 8080, 0), 200_000);
    assert_eq!(world.count(Cause::ServiceRestart), 120);
    let refused: Vec<u32> = world.context.bursts().map(|burst| burst.outage.refused).collect();
    assert_eq!(refused, [0, 0]);
}

#[test]
fn clients_that_abort_together_are_no_restart_of_the_server() {
    let (mut world, flows) = busy();
    for flow in &flows {
        let reset = Flow::segment(62_000, RST | ACK, 151, 581, 0);
        world.reset(flow.watch(true, reset, flow.record(None)));
    }
    assert_eq!(world.count(Cause::ServiceRestart), 0);
    assert_eq!(world.context.bursts().count(), 0);
}

#[test]
fn the_end_of_a_load_test_is_no_restart() {
    let (mut world, flows) = busy();
    for flow in &flows {
        let reset = Flow::segment(62_020, RST | ACK, 581, 152, 0);
        world.reset(flow.watch(false, reset, flow.record(Some(62_000))));
    }
    assert_eq!(world.count(Cause::ServiceRestart), 0);
}

#[test]
fn a_server_that_ends_every_connection_by_reset_does_not_restart_all_the_time() {
    let mut world = World::default();
    for number in 0..3_000 {
        let flow = flow(number, 8080, u64::from(number) * 10);
        world.open(&flow);
        world.cut(&flow, flow.opened_ms + 100);
    }
    assert_eq!(world.count(Cause::ServiceRestart), 0);
}

#[test]
fn the_sessions_of_one_client_that_are_ended_are_no_restart() {
    let (mut world, flows) = busy();
    for flow in &flows[..20] {
        world.cut(flow, 62_000);
    }
    assert_eq!(world.count(Cause::ServiceRestart), 0);
}

#[test]
fn silences_of_equal_length_are_a_timer_not_a_restart() {
    let (mut world, flows) = busy();
    for flow in &flows {
        let flow = Flow { served_ms: 60_030, ..*flow };
        world.cut(&flow, 120_030);
    }
    assert_eq!(world.count(Cause::ServiceRestart), 0);
}

#[test]
fn a_scan_of_closed_ports_leaves_them_closed_and_fills_nothing() {
    let (mut world, _) = busy();
    for port in 9_000..19_000 {
        world.refuse(&flow(500, port, 0), 62_000);
    }
    assert_eq!(world.count(Cause::PortClosed), 10_000);
    assert_eq!(world.context.services.known.iter().count(), 1);
}

#[test]
fn a_refusal_before_the_service_appears_is_a_service_on_its_way_up() {
    let mut world = World::default();
    world.refuse(&flow(1, 8080, 0), 1_000);
    world.open(&flow(2, 8080, 3_000));
    assert_eq!(world.causes(), [Cause::ServiceUnavailable]);
}

#[test]
fn members_that_refuse_in_turn_are_told_as_that() {
    let (mut world, _) = busy();
    for round in 0..6 {
        world.refuse(&flow(100 + round, 8080, 0), 61_000 + u64::from(round) * 500);
        world.open(&flow(200 + round, 8080, 61_200 + u64::from(round) * 500));
    }
    let (watch, verdict) = *world.resets.last().expect("six were refused");
    let setting = world.context.setting(&watch, &verdict, false);
    assert!(setting.service.is_some_and(|service| service.is_mixed));
    assert_eq!(judge(&watch, true, &setting).cause, Cause::ServiceUnavailable);
}

#[test]
fn a_flood_of_services_takes_no_more_memory_and_leaves_the_busy_one_alone() {
    let (mut world, flows) = busy();
    for number in 0..300_000 {
        let stranger = Flow { server: end(number, 80), ..flow(number, 80, 61_000) };
        world.open(&stranger);
        if number % 10_000 == 0 {
            world.open(&flow(number, 8080, 61_000));
        }
    }
    assert!(world.context.services.known.iter().count() <= super::SERVICES_MAX.get());
    for flow in &flows {
        world.cut(flow, 62_000);
    }
    assert_eq!(world.count(Cause::ServiceRestart), 60);
}

#[test]
fn a_flood_of_bursts_forgets_the_oldest() {
    let mut world = World::default();
    for service in 0..2_000 {
        let flows = (0..40).map(|n| flow(n, 1_000 + service, u64::from(n) * 100));
        let flows: Vec<Flow> = flows.collect();
        flows.iter().for_each(|flow| world.open(flow));
        flows.iter().for_each(|flow| world.cut(flow, 9_000));
    }
    assert_eq!(world.context.bursts().count(), 1_024);
    assert_eq!(world.count(Cause::ServiceRestart), 1_024 * 40);
}

#[test]
fn a_clock_set_back_begins_anew() {
    let (mut world, _) = busy();
    let flows: Vec<Flow> = (0..60).map(|n| flow(n, 8080, u64::from(n) * 1000)).collect();
    flows.iter().for_each(|flow| world.open(flow));
    flows.iter().for_each(|flow| world.cut(flow, 62_000));
    assert!(world.count(Cause::ServiceRestart) == 60);
    let burst = *world.context.bursts().next().expect("there was one");
    assert!(burst.share().is_some_and(|share| share > 0.4));
}
