//! An event as a message of RFC 5424: what a program reads is structured data, what a person reads the text.
//!
//! An event that logs of firewalls and servers said more of has the parameters `revision` (how often it was
//! told anew), `conclusionOrigin`, `conclusionOriginConfidence`, `conclusionCause`,
//! `conclusionCauseConfidence`, `conclusion` (its sentence), and `corroboration`, one for each log line
//! (section 6.3.3 lets a parameter come more than once). `origin` and `cause` stay what the packets say.

use std::fmt::Write as _;

use events::Event;
use events::explain::headline;

use super::{Writer, cut, severity};
use crate::record::Record;

/// The message, never longer than the writer's limit: what does not fit any more is left out, and then
/// the parameter `cut` says so.
pub(super) fn message(writer: &Writer, event: &Event, record: &Record) -> String {
    let priority = u16::from(writer.facility) * 8 + u16::from(severity(event));
    let time = event.ts.to_string();
    // Six decimals are the most that there may be (section 6.2.3).
    let time = time.get(..26).unwrap_or(&time);
    let host = plain(&writer.sensor, 255);
    let number = writer.enterprise_number;
    let mut text = format!("<{priority}>1 {time}Z {host} rstscope - tcp-reset [rst@{number}");
    let room = writer.len_max - END_LEN;
    let mut is_cut = false;
    for (name, value) in parameters(event, record) {
        let len = text.len();
        let _ = write!(text, " {name}=\"{}\"", escaped(&value));
        if text.len() > room {
            text.truncate(len);
            is_cut = true;
        }
    }
    let sentence = headline(event);
    let sentence: String = sentence.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let (sentence, is_sentence_cut) = cut(&sentence, room.saturating_sub(text.len()));
    text.push_str(if is_cut || is_sentence_cut { " cut=\"yes\"] " } else { "] " });
    text.push_str(sentence);
    text
}

fn parameters(event: &Event, record: &Record) -> Vec<(&'static str, String)> {
    let verdict = &event.verdict;
    let mut all = vec![
        ("uid", record.uid.to_string()),
        ("event", event.id.clone()),
        ("impact", verdict.impact.name().to_owned()),
        ("origin", verdict.origin.name().to_owned()),
        ("originConfidence", format!("{:.2}", verdict.origin_confidence)),
        ("cause", verdict.cause.name().to_owned()),
        ("causeConfidence", format!("{:.2}", verdict.cause_confidence)),
        ("stage", verdict.stage.name().to_owned()),
        ("client", event.client.ip.to_string()),
        ("clientPort", event.client.port.to_string()),
        ("server", event.server.ip.to_string()),
        ("serverPort", event.server.port.to_string()),
        ("communityId", event.community_id.clone()),
        ("claimed", event.claimed.name().to_owned()),
        ("resets", event.rst_count.to_string()),
    ];
    let seconds = |value: f64| format!("{value:.6}");
    all.extend(event.age_s.map(|age_s| ("ageSeconds", seconds(age_s))));
    all.extend(event.idle_before_s.map(|idle_s| ("idleSeconds", seconds(idle_s))));
    all.extend(event.interface.clone().map(|interface| ("interface", interface)));
    if record.is_test {
        all.push(("test", "yes".to_owned()));
    }
    if event.revision > 0 {
        all.push(("revision", event.revision.to_string()));
    }
    if let Some(said) = &event.conclusion {
        all.extend([
            ("conclusionOrigin", said.origin.name().to_owned()),
            ("conclusionOriginConfidence", format!("{:.2}", said.origin_confidence)),
            ("conclusionCause", said.cause.name().to_owned()),
            ("conclusionCauseConfidence", format!("{:.2}", said.cause_confidence)),
            ("conclusion", said.sentence.clone()),
        ]);
    }
    all.extend(event.corroboration.iter().map(|item| ("corroboration", item.told())));
    all
}

/// A value of a parameter (section 6.3.3); no control character is of use to anybody.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '"' | '\\' | ']' => escaped.extend(['\\', c]),
            c if c.is_control() => escaped.push(' '),
            c => escaped.push(c),
        }
    }
    escaped
}

