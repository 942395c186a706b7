//! What a log line does to a verdict, row by row.

use classifiers::{Cause, Origin, Stage};
use collector::logs::{Context, JoinOptions, Joiner, Reader, Reading, Zone};
use events::{Agreement, Event, Side, UtcTime, community_id};

/// PAN-OS, with NAT of both sides; what stands in braces differs from case to case.
const PAN: &str = "1,2023/11/14 22:13:24,1,TRAFFIC,end,1,2023/11/14 22:13:20,10.1.2.3,203.0.113.9,198.51.100.7,192.168.0.9,\
    web in,,,ssl,v,u,t,i,o,f,x,7,1,40000,443,61000,8443,0x0,tcp,{action},1,1,1,1,2023/11/14 22:13:00,20,any,0,1,0x0,\
    DE,DE,0,1,1,{reason},0,0,0,0,,fw-edge-1,from-policy";

fn pan(reason: &str) -> String {
    PAN.replace("{action}", "allow").replace("{reason}", reason)
}

/// A final event of the lab as the tap before the firewall would tell it.
fn event(origin: Origin, sure: f64, cause: Cause, stage: Stage) -> Event {
    let mut event = crate::models()[0].clone();
    event.ts = UtcTime(1_700_000_000_000_000_000);
    event.age_s = Some(20.0);
    event.idle_before_s = None;
    event.claimed = match origin {
        Origin::Client | Origin::MiddleboxToServer => Side::Client,
        _ => Side::Server,
    };
    event.other_side_rst = false;
    event.capture = Default::default();
    let verdict = &mut event.verdict;
    (verdict.origin, verdict.origin_confidence) = (origin, sure);
    (verdict.cause, verdict.cause_confidence) = (cause, 0.7);
    verdict.stage = stage;
    at(event, "10.1.2.3:40000", "203.0.113.9:443")
}

fn at(mut event: Event, client: &str, server: &str) -> Event {
    let end = |text: &str| {
        let address: std::net::SocketAddr = text.parse().unwrap();
        events::Endpoint { ip: address.ip(), port: address.port() }
    };
    (event.client, event.server) = (end(client), end(server));
    event.community_id = community_id(event.client, event.server, 0);
    event
}

/// The event as the lines make it.
fn joined(event: &Event, lines: &[String]) -> Event {
    let mut joiner = Joiner::new(JoinOptions::offline(10, 10));
    assert!(joiner.event(event.ts, "tap", event).is_empty());
    let mut reader = Reader::new();
    for line in lines {
        let context = Context { received: event.ts, zone: Zone { east_s: 0 }, source: "peer" };
        match reader.read(line.as_bytes(), &context) {
            Ok(Reading::Session(session)) => drop(joiner.session(event.ts, *session)),
            other => panic!("{line}: {other:?}"),
        }
    }
    let told = joiner.finish().pop().expect("the line is joined").event;
    assert_eq!(told.verdict, event.verdict, "the passive verdict is never changed");
    told
}

fn sentence(event: &Event) -> (Agreement, &str) {
    let item = &event.corroboration[0];
    (item.agreement, &item.sentence)
}

#[test]
fn a_reset_of_the_server_in_the_log_and_a_box_on_the_wire_say_where_the_box_is() {
    let seen = event(Origin::MiddleboxToClient, 0.97, Cause::PolicyResetMidstream, Stage::Later);
    let told = joined(&seen, &[pan("tcp-rst-from-server")]);
    assert_eq!(
        sentence(&told),
        (
            Agreement::Refined,
            "fw-edge-1 logs tcp-rst-from-server, but the packet was not sent by the server: the box sits between \
             fw-edge-1 and 203.0.113.9."
        )
    );
    let conclusion = told.conclusion.as_ref().unwrap();
    assert_eq!(
        (conclusion.origin, conclusion.origin_confidence),
        (Origin::MiddleboxToClient, 0.97)
    );
    let item = &told.corroboration[0];
    assert!(item.is_culprit_wrong(seen.verdict.origin));
    assert_eq!(item.matched, "original");
    let behind = at(seen.clone(), "198.51.100.7:61000", "192.168.0.9:8443");
    assert_eq!(item.community_id_nat.as_deref(), Some(behind.community_id.as_str()));
    assert_eq!(told.revision, 1);
    let sheet = events::explain::proof_sheet(&told, 100);
    assert!(sheet.contains("Refined: fw-edge-1 logs tcp-rst-from-server"), "{sheet}");
    // Behind the firewall the tap narrows it further.
    let told = joined(&behind, &[pan("tcp-rst-from-server")]);
    assert!(sentence(&told).1.contains("between this sensor"), "{}", sentence(&told).1);
}

