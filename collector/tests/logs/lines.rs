//! What each writer writes of a connection: by what the vendors document, without looking at how lines are read.

use std::fmt::Write as _;

use events::Endpoint;

use crate::stamps::Civil;

/// A writer with a clock of its own.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) struct Writer {
    pub(crate) kind: Kind,
    pub(crate) name: &'static str,
    pub(crate) ahead_ns: i64,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    PanOs,
    Fortigate,
    Asa,
    Haproxy,
    HaproxyTcp,
}

/// One connection as it really was.
#[derive(Clone, Copy)]
pub(crate) struct Connection {
    pub(crate) client: Endpoint,
    pub(crate) client_after: Endpoint,
    pub(crate) server: Endpoint,
    pub(crate) server_after: Endpoint,
    pub(crate) begun_ns: u64,
    pub(crate) ended_ns: u64,
}

/// What the log says of the end.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Said {
    ByClient,
    ByServer,
    Finished,
}

pub(crate) struct Line {
    pub(crate) writer: Writer,
    pub(crate) connection: Connection,
    pub(crate) said: Said,
    pub(crate) number: u64,
    pub(crate) lag_s: u64,
}

impl Line {
    pub(crate) fn text(&self) -> String {
        match self.writer.kind {
            Kind::PanOs => self.pan_os(),
            Kind::Fortigate => self.fortigate(),
            Kind::Asa => self.asa_teardown(),
            Kind::Haproxy => self.haproxy(),
            Kind::HaproxyTcp => self.haproxy_tcp(),
        }
    }

    /// By the writer's clock.
    fn stamp(&self, ns: u64) -> Civil {
        Civil::of(ns.wrapping_add_signed(self.writer.ahead_ns))
    }

    fn lasted_s(&self) -> u64 {
        (self.connection.ended_ns - self.connection.begun_ns) / 1_000_000_000
    }

    /// "Traffic Log Fields", PAN-OS 9.1.
    fn pan_os(&self) -> String {
        let c = &self.connection;
        let begun = self.stamp(c.begun_ns);
        let elapsed = self.lasted_s() + self.lag_s;
        let written = self.stamp(c.ended_ns + self.lag_s * 1_000_000_000);
        let reason = match self.said {
            Said::ByClient => "tcp-rst-from-client",
            Said::ByServer => "tcp-rst-from-server",
            Said::Finished => "tcp-fin",
        };
        let nat = |after: Endpoint, before: Endpoint| match after == before {
            true => ("0.0.0.0".to_owned(), 0),
            false => (after.ip.to_string(), after.port),
        };
        let (natsrc, natsport) = nat(c.client_after, c.client);
        let (natdst, natdport) = nat(c.server_after, c.server);
        let w = written.slashed();
        let (name, number) = (self.writer.name, self.number);
        let mut text = String::new();
        let _ = write!(
            text,
            "<14>{} {name} 1,{w},0123456789,TRAFFIC,end,2305,{w},{},{},{natsrc},{natdst},\"rule, {}\",user,,ssl,vsys1,\
             trust,untrust,ae1,ae2,fwd,{w},{number},1,{},{},{natsport},{natdport},0x400053,tcp,allow,{},1200,3920,31,\
             {},{elapsed},any,0,{},0x0,10.0.0.0-10.255.255.255,DE,0,15,16,{reason},0,0,0,0,,{name},from-policy,,,0,,0,,N/A",
            written.bsd(),
            c.client.ip,
            c.server.ip,
            number % 7,
            c.client.port,
            c.server.port,
            5000 + number,
            begun.slashed(),
            7000 + number,
        );
        text
    }

