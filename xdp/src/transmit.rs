//! A minimal sender of frames through an AF_XDP socket, for tests and traffic generators.
//!
//! On a veth pair, what is sent on queue N arrives on receive queue N of the peer, and the bytes
//! are exactly those given: no offload touches them.

use std::io;
use std::sync::atomic::AtomicBool;

use crate::error::Error;
use crate::interface::Interface;
use crate::options::HugePages;
use crate::ring::{Consumer, Descriptor, Producer};
use crate::socket::Socket;
use crate::system;
use crate::umem::Umem;

/// An AF_XDP socket that only sends, in copy mode, one frame a packet.
///
/// Invariant: every frame is either in `free` (ours) or on its way through the transmit and
/// completion rings (the kernel's).
pub struct Sender {
    // Dropped in this order: the socket lets go of the memory before it is unmapped.
    socket: Socket,
    transmit: Producer<Descriptor>,
    completed: Consumer<u64>,
    _fill: Producer<u64>,
    umem: Umem,
    free: Vec<u64>,
    name: String,
}

impl Sender {
    /// Bytes of the longest frame that can be sent.
    pub const FRAME_SIZE: u32 = 4096;

    /// Opens a sender on one transmit queue of `interface`.
    pub fn open(interface: &str, queue: u32) -> Result<Self, Error> {
        let index = Interface::query(interface)?.index();
        let name = format!("transmit queue {queue} of {interface}");
        let set_up = |source| Error::Socket { queue: name.clone(), source };
        let umem = Umem::new(Self::FRAME_SIZE, FRAMES, HugePages::Transparent).map_err(set_up)?;
        // SAFETY: `umem` moves into `Self` behind the socket; frames are ours while in `free`.
        let socket = unsafe { Socket::new(&umem) }.map_err(set_up)?;
        let fill = socket.fill_ring(2).map_err(set_up)?;
        let completed = socket.completion_ring(FRAMES).map_err(set_up)?;
        let transmit = socket.transmit_ring(FRAMES).map_err(set_up)?;
        let flags = libc::XDP_COPY | libc::XDP_USE_NEED_WAKEUP;
        socket
            .bind(index, queue, flags, &AtomicBool::new(false))
            .map_err(|source| Error::Bind { queue: name.clone(), source })?;
        let free = umem.addresses().collect();
        Ok(Self { socket, transmit, completed, _fill: fill, umem, free, name })
    }

    /// Queues `frames` in order until one finds no room; returns how many were taken.
    pub fn send(&mut self, frames: &[&[u8]]) -> Result<usize, Error> {
        self.reclaim();
        let mut sent = 0;
        for frame in frames {
            if frame.len() > Self::FRAME_SIZE as usize {
                return Err(Error::TooLong {
                    queue: self.name.clone(),
                    len: frame.len(),
                    frame_size: Self::FRAME_SIZE,
                });
            }
            let Some(address) = self.free.pop() else { break };
            // SAFETY: the frame was in `free`, so it is ours; no slices are ever made of it.
            unsafe { self.umem.write(address, frame) };
            self.transmit.push(Descriptor { address, len: frame.len() as u32, options: 0 });
            sent += 1;
        }
        self.transmit.publish();
        self.wake()?;
        Ok(sent)
    }

    /// Sends all `frames`, however often the kernel must be woken.
    pub fn send_all(&mut self, mut frames: &[&[u8]]) -> Result<(), Error> {
        while !frames.is_empty() {
            let sent = self.send(frames)?;
            frames = &frames[sent..];
        }
        while self.free.len() < FRAMES as usize {
            self.wake()?;
            self.reclaim();
        }
        Ok(())
    }

    fn reclaim(&mut self) {
        let completed = self.completed.available();
        for ahead in 0..completed {
            self.free.push(self.completed.peek(ahead));
        }
        self.completed.release(completed);
    }

    /// Copy mode sends in the system call, some packets at a time.
    fn wake(&self) -> Result<(), Error> {
        match system::wake_transmit(self.socket.fd()) {
            Err(error) if !is_passing(&error) => {
                Err(Error::Socket { queue: self.name.clone(), source: error })
            }
            _ => Ok(()),
        }
    }
}

/// More to send than fits one call, or the device's queue is full: the next call goes on.
fn is_passing(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::EAGAIN | libc::EBUSY | libc::ENOBUFS))
}

/// Enough for a batch or two; a power of two.
const FRAMES: u32 = 256;