#[test]
fn a_reset_of_the_server_in_both_is_confirmed_and_of_another_contradicted() {
    let seen = event(Origin::Server, 0.9, Cause::AppAbort, Stage::Later);
    let told = joined(&seen, &[pan("tcp-rst-from-server")]);
    assert_eq!(sentence(&told).0, Agreement::Confirmed);
    assert!(told.conclusion.unwrap().origin_confidence > 0.9);
    let seen = event(Origin::Client, 0.95, Cause::AppAbort, Stage::Later);
    let told = joined(&seen, &[pan("tcp-rst-from-server")]);
    assert_eq!(sentence(&told).0, Agreement::Contradicted);
    // With a reset of the other side as well, both may be right.
    let told =
        joined(&Event { other_side_rst: true, ..seen.clone() }, &[pan("tcp-rst-from-server")]);
    assert_eq!(sentence(&told).0, Agreement::Neutral);
    // What nobody knows stays unknown, but the firewall is out of it.
    let seen = event(Origin::Unknown, 0.6, Cause::AppAbort, Stage::Later);
    let told = joined(&seen, &[pan("tcp-rst-from-server")]);
    assert_eq!((sentence(&told).0, told.conclusion.is_none()), (Agreement::Refined, true));
    assert!(!told.corroboration[0].is_culprit_wrong(Origin::Unknown));
}

#[test]
fn a_policy_confirms_a_box_contradicts_an_endpoint_and_is_silent_where_it_drops() {
    let policy = PAN.replace("{action}", "reset-both").replace("{reason}", "policy-deny");
    let seen = event(Origin::MiddleboxToClient, 0.9, Cause::SessionlessReset, Stage::PostPsh);
    let told = joined(&seen, std::slice::from_ref(&policy));
    assert_eq!(sentence(&told).0, Agreement::Confirmed);
    assert!(sentence(&told).1.contains("by rule \"web in\""), "{}", sentence(&told).1);
    let conclusion = told.conclusion.unwrap();
    assert_eq!(conclusion.cause, Cause::PolicyResetContent);
    assert!(conclusion.origin_confidence > 0.97);
    let seen = event(Origin::Server, 0.99, Cause::AppAbort, Stage::Later);
    let told = joined(&seen, std::slice::from_ref(&policy));
    assert_eq!(sentence(&told).0, Agreement::Contradicted);
    let conclusion = told.conclusion.unwrap();
    assert_eq!(conclusion.origin, Origin::Server, "packets come first");
    assert!(conclusion.origin_confidence < 0.8);
    let seen = event(Origin::Server, 0.8, Cause::AppAbort, Stage::Later);
    assert_eq!(joined(&seen, &[policy]).conclusion.unwrap().origin, Origin::Unknown);
    let drops = PAN.replace("{action}", "drop").replace("{reason}", "policy-deny");
    assert_eq!(sentence(&joined(&seen, &[drops])).0, Agreement::Neutral);
    let other_way = PAN.replace("{action}", "reset-server").replace("{reason}", "threat");
    assert_eq!(sentence(&joined(&seen, &[other_way])).0, Agreement::Neutral);
}

