//! One reset, as it is told to the world.

use std::net::IpAddr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha1::{Digest as _, Sha1};

use crate::context::ContextFields;
use crate::corroboration::{Conclusion, CorroborationItem};
use crate::time::UtcTime;
use crate::verdict::VerdictFields;

/// Version of the event's fields; raised when one changes its meaning or disappears.
pub const SCHEMA: u32 = 1;

/// One reset: where and when it was seen, between whom, the verdict, and the numbers behind it.
///
/// The fields of [`VerdictFields`] stand beside the others in JSON (no nesting). Optional fields
/// are left out where there is nothing to say; all others are always there.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Event {
    /// Names this reset, see [`event_id`]; the provisional and the final event share it.
    pub id: String,
    /// [`SCHEMA`].
    pub schema: u32,
    /// When the reset was received.
    pub ts: UtcTime,
    /// Whether what follows the reset was seen already.
    pub status: EventStatus,
    /// Capture file, if it came out of one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// 1-based number of the reset in its file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub frame: Option<u64>,
    /// Interface, if it was received live.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interface: Option<String>,
    /// Receive queue of that interface.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub queue: Option<u16>,
    /// Who opened the connection.
    pub client: Endpoint,
    /// Who was connected to.
    pub server: Endpoint,
    /// How it is known who is who.
    pub role_source: RoleSource,
    /// VLAN identifiers, outermost first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub vlan: Vec<u16>,
    /// The innermost tunnel.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tunnel: Option<TunnelFields>,
    /// Community ID version 1.
    pub community_id: String,
    /// Whose name the reset bears: its source address.
    pub claimed: Side,
    /// Who, why, how sure, by what evidence.
    #[serde(flatten)]
    pub verdict: VerdictFields,
    /// Silence before the reset, seconds; absent if nothing came before it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idle_before_s: Option<f64>,
    /// Seconds between the last packet of the receiver that the numbers of the reset fit and the
    /// reset; absent if they fit none that was seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answered_after_s: Option<f64>,
    /// Milliseconds that whoever sent the reset is away at most, in one direction: half the time
    /// since the first packet passed that told him its numbers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub one_way_ms_max: Option<f64>,
    /// Longest silence that the connection had survived before, whole seconds; absent below 1 s.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub longest_silence_s: Option<u32>,
    /// Seconds between the FIN of the named sender and the last data of the receiver, where that
    /// came later.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub late_after_close_s: Option<f64>,
    /// Seconds since the first packet of the connection that was seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub age_s: Option<f64>,
    /// Shortest round trip between the sensor and each side, milliseconds.
    pub rtt_ms: PerSide<Option<f64>>,
    /// Packets of each side before the reset.
    pub packets: PerSide<u64>,
    /// Payload bytes of each side, by sequence numbers.
    pub bytes: PerSide<u64>,
    /// The reset itself.
    pub rst: ResetFields,
    /// What the packets of the named sender look like otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peer: Option<Baseline>,
    /// Resets of this connection so far, this one included.
    pub rst_count: u32,
    /// Whether resets went to both ends.
    pub other_side_rst: bool,
    /// Seconds until the first reset in the other direction, where that came after this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub other_side_rst_after_s: Option<f64>,
    /// What the first payload of each side was.
    pub app: PerSide<Option<String>>,
    /// What other connections tell of it; absent if nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub context: Option<ContextFields>,
    /// How good the view was.
    pub capture: CaptureQuality,
    /// How often the event was told anew because logs had more to say; 0 comes from the sensor.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub revision: u32,
    /// What logs of firewalls and servers say of it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub corroboration: Vec<CorroborationItem>,
    /// What packets and logs say together; the passive verdict above is never changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub conclusion: Option<Conclusion>,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde asks so")]
const fn is_zero(count: &u32) -> bool {
    *count == 0
}

impl Event {
    /// The endpoint whose address the reset bears as its source.
    #[must_use]
    pub const fn claimed_endpoint(&self) -> Endpoint {
        match self.claimed {
            Side::Client => self.client,
            Side::Server => self.server,
        }
    }

    /// Whether it is neither the aftermath of another reset nor captured twice.
    #[must_use]
    pub fn is_primary(&self) -> bool {
        self.verdict.role == classifiers::Role::Primary
    }

    /// Whether it counts: a primary reset with its final verdict.
    #[must_use]
    pub fn counts(&self) -> bool {
        self.status == EventStatus::Final && self.is_primary()
    }

    /// What logs make of the verdict, if any spoke of it: what speaks against it counts most.
    #[must_use]
    pub fn agreement(&self) -> Option<crate::Agreement> {
        crate::Agreement::of_all(self.corroboration.iter().map(|item| item.agreement))
    }
}

/// Makes the name of an event: 16 hexadecimal digits that depend on nothing but the arguments.
///
/// Reading the same file again gives the same names, so a store can tell a repetition. `run`
/// separates sensors and restarts in live use and is the file's name in replay; `sequence` is the
/// frame's number in its file or on its queue.
#[must_use]
pub fn event_id(run: &str, queue: u16, sequence: u64, ts: UtcTime) -> String {
    let mut hash = Sha1::new();
    hash.update(run.as_bytes());
    hash.update([0]);
    hash.update(queue.to_be_bytes());
    hash.update(sequence.to_be_bytes());
    hash.update(ts.0.to_be_bytes());
    hash.finalize()[..8].iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Whether a verdict may still change.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum EventStatus {
    /// Said at once; what follows the reset is still being watched.
    Provisional,
    /// Said after the watch.
    Final,
}

/// An address and a TCP port.
#[derive(
    Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize, JsonSchema,
)]
pub struct Endpoint {
    /// IP address.
    pub ip: IpAddr,
    /// TCP port.
    pub port: u16,
}

