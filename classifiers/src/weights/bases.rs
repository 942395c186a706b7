//! How sure each rule is at best, fitted: written by `rstscope fit`, not by hand.

use super::Base;
use crate::vocabulary::Cause;

/// Where the fitted bases come from: date, command, captures; "" if nothing was fitted.
pub const BASES_FIT: &str = "2026-11-23, deploy/calibrate.sh, seeds 701 702 703 704; a prior of 2.5 rows moved by 1; 8956 verdicts that rules decided, of seed-701.pcap, seed-702.pcap, seed-703.pcap, seed-704.pcap, flood-605.pcap, software-61.pcap, software-62.pcap";

/// By rule and cause: hand-set, fitted, rows it was right about, rows it decided.
pub const BASES: &[Base] = &[
    Base::new("R01", Cause::SynFloodBackscatter, 0.85, 0.99, 336, 336),
    Base::new("R02", Cause::StrayProbeResponse, 0.6, 0.95, 16, 16),
    Base::new("R02", Cause::StrayProbeResponse, 0.8, 0.99, 73, 73),
    Base::new("R02", Cause::StrayProbeResponse, 0.9, 0.99, 1008, 1008),
    Base::new("R03", Cause::PortClosed, 0.97, 0.99, 283, 283),
    Base::new("R03a", Cause::ServiceUnavailable, 0.7, 0.99, 40, 40),
    Base::new("R03a", Cause::ServiceUnavailable, 0.9, 0.99, 48, 48),
    Base::new("R04", Cause::PolicyResetSyn, 0.9, 0.99, 61, 61),
    Base::new("R04a", Cause::ConnectionLimit, 0.8, 0.99, 56, 56),
    Base::new("R05", Cause::SynAuthReset, 0.85, 0.99, 81, 81),
    Base::new("R06", Cause::TimewaitCollision, 0.85, 0.99, 49, 49),
    Base::new("R07", Cause::SynScan, 0.9, 0.99, 120, 120),
    Base::new("R08", Cause::HealthCheck, 0.95, 0.99, 470, 470),
    Base::new("R09", Cause::ConnectCancelled, 0.85, 0.91, 94, 98),
    Base::new("R09", Cause::ConnectCancelled, 0.95, 0.84, 42, 48),
    Base::new("R10", Cause::AcceptQueueOverflow, 0.8, 0.99, 221, 221),
    Base::new("R11", Cause::ProxiedBackendRefused, 0.6, 0.98, 55, 55),
    Base::new("R11", Cause::ProxiedBackendRefused, 0.65, 0.97, 21, 21),
    Base::new("R12", Cause::UnacceptableSegment, 0.8, 0.98, 12, 12),
    Base::new("R12", Cause::UnacceptableSegment, 0.85, 0.99, 40, 40),
    Base::new("R14", Cause::PolicyResetContent, 0.85, 0.99, 60, 60),
    Base::new("R15", Cause::PolicyResetMidstream, 0.8, 0.95, 79, 82),
    Base::new("R15", Cause::TrafficShapingReset, 0.6, 0.99, 54, 54),
    Base::new("R16", Cause::IdleExpiredLatePacket, 0.85, 0.99, 187, 187),
    Base::new("R16", Cause::SessionlessReset, 0.6, 0.99, 31, 31),
    Base::new("R16", Cause::SessionlessReset, 0.7, 0.97, 17, 17),
    Base::new("R17", Cause::StaleConnection, 0.6, 0.92, 5, 5),
    Base::new("R18", Cause::IdleTimeoutMiddlebox, 0.9, 0.99, 66, 66),
    Base::new("R19", Cause::KeepaliveTimeout, 0.97, 0.99, 31, 31),
    Base::new("R20", Cause::RetransmissionTimeout, 0.7, 0.96, 9, 9),
    Base::new("R21", Cause::IdleTimeoutEndpoint, 0.55, 0.81, 34, 40),
    Base::new("R21", Cause::IdleTimeoutEndpoint, 0.7, 0.86, 54, 60),
    Base::new("R21", Cause::IdleTimeoutEndpoint, 0.85, 0.99, 586, 586),
    Base::new("R22", Cause::CloseRace, 0.95, 0.99, 163, 163),
    Base::new("R23", Cause::DataAfterClose, 0.9, 0.97, 109, 110),
    Base::new("R23", Cause::DataAfterClose, 0.97, 0.99, 1030, 1030),
    Base::new("R24", Cause::CloseRace, 0.85, 0.99, 158, 158),
    Base::new("R25", Cause::TlsFailureAbort, 0.7, 0.99, 56, 56),
    Base::new("R26", Cause::FastClose, 0.65, 0.99, 80, 80),
    Base::new("R26", Cause::FastClose, 0.8, 0.84, 425, 480),
    Base::new("R27", Cause::AppAbort, 0.8, 0.94, 163, 168),
    Base::new("R27", Cause::AppAbort, 0.85, 0.96, 570, 583),
    Base::new("R28", Cause::BlindRstAttack, 0.9, 0.99, 21, 21),
    Base::new("R29", Cause::NatDesync, 0.7, 0.98, 26, 26),
    Base::new("burst: failover", Cause::ServiceRestart, 0.92, 0.99, 279, 279),
    Base::new("burst: reboot", Cause::ServiceRestart, 0.92, 0.99, 298, 298),
    Base::new("burst: restart", Cause::ServiceRestart, 0.85, 0.99, 276, 276),
    Base::new("burst: restart", Cause::ServiceRestart, 0.92, 0.99, 864, 864),
];