#[test]
fn a_session_that_aged_out_tells_the_timer_beside_the_silence() {
    let mut seen =
        event(Origin::MiddleboxToClient, 0.95, Cause::IdleExpiredLatePacket, Stage::Later);
    // Alive for 20 s, silent for 4000 s; the firewall let it age after an hour.
    seen.ts = UtcTime((1_699_999_980 + 4020) * 1_000_000_000);
    seen.age_s = Some(4020.0);
    seen.idle_before_s = Some(4000.0);
    let told = joined(&seen, &[pan("aged-out").replace(",20,any", ",3620,any")]);
    assert_eq!(sentence(&told).0, Agreement::Confirmed);
    assert!(
        sentence(&told).1.contains("(3600 s by its log; 4000 s of silence were seen"),
        "{}",
        sentence(&told).1
    );
    assert_eq!(told.conclusion.unwrap().cause, Cause::IdleExpiredLatePacket);
}

#[test]
fn fin_decryption_resources_and_what_says_nothing() {
    let agreement = |reason: &str, origin, stage| {
        let told = joined(&event(origin, 0.9, Cause::DataAfterClose, stage), &[pan(reason)]);
        (told.corroboration[0].agreement, told.conclusion.map(|said| said.cause))
    };
    assert_eq!(agreement("tcp-fin", Origin::Server, Stage::PostFin), (Agreement::Confirmed, None));
    let device = Origin::MiddleboxToClient;
    assert_eq!(
        agreement("decrypt-error", device, Stage::PostPsh),
        (Agreement::Confirmed, Some(Cause::TlsFailureAbort))
    );
    assert_eq!(agreement("decrypt-error", device, Stage::PostSyn).0, Agreement::Neutral);
    assert_eq!(
        agreement("resources-unavailable", device, Stage::PostSyn),
        (Agreement::Confirmed, Some(Cause::ResourceExhaustion))
    );
    assert_eq!(agreement("tcp-reuse", device, Stage::PostSyn), (Agreement::Neutral, None));
}

#[test]
fn the_line_that_says_most_decides_and_all_are_told() {
    let seen = event(Origin::MiddleboxToClient, 0.9, Cause::PolicyResetMidstream, Stage::Later);
    let other = pan("tcp-rst-from-server").replace("fw-edge-1", "fw-core");
    let policy = PAN.replace("{action}", "reset-both").replace("{reason}", "threat");
    let told = joined(&seen, &[other, policy]);
    assert_eq!(told.corroboration.len(), 2);
    assert_eq!(told.revision, 2);
    assert!(told.conclusion.unwrap().sentence.contains("fw-edge-1 is the box"));
}

#[test]
fn a_proxy_is_an_end_of_both_connections() {
    let line = |state: &str| {
        format!(
            "rstscope_haproxy ci=10.1.2.3 cp=40000 fi=203.0.113.9 fp=443 bi=10.9.0.1 bp=51000 si=192.168.0.9 sp=8443 \
             ts={state} t0=1699999980.000 tt=20000 mode=tcp ft=web b=pool s=a1 bytes=212"
        )
    };
    // In front: the proxy's own reset, because its server went away.
    let front = event(Origin::Server, 0.95, Cause::AppAbort, Stage::Later);
    let told = joined(&front, &[line("SD")]);
    assert_eq!(
        (told.corroboration[0].matched.as_str(), sentence(&told).0),
        ("front", Agreement::Refined)
    );
    assert!(!told.corroboration[0].is_culprit_wrong(Origin::Server));
    assert_eq!(joined(&front, &[line("cD")]).conclusion.unwrap().cause, Cause::IdleTimeoutEndpoint);
    assert_eq!(
        joined(&front, &[line("SC")]).conclusion.unwrap().cause,
        Cause::ProxiedBackendRefused
    );
    // Behind it: the server's reset, or that of a box in its name.
    let back = at(front.clone(), "10.9.0.1:51000", "192.168.0.9:8443");
    assert_eq!(sentence(&joined(&back, &[line("SD")])).0, Agreement::Confirmed);
    let mut forged = back;
    forged.verdict.origin = Origin::MiddleboxToClient;
    let told = joined(&forged, &[line("SD")]);
    assert!(
        sentence(&told).1.ends_with("the box sits between peer and 192.168.0.9."),
        "{}",
        sentence(&told).1
    );
}

