//! The packets that a verdict rests on.
//!
//! | file | what |
//! |---|---|
//! | `frame.rs` | what a kept packet tells, and where its headers end |
//! | `ladder.rs` | packets as a ladder, in rows and as text |
//! | `comments.rs` | what a verdict says beside which packet |
//! | `pcapng.rs` | packets and comments as a capture file |
//! | `pseudonyms.rs`, `renamed.rs` | other addresses in place of the true ones, in packets and comments |

mod comments;
mod frame;
mod ladder;
mod pcapng;
mod pseudonyms;
mod renamed;

pub use frame::ethernet_headers;
pub use ladder::{LadderRung, ladder_text};
pub use pseudonyms::Pseudonyms;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::event::{Endpoint, Side};
use crate::time::UtcTime;

/// The first and the last packets of a connection that was reset, in the order they came.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Evidence {
    /// [`crate::SCHEMA`].
    pub schema: u32,
    /// Identifier of the event.
    pub event: String,
    /// When the reset came.
    pub ts: UtcTime,
    /// Who opened the connection.
    pub client: Endpoint,
    /// Who was connected to.
    pub server: Endpoint,
    /// Where they were received.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interface: Option<String>,
    /// The packets that were kept, oldest first.
    pub packets: Vec<EvidencePacket>,
    /// Packets of the connection that came before the reset and were not kept; absent if not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub omitted: Option<u64>,
}

/// One packet, from its Ethernet header on.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct EvidencePacket {
    /// When it was received.
    pub ts: UtcTime,
    /// Which side's address it bears as its source.
    pub from: Side,
    /// Bytes on the wire.
    pub len: u32,
    /// The bytes that were kept; without payload unless it was asked for.
    #[serde(with = "base64_bytes")]
    #[schemars(with = "String", extend("contentEncoding" = "base64"))]
    pub bytes: Vec<u8>,
    /// Whether it is the reset that was judged.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_judged: bool,
}

/// Bytes as a base64 string.
mod base64_bytes {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    use serde::de::Error as _;
    use serde::{Deserialize as _, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&STANDARD.encode(bytes))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Vec<u8>, D::Error> {
        STANDARD.decode(String::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}
