//! An event in ArcSight's Common Event Format (CEF, version 0), behind a header as RFC 3164 has it: what
//! receivers of CEF take.
//!
//! An event that logs of firewalls and servers said more of has `cn1` (label `revision`: how often it was told
//! anew), `flexString1` and `cfp3` (`conclusionOrigin` and its confidence), `flexString2` and `cfp4`
//! (`conclusionCause` and its confidence), and `msg`: the conclusion's sentence and one for each log line.
//! `origin` and `reason` stay what the packets say.

use std::fmt::Write as _;
use std::net::IpAddr;

use events::Event;
use events::explain::headline;

use super::rfc5424::plain;
use super::{Writer, cut, severity};
use crate::record::Record;

/// The message, never longer than the writer's limit: fields that do not fit any more are left out, and then
/// `cs6` says so.
pub(super) fn message(writer: &Writer, event: &Event, record: &Record) -> String {
    let verdict = &event.verdict;
    let priority = u16::from(writer.facility) * 8 + u16::from(severity(event));
    let sentence = headline(event);
    let (sentence, is_sentence_cut) = cut(&sentence, SENTENCE_LEN_MAX);
    let mut text = format!(
        "<{priority}>{} {} CEF:0|rstscope|rstscope|{}|{}|{}|{}|",
        stamp(event),
        plain(&writer.sensor, 255),
        header(&writer.version),
        header(verdict.cause.name()),
        header(sentence),
        grade(verdict.impact.name()),
    );
    let mut is_cut = is_sentence_cut;
    for (number, (name, value)) in fields(event, record).into_iter().enumerate() {
        let len = text.len();
        let gap = if number == 0 { "" } else { " " };
        let (value, is_value_cut) = match name {
            "msg" => cut(&value, MESSAGE_LEN_MAX),
            _ => (value.as_str(), false),
        };
        is_cut |= is_value_cut;
        let _ = write!(text, "{gap}{name}={}", extension(value));
        if text.len() > writer.len_max - CUT.len() {
            text.truncate(len);
            is_cut = true;
        }
    }
    if is_cut {
        text.push_str(CUT);
    }
    text
}

fn fields(event: &Event, record: &Record) -> Vec<(&'static str, String)> {
    let verdict = &event.verdict;
    let mut all = vec![
        ("rt", (event.ts.0 / 1_000_000).to_string()),
        ("externalId", event.id.clone()),
        ("proto", "TCP".to_owned()),
        ("act", "reset".to_owned()),
        ("outcome", verdict.impact.name().to_owned()),
        ("reason", verdict.cause.name().to_owned()),
    ];
    all.extend(address(event.client.ip, "src", "c6a2", "c6a2Label", "Source IPv6 Address"));
    all.push(("spt", event.client.port.to_string()));
    all.extend(address(event.server.ip, "dst", "c6a3", "c6a3Label", "Destination IPv6 Address"));
    all.push(("dpt", event.server.port.to_string()));
    for (label, name, key, value) in [
        ("cs1Label", "origin", "cs1", verdict.origin.name().to_owned()),
        ("cs2Label", "stage", "cs2", verdict.stage.name().to_owned()),
        ("cs3Label", "uid", "cs3", record.uid.to_string()),
        ("cs4Label", "communityId", "cs4", event.community_id.clone()),
        ("cfp1Label", "originConfidence", "cfp1", format!("{:.2}", verdict.origin_confidence)),
        ("cfp2Label", "causeConfidence", "cfp2", format!("{:.2}", verdict.cause_confidence)),
    ] {
        all.extend([(label, name.to_owned()), (key, value)]);
    }
    all.push(("cnt", event.rst_count.to_string()));
    all.extend(event.interface.clone().map(|interface| ("deviceInboundInterface", interface)));
    if record.is_test {
        all.extend([("cs5Label", "test".to_owned()), ("cs5", "yes".to_owned())]);
    }
    all.extend(from_logs(event));
    all
}

/// What logs added to the verdict.
fn from_logs(event: &Event) -> Vec<(&'static str, String)> {
    let mut all = Vec::new();
    if event.revision > 0 {
        all.extend([("cn1Label", "revision".to_owned()), ("cn1", event.revision.to_string())]);
    }
    let mut sentences = Vec::new();
    if let Some(said) = &event.conclusion {
        let sure = |confidence: f64| format!("{confidence:.2}");
        for (label, name, key, value) in [
            ("flexString1Label", "conclusionOrigin", "flexString1", said.origin.name().to_owned()),
            ("cfp3Label", "conclusionOriginConfidence", "cfp3", sure(said.origin_confidence)),
            ("flexString2Label", "conclusionCause", "flexString2", said.cause.name().to_owned()),
            ("cfp4Label", "conclusionCauseConfidence", "cfp4", sure(said.cause_confidence)),
        ] {
            all.extend([(label, name.to_owned()), (key, value)]);
        }
        sentences.push(said.sentence.clone());
    }
    sentences.extend(event.corroboration.iter().map(events::CorroborationItem::told));
    if !sentences.is_empty() {
        all.push(("msg", sentences.join(" ")));
    }
    all
}

