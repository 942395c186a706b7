//! What we say: the contract with users, sinks and the collector.
//!
//! One [`Event`] for each reset, one [`Report`] for a run, both plain owned data with serde. What a
//! verdict means in words is here too, so that the command, the web page and a log line tell the
//! same story: [`sentence`] for one clue, [`explain::proof_sheet`] for a whole event.
//!
//! | file | what |
//! |---|---|
//! | `event.rs` | [`Event`] and its parts, the fields a flow and a packet give |
//! | `verdict.rs` | [`VerdictFields`]: the fields a [`classifiers::Verdict`] gives |
//! | `names.rs` | serde for the closed lists of `classifiers`, by their names |
//! | `report.rs` | [`Report`], [`Start`]: a run as a whole |
//! | `status.rs` | [`Status`]: how a live run goes, told once a second |
//! | `filter.rs` | [`Filter`]: which events are meant |
//! | `network.rs` | [`Network`]: addresses that share their first bits |
//! | `time.rs` | [`UtcTime`]: nanoseconds inside, RFC 3339 outside |
//! | `community.rs` | Community ID version 1 |
//! | `sentence.rs` | values and clues in words |
//! | `explain/` | the verdict, its proof, the doubt, what to do: in parts, or as the proof sheet |
//! | `clue_text.rs` | what each clue rests on and what would take its weight away |
//! | `outcome.rs` | effect and cost in words |
//! | `ambiguity.rs` | what cannot be told apart on the wire, and the sentence that says so |
//! | `advice.rs` | the table of all causes: explanation, disproof, next steps |
//! | `steps.rs` | which of its steps and disproofs fit an event |
//! | `fill.rs` | the numbers of a flow put into the texts of `advice.rs` |
//! | `timers.rs` | well-known idle timers |
//! | `minute/` | [`Minute`]: a minute of resets counted, and what became of all connections |
//! | `evidence/` | [`Evidence`]: the packets that a verdict rests on |
//! | `corroboration.rs` | what logs say of a reset |
//! | `keyed.rs` | maps whose keys are numbers, read |
//! | `record.rs` | [`Record`]: an event, a minute or evidence on its way to a collector |
//! | `schema.rs` | [`record_schema`]: all of it as JSON Schema; shipped as `schema/record-1.json` |
//! | `encode/` | an event in the words of others: OpenTelemetry, ECS, OCSF |
//! | `context/` | [`ContextFields`], [`ContextReport`]: what other connections tell, as fields and in sentences |
//!
//! **Invariant:** how an event is sent, stored or coloured is not known here.
#![forbid(unsafe_code)]

mod advice;
mod ambiguity;
mod clue_text;
mod community;
mod context;
mod corroboration;
pub mod encode;
mod event;
mod evidence;
pub mod explain;
mod fill;
mod filter;
mod keyed;
mod minute;
mod names;
mod network;
mod outcome;
mod record;
mod report;
mod schema;
mod sentence;
mod status;
mod steps;
mod time;
mod timers;
mod verdict;

pub use community::community_id;
pub use context::{
    BlockedNameItem, BurstFields, BurstItem, CheckerItem, ContextFields, ContextReport,
    DesyncFields, DeviceItem, FloodFields, FloodItem, GuessFields, HealthCheckFields,
    HealthCheckItem, IdLineItem, LimitFields, LimitItem, NamesItem, ScanFields, ServiceFields,
    ShapingFields, SiblingFields, TimerFields, TimerReport,
};
pub use corroboration::{Agreement, Conclusion, CorroborationItem};
pub use event::{
    Baseline, CaptureQuality, Endpoint, Event, EventStatus, PerSide, ResetFields, RoleSource,
    SCHEMA, Side, TunnelFields, event_id,
};
pub use evidence::{
    Evidence, EvidencePacket, LadderRung, Pseudonyms, ethernet_headers, ladder_text,
};
pub use filter::{Facts, Filter, Term};
pub use minute::{
    ClientCount, Clients, EXAMPLES, LATE_PARTS, Minute, MinuteRow, ScanRow, ServerRange,
    ServiceRow, Spread, TOP_CLIENTS, minute_id,
};
pub use network::Network;
pub use record::{Body, Record, RecordKind, Uid};
pub use report::{
    Connections, ControlReport, CpuTime, GroupCount, InputReport, Memory, MemoryItem, Report,
    Resets, Start, StartInput,
};
pub use schema::record_schema;
pub use sentence::{sentence, thousands};
pub use status::{Fibre, QueueStatus, Share, Status, TapFault, TapFaultKind, TapHealth};
pub use time::UtcTime;
pub use timers::{IDLE_TIMERS, idle_timer, idle_timer_products};
pub use verdict::{AlternativeItem, DeclaredItem, EvidenceItem, VerdictFields};