/// A name in the header: printable ASCII without spaces.
pub(super) fn plain(text: &str, len_max: usize) -> String {
    let plain = |c: char| if c.is_ascii_graphic() { c } else { '_' };
    let text: String = text.chars().take(len_max).map(plain).collect();
    if text.is_empty() { "-".to_owned() } else { text }
}

/// Bytes that the end of structured data may take.
const END_LEN: usize = " cut=\"yes\"] ".len();

#[cfg(test)]
pub(super) mod tests {
    use events::Event;

    use super::{escaped, message, plain};
    use crate::record::{Kind, Record, Uid};
    use crate::syslog::Writer;

    pub(in super::super) fn told() -> (Writer, Event, Record) {
        let json = include_bytes!("../test_event.json").to_vec();
        let event = serde_json::from_slice(&json).unwrap();
        let (uid, sensor) = (Uid { session: 1, sequence: 2 }, "s".into());
        let record =
            Record { uid, kind: Kind::default(), sensor, is_test: false, time_ms: 0, json };
        let writer = Writer {
            sensor: "tap 1".to_owned(),
            version: "1|2".to_owned(),
            facility: 16,
            enterprise_number: 32473,
            len_max: 2048,
        };
        (writer, event, record)
    }

    /// Logs said more of it.
    pub(in super::super) fn revise(event: &mut Event) {
        let item = serde_json::json!({
            "agreement": "contradicted", "source": "fw1", "product": "pan_os", "said": "threat",
            "ts": event.ts, "matched": "original", "sentence": "The rule a=b did it.", "line": "",
        });
        event.revision = 2;
        event.corroboration = vec![serde_json::from_value(item).unwrap(); 2];
        let conclusion = serde_json::json!({
            "origin": "client", "origin_confidence": 0.9, "cause": "policy_reset_content",
            "cause_confidence": 0.8, "sentence": "Both \"say\" so.",
        });
        event.conclusion = Some(serde_json::from_value(conclusion).unwrap());
    }

    #[test]
    fn a_message_has_the_parts_that_the_standard_names() {
        let (writer, event, record) = told();
        let text = message(&writer, &event, &record);
        assert!(text.starts_with("<132>1 20"), "{text}");
        let head: Vec<&str> = text.splitn(7, ' ').collect();
        assert!(head[1].ends_with('Z') && head[1].len() == 27, "{head:?}");
        assert_eq!(head[2..6], ["tap_1", "rstscope", "-", "tcp-reset"]);
        assert!(head[6].starts_with("[rst@32473 uid=\"0000000000000001-2\" "), "{text}");
        assert!(!text.contains("cut="), "{text}");
    }

    #[test]
    fn a_revised_event_says_what_logs_added() {
        let (writer, mut event, record) = told();
        assert!(!message(&writer, &event, &record).contains("onclusion"));
        revise(&mut event);
        let text = message(&writer, &event, &record);
        let said = " revision=\"2\" conclusionOrigin=\"client\" conclusionOriginConfidence=\"0.90\" \
                    conclusionCause=\"policy_reset_content\" conclusionCauseConfidence=\"0.80\" \
                    conclusion=\"Both \\\"say\\\" so.\" corroboration=\"CONTRADICTED: The rule a=b did it.\" \
                    corroboration=\"CONTRADICTED: The rule a=b did it.\"] ";
        assert!(text.contains(said), "{text}");
        assert!(text.contains(" origin=\"middlebox_to_client\" "), "{text}");
    }

    #[test]
    fn what_is_too_long_is_cut_and_says_so() {
        let (mut writer, mut event, record) = told();
        event.interface = Some("ü]\"".repeat(2000));
        let text = message(&writer, &event, &record);
        assert!(text.len() <= 2048 && text.contains(" cut=\"yes\"] "), "{text}");
        assert!(text.contains("communityId=") && !text.contains("interface="), "{text}");
        writer.len_max = 700;
        let text = message(&writer, &event, &record);
        assert!(text.len() <= 700 && text.contains(" cut=\"yes\"] "), "{text}");
    }

    #[test]
    fn no_value_can_end_its_own_quotes() {
        assert_eq!(escaped("a\"] evil=\"\\\n"), "a\\\"\\] evil=\\\"\\\\ ");
        assert_eq!(plain("", 5), "-");
        assert_eq!(plain("a b\u{e9}cdef", 5), "a_b_c");
    }
}
