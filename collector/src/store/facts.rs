//! What the store must know of an event to find it again; the rest of its JSON is only passed over.

use std::borrow::Cow;
use std::net::IpAddr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use classifiers::{Cause, Effect, Impact, Origin, Role, Stage};
use events::{Agreement, Endpoint, Event, EventStatus, UtcTime};
use serde::Deserialize;
use serde::de::IgnoredAny;

use super::incoming::Unreadable;

/// What is stored beside an event's JSON: all that lists show and filters ask for.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) struct EventFacts {
    /// The 16 hexadecimal digits of its identifier.
    pub(super) id: u64,
    pub(super) ts: UtcTime,
    pub(super) client: Endpoint,
    pub(super) server: Endpoint,
    /// The first eight bytes of its Community ID's digest.
    pub(super) community: u64,
    /// By packets and logs together, as the cause.
    pub(super) origin: Origin,
    pub(super) origin_confidence: f64,
    pub(super) cause: Cause,
    pub(super) cause_confidence: f64,
    pub(super) impact: Impact,
    pub(super) stage: Stage,
    pub(super) effect: Effect,
    pub(super) role: Role,
    pub(super) is_final: bool,
    pub(super) revision: u32,
    pub(super) agreement: Option<Agreement>,
    pub(super) in_burst: bool,
    pub(super) has_device: bool,
}

impl EventFacts {
    /// Reads what is needed of an event's line.
    ///
    /// # Errors
    /// It is no event of a schema that is known here.
    pub(super) fn read(json: &[u8]) -> Result<Self, Unreadable> {
        let lean: Lean<'_> =
            serde_json::from_slice(json).map_err(|_| Unreadable("event without its fields"))?;
        lean.facts()
    }

    /// Which of two tellings of a reset holds: the later revision, and final before provisional.
    pub(super) const fn rank(&self) -> (u32, bool) {
        (self.revision, self.is_final)
    }
}

/// The identifier of an event as a number.
pub(crate) fn id_number(id: &str) -> Option<u64> {
    let is_plain = id.len() == 16 && id.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    is_plain.then(|| u64::from_str_radix(id, 16).ok()).flatten()
}

/// What a Community ID is found by.
pub(super) fn community_number(id: &str) -> Option<u64> {
    // 20 bytes; the decoder wants room for the 21 that 28 letters may hold.
    let mut digest = [0; 21];
    let read = STANDARD.decode_slice(id.strip_prefix("1:")?, &mut digest).ok()?;
    (read == 20).then(|| u64::from_be_bytes(digest[..8].try_into().expect("eight bytes")))
}

#[derive(Deserialize)]
struct Lean<'e> {
    #[serde(borrow)]
    id: Cow<'e, str>,
    ts: UtcTime,
    status: EventStatus,
    client: LeanEndpoint,
    server: LeanEndpoint,
    #[serde(borrow)]
    community_id: Cow<'e, str>,
    #[serde(borrow)]
    impact: Cow<'e, str>,
    #[serde(borrow)]
    origin: Cow<'e, str>,
    origin_confidence: f64,
    #[serde(borrow)]
    cause: Cow<'e, str>,
    cause_confidence: f64,
    #[serde(borrow)]
    effect: Cow<'e, str>,
    #[serde(borrow)]
    stage: Cow<'e, str>,
    #[serde(borrow)]
    role: Cow<'e, str>,
    #[serde(default)]
    revision: u32,
    #[serde(default)]
    context: Option<LeanContext>,
    #[serde(default)]
    corroboration: Vec<LeanItem>,
    #[serde(default, borrow)]
    conclusion: Option<LeanConclusion<'e>>,
}

#[derive(Deserialize)]
struct LeanEndpoint {
    ip: IpAddr,
    port: u16,
}

#[derive(Deserialize)]
struct LeanContext {
    #[serde(default)]
    burst: Option<IgnoredAny>,
    #[serde(default)]
    device: Option<IgnoredAny>,
}

#[derive(Deserialize)]
struct LeanItem {
    agreement: Agreement,
}

#[derive(Deserialize)]
struct LeanConclusion<'e> {
    #[serde(borrow)]
    origin: Cow<'e, str>,
    origin_confidence: f64,
    #[serde(borrow)]
    cause: Cow<'e, str>,
    cause_confidence: f64,
}

impl Lean<'_> {
    fn facts(&self) -> Result<EventFacts, Unreadable> {
        let unknown = Unreadable("event with a word that is not known here");
        let (origin, origin_confidence, cause, cause_confidence) = match &self.conclusion {
            Some(all) => (&all.origin, all.origin_confidence, &all.cause, all.cause_confidence),
            None => (&self.origin, self.origin_confidence, &self.cause, self.cause_confidence),
        };
        Ok(EventFacts {
            id: id_number(&self.id).ok_or(Unreadable("event whose id is not 16 hex digits"))?,
            ts: self.ts,
            client: Endpoint { ip: self.client.ip, port: self.client.port },
            server: Endpoint { ip: self.server.ip, port: self.server.port },
            community: community_number(&self.community_id)
                .ok_or(Unreadable("event without a Community ID"))?,
            origin: Origin::from_name(origin).ok_or(unknown)?,
            origin_confidence,
            cause: Cause::from_name(cause).ok_or(unknown)?,
            cause_confidence,
            impact: Impact::from_name(&self.impact).ok_or(unknown)?,
            stage: Stage::from_name(&self.stage).ok_or(unknown)?,
            effect: Effect::from_name(&self.effect).ok_or(unknown)?,
            role: Role::from_name(&self.role).ok_or(unknown)?,
            is_final: self.status == EventStatus::Final,
            revision: self.revision,
            agreement: Agreement::of_all(self.corroboration.iter().map(|item| item.agreement)),
            in_burst: self.context.as_ref().is_some_and(|context| context.burst.is_some()),
            has_device: self.context.as_ref().is_some_and(|context| context.device.is_some()),
        })
    }
}

/// The line of an event that was told anew here and not by its sensor.
pub(crate) fn line_of(sensor: &str, event: &Event) -> serde_json::Result<Vec<u8>> {
    #[derive(serde::Serialize)]
    struct Line<'e> {
        sensor: &'e str,
        #[serde(flatten)]
        event: &'e Event,
    }
    serde_json::to_vec(&Line { sensor, event })
}

/// The JSON of an event without what surrounds it, at most so long.
pub(super) fn checked(json: &[u8]) -> Result<&[u8], Unreadable> {
    let json = json.trim_ascii();
    let is_short = json.len() <= EVENT_BYTES_MAX;
    is_short.then_some(json).ok_or(Unreadable("event longer than 256 KiB"))
}

const EVENT_BYTES_MAX: usize = 256 << 10;

#[cfg(test)]
mod tests {
    use super::community_number;

    #[test]
    fn a_community_id_of_any_length_is_read_or_is_none() {
        let genuine = "1:4XKFrcviN/pwMTNVqAjw5e/T0Vk=";
        assert_eq!(community_number(genuine), Some(0xe172_85ad_cbe2_37fa));
        for len in 0..200 {
            assert_eq!(community_number(&format!("1:{}", "A".repeat(len))), None, "{len}");
        }
        assert_eq!(community_number(&format!("{genuine}===")), None);
    }
}
