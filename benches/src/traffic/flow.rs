//! One connection, and what its ends write next.

use crate::frame::Frame;

#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Flow {
    /// Client and server: the last bytes of the address, and the port.
    pub(super) hosts: [(u32, u16); 2],
    pub(super) next: [u32; 2],
    pub(super) ip_id: [u16; 2],
    pub(super) stage: Stage,
    /// Packets until it closes.
    pub(super) left: u32,
    pub(super) is_v6: bool,
    pub(super) vlan: Option<u16>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Stage {
    #[default]
    Unopened,
    SynSent,
    SynAcked,
    Open,
    Closing,
}

impl Flow {
    /// A segment without options and payload; 0 is the client, 1 the server.
    pub(super) const fn segment(&self, from: usize, flags: u8) -> Frame<'static> {
        let [client, server] = self.hosts;
        let has_ack = flags & Frame::ACK != 0;
        Frame {
            is_v6: self.is_v6,
            vlan: self.vlan,
            hosts: if from == 0 { [client, server] } else { [server, client] },
            hop_limit: [61, 57][from],
            ip_id: self.ip_id[from],
            flags,
            seq: self.next[from],
            ack: if has_ack { self.next[1 - from] } else { 0 },
            window: 502,
            options: &[],
            payload_len: 0,
        }
    }

    /// A reset as Linux answers what belongs to nothing: identification and window are 0.
    pub(super) const fn bare(&self, from: usize) -> Frame<'static> {
        Frame { ip_id: 0, window: 0, ..self.segment(from, Frame::RST) }
    }
}
