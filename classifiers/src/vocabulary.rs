//! The closed lists a verdict is made of. Their names are the contract with users.

/// Declares an enum whose variants have stable snake_case names and a one-line meaning.
macro_rules! names {
    ($(#[$doc:meta])* $kind:ident { $($variant:ident = $name:literal, $meaning:literal;)+ }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, PartialOrd, Ord)]
        pub enum $kind { $(#[doc = $meaning] $variant,)+ }

        impl $kind {
            /// Every value, in the order of the taxonomy.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// The name used in events, filters and reports.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)+ }
            }

            /// What it means, in one line.
            #[must_use]
            pub const fn meaning(self) -> &'static str {
                match self { $(Self::$variant => $meaning,)+ }
            }

            /// The value with this name.
            #[must_use]
            pub fn from_name(name: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|value| value.name() == name)
            }
        }
    };
}

names! {
    /// Who really sent a reset.
    Origin {
        Client = "client", "The host that opened the connection.";
        Server = "server", "The host that was connected to, or the front end that speaks for it.";
        MiddleboxToClient = "middlebox_to_client", "A device in the path, in the server's name.";
        MiddleboxToServer = "middlebox_to_server", "A device in the path, in the client's name.";
        MiddleboxBoth = "middlebox_both", "A device in the path, towards both ends.";
        BlindAttacker = "blind_attacker", "A host off the path that guesses sequence numbers.";
        Unknown = "unknown", "The evidence does not decide; see the alternatives.";
    }
}

impl Origin {
    /// Whether it is a device in the path.
    #[must_use]
    pub const fn is_device(self) -> bool {
        matches!(self, Self::MiddleboxToClient | Self::MiddleboxToServer | Self::MiddleboxBoth)
    }
}

names! {
    /// Why a reset was sent: 34 causes and two control values.
    Cause {
        PortClosed = "port_closed", "Nothing listens on the port.";
        ServiceUnavailable = "service_unavailable", "Refused where connections were accepted minutes ago.";
        AcceptQueueOverflow = "accept_queue_overflow", "The server's accept queue was full.";
        ConnectionLimit = "connection_limit", "A limit on connections or on their rate.";
        ProxiedBackendRefused = "proxied_backend_refused", "A front end could not reach its backend.";
        StaleConnection = "stale_connection", "The host no longer knows the connection.";
        DataAfterClose = "data_after_close", "Data arrived after the sender of the reset had closed.";
        UnacceptableSegment = "unacceptable_segment", "A protocol error during the handshake.";
        TimewaitCollision = "timewait_collision", "A reused 4-tuple met the remains of its predecessor.";
        NatDesync = "nat_desync", "A segment arrived untranslated or wrongly translated.";
        MptcpSubflowReset = "mptcp_subflow_reset", "MPTCP closed one of its subflows.";
        IdleTimeoutEndpoint = "idle_timeout_endpoint", "The host's own idle timer ran out.";
        IdleTimeoutMiddlebox = "idle_timeout_middlebox", "A device reset a session that had been idle.";
        IdleExpiredLatePacket = "idle_expired_late_packet", "First packet after a silently expired session.";
        KeepaliveTimeout = "keepalive_timeout", "Keepalive probes went unanswered.";
        RetransmissionTimeout = "retransmission_timeout", "Retransmissions went unanswered.";
        PolicyResetSyn = "policy_reset_syn", "A device rejected the SYN.";
        PolicyResetContent = "policy_reset_content", "A device reset upon the first application bytes.";
        PolicyResetMidstream = "policy_reset_midstream", "A device reset an active connection.";
        TrafficShapingReset = "traffic_shaping_reset", "A device resets by volume or number of connections.";
        SynAuthReset = "syn_auth_reset", "SYN-flood protection tests whether the client is real.";
        SynFloodBackscatter = "syn_flood_backscatter", "The answer to a SYN with a spoofed source.";
        SessionlessReset = "sessionless_reset", "A device without a session for this packet reset it.";
        AppAbort = "app_abort", "The application gave up a live connection.";
        TlsFailureAbort = "tls_failure_abort", "Reset after a TLS alert or failed handshake.";
        ServiceRestart = "service_restart", "Many connections of one service reset together.";
        ResourceExhaustion = "resource_exhaustion", "Memory or table pressure.";
        FastClose = "fast_close", "Deliberate reset after a complete exchange.";
        CloseRace = "close_race", "Cosmetic reset while both sides were closing.";
        ConnectCancelled = "connect_cancelled", "The client gave up during the handshake.";
        HealthCheck = "health_check", "A probe that opens and drops connections.";
        SynScan = "syn_scan", "Half-open scan.";
        StrayProbeResponse = "stray_probe_response", "Answer to an unsolicited segment.";
        BlindRstAttack = "blind_rst_attack", "Guessed-sequence resets against a live connection.";
        SecondaryRst = "secondary_rst", "Aftermath of an earlier reset; not a cause of its own.";
        Unknown = "unknown", "The evidence does not decide; see the alternatives.";
    }
}

