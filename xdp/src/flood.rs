//! Packets made inside the kernel, for benches: faster than any socket can send.

use std::os::fd::AsFd;

use aya::programs::Xdp;
use aya::{Ebpf, EbpfLoader};

use crate::error::Error;
use crate::interface::Interface;
use crate::program::Aligned;
use crate::system;

static OBJECT: &Aligned<[u8]> = &Aligned(*include_bytes!("../bpf/generate.bpf.o"));

/// A generator on one interface: `BPF_PROG_TEST_RUN` with live frames (Linux 5.18,
/// Documentation/bpf/bpf_prog_run.rst).
///
/// Meant for one end of a veth pair whose other end runs an XDP program. Packets arrive on the
/// receive queue with the number of the processor that runs this, modulo the number of queues.
pub struct Flood {
    ebpf: Ebpf,
    program: &'static str,
    interface: String,
}

impl Flood {
    /// A generator on `interface` whose frames come from `flows` source addresses, a power of two up
    /// to 2^24 (the low three bytes of the address of an IPv4 packet in plain Ethernet); 1 leaves
    /// frames as they are.
    pub fn open(interface: &str, flows: u32) -> Result<Self, Error> {
        Self::load("generate", interface, flows, 0)
    }

    /// A generator of conversations: each of `flows` clients opens a connection, sends and hears
    /// data, ends it by FIN or reset, and opens the next; sixteen packets each, one of every client
    /// in turn. Of sixteen conversations `resets` end by a reset. Checksums, sequence numbers and
    /// identifications are right.
    ///
    /// The frame that [`Flood::send`] is given only says how long frames are: at least 54 bytes, of
    /// zeros; what exceeds that are data in packets that bear data.
    pub fn conversations(interface: &str, flows: u32, resets: u32) -> Result<Self, Error> {
        Self::load("converse", interface, flows, resets)
    }

    fn load(
        program: &'static str,
        interface: &str,
        flows: u32,
        resets: u32,
    ) -> Result<Self, Error> {
        if !flows.is_power_of_two() || flows > 1 << 24 {
            let (value, rule) = (flows.to_string(), "a power of two up to 16777216");
            return Err(Error::BadOption { option: "flows", value, rule });
        }
        let index = Interface::query(interface)?.index();
        let (mask, shift) = (flows - 1, flows.trailing_zeros());
        let mut ebpf = EbpfLoader::new()
            .btf(None)
            .override_global("interface", &index, true)
            .override_global("flows_mask", &mask, true)
            .override_global("flows_shift", &shift, true)
            .override_global("resets", &resets, true)
            .load(&OBJECT.0)
            .map_err(Box::new)?;
        let loaded: &mut Xdp = ebpf
            .program_mut(program)
            .and_then(|program| program.try_into().ok())
            .expect("the object has this XDP program");
        loaded.load().map_err(Box::new)?;
        Ok(Self { ebpf, program, interface: interface.to_owned() })
    }

    /// Sends `frame` that many times; returns when all have been sent, or dropped for want of room.
    pub fn send(&self, frame: &[u8], times: u32) -> Result<(), Error> {
        let program = self.ebpf.program(self.program).expect("the object has this program");
        let fd = program.fd().expect("the program was loaded");
        system::run_live_frames(fd.as_fd(), frame, times)
            .map_err(|source| Error::Flood { interface: self.interface.clone(), source })
    }
}