#[test]
fn an_asa_whose_opening_was_not_heard_is_read_by_the_sides_of_the_event() {
    let seen = at(
        event(Origin::Server, 0.95, Cause::AppAbort, Stage::Later),
        "192.168.0.5:40000",
        "203.0.113.9:443",
    );
    // Outbound: the client is inside, named second; the reset came from outside.
    let line = "<166>Nov 14 2023 22:13:20 asa-1 : %ASA-6-302014: Teardown TCP connection 9 for outside:203.0.113.9/443 to \
                inside:192.168.0.5/40000 duration 0:00:20 bytes 1 TCP Reset-O"
        .to_owned();
    assert_eq!(sentence(&joined(&seen, &[line])).0, Agreement::Confirmed);
}

#[test]
fn a_denial_of_those_that_answer_with_nothing_by_default_accuses_nobody() {
    let srx = "<14>1 2023-11-14T22:13:20.000Z fw-edge-1 RT_FLOW - RT_FLOW_SESSION_DENY [junos@2636 \
               source-address=\"10.1.2.3\" source-port=\"40000\" destination-address=\"203.0.113.9\" \
               destination-port=\"443\" protocol-id=\"6\" policy-name=\"out\"]";
    let fortigate = "<189>date=2023-11-14 time=22:13:20 devname=\"fw-edge-1\" logid=\"13\" type=\"traffic\" proto=6 \
                     action=\"deny\" srcip=10.1.2.3 srcport=40000 dstip=203.0.113.9 dstport=443";
    let asa = "<166>Nov 14 2023 22:13:20 fw-edge-1 : %ASA-4-106023: Deny tcp src outside:10.1.2.3/40000 dst \
               inside:203.0.113.9/443 by access-group \"out\" [0x0, 0x0]";
    for line in [srx, fortigate, asa] {
        for origin in [Origin::MiddleboxToClient, Origin::Unknown, Origin::Server] {
            let seen = event(origin, 0.9, Cause::PolicyResetSyn, Stage::PostSyn);
            let told = joined(&seen, &[line.to_owned()]);
            assert_eq!(sentence(&told).0, Agreement::Neutral, "{line}");
            assert!(sentence(&told).1.ends_with("is its setting."), "{}", sentence(&told).1);
            assert!(told.conclusion.is_none());
        }
    }
    let pan = PAN.replace("{action}", "deny").replace("{reason}", "policy-deny");
    let seen = event(Origin::MiddleboxToClient, 0.9, Cause::PolicyResetSyn, Stage::PostSyn);
    assert_eq!(sentence(&joined(&seen, &[pan])).0, Agreement::Confirmed);
}

#[test]
fn a_defence_from_floods_changes_nothing_where_an_endpoint_is_known() {
    let line = "<166>Nov 14 2023 22:13:20 asa-1 : %ASA-6-302014: Teardown TCP connection 9 for outside:10.1.2.3/40000 \
                to inside:203.0.113.9/443 duration 0:00:20 bytes 0 SYN Control";
    let told = |origin, cause| {
        let told = joined(&event(origin, 0.9, cause, Stage::PostSyn), &[line.to_owned()]);
        (told.corroboration[0].agreement, told.conclusion.map(|said| (said.origin, said.cause)))
    };
    assert_eq!(told(Origin::Server, Cause::PortClosed), (Agreement::Neutral, None));
    for origin in [Origin::Unknown, Origin::MiddleboxToClient] {
        let refined = (Agreement::Refined, Some((origin, Cause::SynAuthReset)));
        assert_eq!(told(origin, Cause::PolicyResetSyn), refined);
    }
    let known = (Agreement::Confirmed, Some((Origin::MiddleboxToClient, Cause::SynAuthReset)));
    assert_eq!(told(Origin::MiddleboxToClient, Cause::SynAuthReset), known);
}