names! {
    /// What the reset did to its receiver.
    Effect {
        Accepted = "accepted", "The receiver stopped.";
        Ignored = "ignored", "The receiver went on.";
        Challenged = "challenged", "The receiver answered with a challenge ACK (RFC 5961).";
        PredictedIneffective = "predicted_ineffective", "The receiver should not accept it.";
        Unobservable = "unobservable", "Nothing was seen that tells.";
    }
}

names! {
    /// What the receiver's stack is expected to do with a reset (RFC 5961; Linux as read).
    Reception {
        Obey = "obey", "It ends the connection.";
        Challenge = "challenge", "It answers with a challenge ACK and goes on.";
        Drop = "drop", "It drops the reset in silence.";
        Unsure = "unsure", "What it expects is not known.";
    }
}

names! {
    /// What was seen of the receiver after a reset.
    Reaction {
        WentOn = "went_on", "It sent new data when the reset must have reached it.";
        ChallengeAck = "challenge_ack", "It repeated its acknowledgment at once (RFC 5961).";
        Retransmitted = "retransmitted", "It repeated data or its SYN instead of giving up.";
        ResetInReturn = "reset_in_return", "It answered a later segment with a reset: it knew the connection no more.";
        OpenedAnew = "opened_anew", "It opened a new connection from the same port.";
        UnderWay = "under_way", "Only segments that it may have sent before the reset came.";
        Silence = "silence", "Nothing more.";
        Pending = "pending", "It is still being watched.";
    }
}

names! {
    /// How far the connection had come.
    Stage {
        PostSyn = "post_syn", "After the SYN.";
        PostAck = "post_ack", "After the handshake, before data.";
        PostPsh = "post_psh", "After the first data of the client, before any of the server.";
        Later = "later", "Later in the flow.";
        PostFin = "post_fin", "After a FIN of either side.";
        None = "none", "No earlier packet was seen.";
    }
}

names! {
    /// What it cost: the field to filter by.
    Impact {
        Aborted = "aborted", "A live connection was cut.";
        Refused = "refused", "A connection did not come to be.";
        Benign = "benign", "Nothing was lost.";
        Unknown = "unknown", "Cannot be told.";
    }
}

names! {
    /// How a reset relates to others of its flow.
    Role {
        Primary = "primary", "The reset that counts.";
        Secondary = "secondary", "The aftermath of an earlier reset.";
        Duplicate = "duplicate", "The same packet, captured twice.";
    }
}

names! {
    /// Whether the server's address is that of a TCP-terminating front end.
    Terminator {
        None = "none", "No sign of one.";
        Suspected = "suspected", "Signs of a front end.";
        Proven = "proven", "Handshake and data came from two stacks.";
    }
}

names! {
    /// The shape of a reset by the grammar of the stacks (classification.md, section 2).
    Shape {
        Active = "active", "RST|ACK as a socket sends it of its own accord.";
        Reply = "reply", "Bare RST in answer to a segment that had ACK.";
        Refusal = "refusal", "RST|ACK with sequence number 0, in answer to a segment without ACK.";
        Odd = "odd", "Neither.";
    }
}

names! {
    /// The piece of evidence, by its number in classification.md, section 4.1.
    Clue {
        Prior = "prior", "Most resets come from whom they name.";
        Hops = "hops", "Hop distance of the reset against the sender's packets (E01).";
        IpId = "ip_id", "IP identification or IPv6 flow label (E02).";
        Timestamps = "timestamps", "TCP timestamps option (E03).";
        Window = "window", "Window field against the sender's stack (E04).";
        Numbers = "numbers", "Sequence and acknowledgment numbers (E05).";
        Causality = "causality", "Time since the provocation against the round trip (E06).";
        AliveAfter = "alive_after", "The sender's packets after its own reset (E07).";
        Train = "train", "Several resets in a row (E08).";
        Opposite = "opposite", "A reset in the other direction (E09).";
        Profile = "profile", "Fields that a known injector writes (E10).";
        Dscp = "dscp", "DSCP of the reset against its provocation (E11).";
        SplitStack = "split_stack", "Handshake and data of two stacks at one address (E12).";
        IdLine = "id_line", "One IP-ID counter behind several senders (E13).";
        Signature = "signature", "Missing MD5/AO signature or wrong checksum (E14).";
        Port = "port", "Source MAC or tap port (E15).";
        Stage = "stage", "Stage and FIN states (E16).";
        Idle = "idle", "Silence before the reset (E17).";
        Probes = "probes", "Keepalive probes, retransmissions, zero windows (E18).";
        Payload = "payload", "What the connection carried (E19).";
        Volume = "volume", "Packets and bytes each way (E20).";
        Declared = "declared", "A reason the sender wrote into the reset.";
        DontFragment = "dont_fragment", "DF bit against the sender's packets (E02).";
        HostBaseline = "host_baseline", "What the server's other connections look like.";
        Company = "company", "The pattern that other connections show.";
    }
}