/// `src` and `dst` are for IPv4 alone; IPv6 has fields with labels.
fn address(
    ip: IpAddr,
    four: &'static str,
    six: &'static str,
    label: &'static str,
    name: &str,
) -> Vec<(&'static str, String)> {
    match ip {
        IpAddr::V4(ip) => vec![(four, ip.to_string())],
        IpAddr::V6(ip) => vec![(label, name.to_owned()), (six, ip.to_string())],
    }
}

/// `Nov 23 08:03:13`, in UTC; `rt` has the year and the milliseconds.
fn stamp(event: &Event) -> String {
    let text = event.ts.to_string();
    let part = |from: usize, to: usize| text.get(from..to).unwrap_or("00");
    let month = part(5, 7).parse::<usize>().ok().and_then(|month| MONTHS.get(month - 1));
    let day = part(8, 10).trim_start_matches('0');
    format!("{} {day:>2} {}", month.copied().unwrap_or("Jan"), part(11, 19))
}

/// How bad, from 0 to 10.
fn grade(impact: &str) -> u8 {
    match impact {
        "aborted" => 6,
        "refused" => 4,
        "benign" => 1,
        _ => 3,
    }
}

/// A field of the header.
fn header(text: &str) -> String {
    escaped(text, '|', "")
}

/// A value of the extension.
fn extension(text: &str) -> String {
    escaped(text, '=', "\\n")
}

fn escaped(text: &str, mark: char, line_feed: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\\' => escaped.push_str("\\\\"),
            c if c == mark => escaped.extend(['\\', c]),
            '\n' if !line_feed.is_empty() => escaped.push_str(line_feed),
            c if c.is_control() => escaped.push(' '),
            c => escaped.push(c),
        }
    }
    escaped
}

/// Bytes of the event's name in the header (512 characters are what receivers keep).
const SENTENCE_LEN_MAX: usize = 512;

/// Bytes of `msg` (1023 characters are what receivers keep).
const MESSAGE_LEN_MAX: usize = 1023;

const CUT: &str = " cs6Label=cut cs6=yes";

const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

#[cfg(test)]
mod tests {
    use super::super::rfc5424::tests::{revise, told};
    use super::{extension, header, message};

    #[test]
    fn a_message_has_a_header_of_seven_fields_and_pairs_behind_it() {
        let (writer, mut event, record) = told();
        event.ts.0 = 1_780_300_801_250_000_000;
        let text = message(&writer, &event, &record);
        assert!(
            text.starts_with("<132>Jun  1 08:00:01 tap_1 CEF:0|rstscope|rstscope|1\\|2|"),
            "{text}"
        );
        assert!(text.contains("|6|rt=1780300801250 externalId="), "{text}");
        assert!(text.contains(" src=192.0.2.10 spt="), "{text}");
        assert!(text.contains(" cs3Label=uid cs3=0000000000000001-2 "), "{text}");
        event.client.ip = "2001:db8::1".parse().unwrap();
        let text = message(&writer, &event, &record);
        assert!(text.contains(" c6a2Label=Source IPv6 Address c6a2=2001:db8::1 spt="), "{text}");
        assert!(!text.contains("src="), "{text}");
    }

    #[test]
    fn a_revised_event_says_what_logs_added() {
        let (writer, mut event, record) = told();
        assert!(!message(&writer, &event, &record).contains("onclusion"));
        revise(&mut event);
        let text = message(&writer, &event, &record);
        let said = " cn1Label=revision cn1=2 flexString1Label=conclusionOrigin flexString1=client \
                    cfp3Label=conclusionOriginConfidence cfp3=0.90 flexString2Label=conclusionCause \
                    flexString2=policy_reset_content cfp4Label=conclusionCauseConfidence cfp4=0.80 \
                    msg=Both \"say\" so. CONTRADICTED: The rule a\\=b did it. CONTRADICTED: ";
        assert!(text.contains(said), "{text}");
        assert!(text.contains(" cs1=middlebox_to_client "), "{text}");
    }

    #[test]
    fn no_value_can_begin_another_field() {
        assert_eq!(header("a|b\\c\nd"), "a\\|b\\\\c d");
        assert_eq!(extension("x=1\ny\\"), "x\\=1\\ny\\\\");
    }

    #[test]
    fn what_is_too_long_is_cut_and_says_so() {
        let (writer, mut event, record) = told();
        event.interface = Some("=".repeat(4000));
        let text = message(&writer, &event, &record);
        assert!(text.len() <= 2048 && text.ends_with(" cs6Label=cut cs6=yes"), "{text}");
    }
}