    /// "FortiOS log message reference", 7.0, log 13.
    fn fortigate(&self) -> String {
        let c = &self.connection;
        let written_ns = c.ended_ns.wrapping_add_signed(self.writer.ahead_ns);
        let written = Civil::of(written_ns);
        let action = match self.said {
            Said::ByClient => "client-rst",
            Said::ByServer => "server-rst",
            Said::Finished => "close",
        };
        let name = self.writer.name;
        let mut text = format!(
            "<189>date={} time={} devname=\"{name}\" devid=\"FGT60\" eventtime={written_ns} tz=\"+0000\" \
             logid=\"0000000013\" type=\"traffic\" subtype=\"forward\" level=\"notice\" vd=\"root\" srcip={} srcport={} \
             srcintf=\"port1\" dstip={} dstport={} dstintf=\"port2\" sessionid={} proto=6 action=\"{action}\" policyid=7",
            written.dashed_date(),
            written.time(),
            c.client.ip,
            c.client.port,
            c.server.ip,
            c.server.port,
            self.number
        );
        if c.client_after != c.client {
            let _ = write!(
                text,
                " trandisp=\"snat\" transip={} transport={}",
                c.client_after.ip, c.client_after.port
            );
        }
        if c.server_after != c.server {
            let _ = write!(text, " tranip={} tranport={}", c.server_after.ip, c.server_after.port);
        }
        let _ =
            write!(text, " duration={} sentbyte=1200 rcvdbyte={}", self.lasted_s(), self.number);
        text
    }

    /// 302013: the inside is the server; its real address is the translated one.
    pub(crate) fn asa_built(&self) -> String {
        let c = &self.connection;
        format!(
            "<166>{} {} : %ASA-6-302013: Built inbound TCP connection {} for outside:{}/{} ({}/{}) to inside:{}/{} ({}/{})",
            self.stamp(c.begun_ns).cisco(),
            self.writer.name,
            self.number,
            c.client.ip,
            c.client.port,
            c.client_after.ip,
            c.client_after.port,
            c.server_after.ip,
            c.server_after.port,
            c.server.ip,
            c.server.port
        )
    }

    fn asa_teardown(&self) -> String {
        let c = &self.connection;
        let s = self.lasted_s();
        let reason = match self.said {
            Said::ByClient => "TCP Reset-O",
            Said::ByServer => "TCP Reset-I",
            Said::Finished => "TCP FINs",
        };
        format!(
            "<166>{} {} : %ASA-6-302014: Teardown TCP connection {} for outside:{}/{} to inside:{}/{} duration \
             {}:{:02}:{:02} bytes {} {reason}",
            self.stamp(c.ended_ns).cisco(),
            self.writer.name,
            self.number,
            c.client.ip,
            c.client.port,
            c.server_after.ip,
            c.server_after.port,
            s / 3600,
            s / 60 % 60,
            s % 60,
            self.number
        )
    }

    /// The format of deploy/config/logs/haproxy.cfg.
    fn haproxy(&self) -> String {
        let c = &self.connection;
        let state = match self.said {
            Said::ByClient => "CD",
            Said::ByServer => "SD",
            Said::Finished => "--",
        };
        let begun_ns = c.begun_ns.wrapping_add_signed(self.writer.ahead_ns);
        format!(
            "<134>{} {} haproxy[7]: rstscope_haproxy ci={} cp={} fi={} fp={} bi={} bp={} si={} sp={} ts={state} \
             t0={}.{:03} tt={} mode=tcp ft=web b=pool s=a bytes={}",
            self.stamp(c.ended_ns).bsd(),
            self.writer.name,
            c.client.ip,
            c.client.port,
            c.server.ip,
            c.server.port,
            c.client_after.ip,
            c.client_after.port,
            c.server_after.ip,
            c.server_after.port,
            begun_ns / 1_000_000_000,
            begun_ns / 1_000_000 % 1000,
            (c.ended_ns - c.begun_ns) / 1_000_000,
            self.number
        )
    }

    /// `option tcplog`.
    fn haproxy_tcp(&self) -> String {
        let c = &self.connection;
        let state = match self.said {
            Said::ByClient => "CD",
            Said::ByServer => "SD",
            Said::Finished => "--",
        };
        let begun = self.stamp(c.begun_ns);
        format!(
            "<134>{} {} haproxy[7]: {}:{} [{}] web pool/a 0/0/{} {} {state} 1/1/1/1/0 0/0",
            self.stamp(c.ended_ns).bsd(),
            self.writer.name,
            c.client.ip,
            c.client.port,
            begun.haproxy(),
            (c.ended_ns - c.begun_ns) / 1_000_000,
            self.number
        )
    }
}