impl std::fmt::Display for Endpoint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::net::SocketAddr::new(self.ip, self.port).fmt(f)
    }
}

/// How it is known who opened the connection.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RoleSource {
    /// The SYN was seen.
    Syn,
    /// The SYN/ACK was seen.
    Synack,
    /// Guessed: the lower or better known port is the server's.
    Port,
}

/// One end of a connection.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Side {
    /// Who opened it.
    Client,
    /// Who was connected to.
    Server,
}

impl Side {
    /// The name used in events.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::Server => "server",
        }
    }

    /// The other end.
    #[must_use]
    pub const fn opposite(self) -> Self {
        match self {
            Self::Client => Self::Server,
            Self::Server => Self::Client,
        }
    }
}

/// The same fact of both ends.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize, JsonSchema)]
pub struct PerSide<T> {
    /// Of the client.
    pub client: T,
    /// Of the server.
    pub server: T,
}

impl<T> PerSide<Option<T>> {
    /// Whether it is known of neither side.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.client.is_none() && self.server.is_none()
    }
}

impl<T> PerSide<T> {
    /// The fact of one side.
    pub const fn of(&self, side: Side) -> &T {
        match side {
            Side::Client => &self.client,
            Side::Server => &self.server,
        }
    }
}

/// A tunnel and the number it separates tenants by.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct TunnelFields {
    /// Which encapsulation: `gre`, `vxlan`, `geneve`, `gtp_u`, `ip_in_ip`, `l2tp`, `erspan`,
    /// `teredo` or `pppoe`.
    pub kind: String,
    /// VNI, key, TEID or session; 0 if it has none.
    pub id: u32,
}

/// The header fields of the reset.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize, JsonSchema)]
pub struct ResetFields {
    /// Control bits as letters: `R`, `RA`, `RPA` ...
    pub flags: String,
    /// Sequence number relative to the next one of the named sender; absent if that is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seq_delta: Option<i64>,
    /// Acknowledgment relative to the next sequence number of the receiver; absent without ACK.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ack_delta: Option<i64>,
    /// TTL or hop limit.
    pub ttl: u8,
    /// Hops behind that, from the next higher usual initial value.
    pub hops: u8,
    /// IPv4 identification; absent for IPv6.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ip_id: Option<u16>,
    /// IPv6 flow label; absent for IPv4.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub flow_label: Option<u32>,
    /// IPv4 DF; absent for IPv6.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub df: Option<bool>,
    /// Window as sent, unscaled.
    pub window: u16,
    /// TOS or traffic class.
    pub traffic_class: u8,
    /// Whether it bore TCP timestamps.
    pub timestamps: bool,
    /// Payload bytes on the wire.
    pub payload_len: u32,
    /// The payload's first 64 bytes, if they are text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payload_text: Option<String>,
}

/// What the named sender's packets looked like before the reset.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize, JsonSchema)]
pub struct Baseline {
    /// Last TTL or hop limit.
    pub ttl: u8,
    /// Hops behind that.
    pub hops: u8,
    /// Last IPv4 identification; absent for IPv6.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ip_id: Option<u16>,
    /// IPv6 flow label; absent for IPv4.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub flow_label: Option<u32>,
    /// Whether the packets bore DF; absent for IPv6.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub df: Option<bool>,
    /// Last window as sent.
    pub window: u16,
    /// Whether the connection uses TCP timestamps.
    pub timestamps: bool,
    /// How many packets this is taken from.
    pub packets: u64,
}

/// How much of the connection was to be seen; what was not seen weakens the verdict.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize, JsonSchema)]
pub struct CaptureQuality {
    /// Its beginning was missed.
    pub midstream: bool,
    /// Only one direction was seen.
    pub asymmetric: bool,
    /// Segments are missing in the capture.
    pub gap_seen: bool,
    /// The 4-tuple had served an earlier connection.
    pub reused_tuple: bool,
    /// Control mode may have left out segments of it: only its first ones, one a second and what
    /// follows an end were seen. Spans and silences may be up to 1.1 s shorter than said.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub control_only: bool,
    /// The tap shows only one direction of many connections.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub one_sided_tap: bool,
    /// The tap shows packets twice.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub duplicating_tap: bool,
    /// Directions of connections come in on different queues, whose workers share nothing.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub split_queues: bool,
    /// Directions of connections come in on the wrong port of a two-port link.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub mixed_fibres: bool,
}

#[cfg(test)]
mod tests {
    use super::{Endpoint, UtcTime, event_id};

    #[test]
    fn the_same_place_and_time_give_the_same_name_and_others_another() {
        let name = event_id("a.pcap", 0, 7, UtcTime(9));
        assert_eq!(name, event_id("a.pcap", 0, 7, UtcTime(9)));
        assert_eq!(name.len(), 16);
        for other in [
            event_id("b.pcap", 0, 7, UtcTime(9)),
            event_id("a.pcap", 1, 7, UtcTime(9)),
            event_id("a.pcap", 0, 8, UtcTime(9)),
            event_id("a.pcap", 0, 7, UtcTime(8)),
        ] {
            assert_ne!(name, other);
        }
    }

    #[test]
    fn an_ipv6_endpoint_is_written_in_brackets() {
        let endpoint = Endpoint { ip: "2001:db8::1".parse().unwrap(), port: 443 };
        assert_eq!(endpoint.to_string(), "[2001:db8::1]:443");
    }
}
