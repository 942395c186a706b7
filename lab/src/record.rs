//! Records what the tap sees, with the truth beside it.

use std::collections::HashMap;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::net::SocketAddr;
use std::os::fd::AsFd as _;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::thread::JoinHandle;
use std::time::Duration;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use crate::frame::Seen;
use crate::packet_socket::{FRAME_LEN_MAX, PacketSocket};
use crate::topology::TAP_INTERFACE;
use crate::truth::{Placed, Truth, write_csv};
use crate::{Error, Lab};

/// A running recording of the tap.
#[derive(Debug)]
pub struct Recorder {
    path: PathBuf,
    stop: UnixStream,
    thread: JoinHandle<Result<Written, Error>>,
}

/// What was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recording {
    /// Frames in the capture.
    pub frames: usize,
    /// Bytes of the capture file.
    pub bytes: u64,
    /// The truths, each with the frame of its reset, and the echoes that followed it.
    pub placed: Vec<Placed>,
    /// Frames of resets in flows that no truth speaks of. None, if all recipes are right.
    pub unlabelled: Vec<usize>,
}

/// Starts to record the tap of `lab` into the file `path`.
///
/// The file is a classic pcap with nanosecond time stamps of the kernel. A frame that is sent after this
/// function returned is recorded.
pub fn record(lab: &Lab, path: &Path) -> Result<Recorder, Error> {
    let socket = PacketSocket::open(lab.tap(), TAP_INTERFACE)?;
    let failed = |source| Error::File { path: path.to_owned(), source };
    let mut writer =
        PcapWriter { out: BufWriter::new(File::create(path).map_err(failed)?), bytes: 0 };
    writer.start().map_err(failed)?;
    let (stop, stopped) =
        UnixStream::pair().map_err(|source| Error::socket("make a stop signal", source))?;
    let owned = path.to_owned();
    let thread = std::thread::Builder::new()
        .name("lab-record".to_owned())
        .spawn(move || write_frames(&socket, writer, &stopped, &owned))
        .map_err(|source| Error::socket("start the recorder", source))?;
    Ok(Recorder { path: path.to_owned(), stop, thread })
}

impl Recorder {
    /// Ends the recording and writes the truths as CSV to `truth_path`, each with the number of its reset.
    pub fn finish(self, truths: Vec<Truth>, truth_path: &Path) -> Result<Recording, Error> {
        drop(self.stop);
        let written = self.thread.join().expect("the recorder does not panic")?;
        let (placed, unlabelled) = place(truths, written.resets);
        let file = self.path.file_name().unwrap_or_default().to_string_lossy();
        write_csv(truth_path, &file, &placed)?;
        Ok(Recording { frames: written.frames, bytes: written.bytes, placed, unlabelled })
    }
}

/// Gives each truth its frame: the first reset of its flow that is not before its time, nor after that of the
/// next truth of the same flow, and not taken yet. What is left in a flow after that is an echo. Second result: resets of flows that no truth speaks of.
fn place(mut truths: Vec<Truth>, mut resets: Resets) -> (Vec<Placed>, Vec<usize>) {
    truths.sort_by_key(|truth| truth.since);
    let mut starts: HashMap<_, Vec<Duration>> = HashMap::new();
    for truth in &truths {
        starts.entry(flow(truth.client, truth.server)).or_default().extend(truth.since);
    }
    let mut placed = Vec::new();
    let mut first_of_flow: HashMap<_, Truth> = HashMap::new();
    for truth in truths {
        let key = flow(truth.client, truth.server);
        let since = truth.since.unwrap_or_default();
        let until = starts.get(&key).and_then(|starts| starts.iter().find(|start| **start > since));
        let frame = resets.get_mut(&key).and_then(|resets| {
            let index = resets.iter().position(|&(_, time)| time >= since)?;
            let is_its_own = until.is_none_or(|until| resets[index].1 < *until);
            is_its_own.then(|| resets.remove(index).0)
        });
        first_of_flow.entry(key).or_insert_with(|| truth.clone());
        placed.push(Placed { truth, frame });
    }
    let mut unlabelled = Vec::new();
    for (key, left) in resets {
        match first_of_flow.get(&key) {
            Some(first) => placed.extend(
                left.into_iter()
                    .map(|(frame, _)| Placed { truth: first.secondary(), frame: Some(frame) }),
            ),
            None => unlabelled.extend(left.into_iter().map(|(frame, _)| frame)),
        }
    }
    placed.sort_by_key(|row| (row.frame.is_none(), row.frame));
    unlabelled.sort_unstable();
    (placed, unlabelled)
}

/// Both ends of a flow, the smaller first.
fn flow(one: SocketAddr, other: SocketAddr) -> (SocketAddr, SocketAddr) {
    if one < other { (one, other) } else { (other, one) }
}

/// Number and time of each reset of a flow, in order.
type Resets = HashMap<(SocketAddr, SocketAddr), Vec<(usize, Duration)>>;

#[derive(Debug, Default)]
struct Written {
    frames: usize,
    bytes: u64,
    resets: Resets,
}

fn write_frames(
    socket: &PacketSocket,
    mut writer: PcapWriter<BufWriter<File>>,
    stopped: &UnixStream,
    path: &Path,
) -> Result<Written, Error> {
    let failed = |source| Error::File { path: path.to_owned(), source };
    let mut written = Written::default();
    let mut buffer = vec![0; FRAME_LEN_MAX];
    loop {
        let mut waiting = [
            PollFd::new(socket.as_fd(), PollFlags::POLLIN),
            PollFd::new(stopped.as_fd(), PollFlags::POLLIN),
        ];
        // An interrupted wait is only an early look.
        let _ = poll(&mut waiting, PollTimeout::NONE);
        let last = waiting[1].revents().is_some_and(|events| !events.is_empty());
        while let Some(reception) = socket.receive(&mut buffer)? {
            let frame = &buffer[..reception.len];
            let time = reception.time.unwrap_or_default();
            writer.frame(time, frame).map_err(failed)?;
            written.frames += 1;
            if let Some(seen) = Seen::parse(frame).filter(Seen::is_reset) {
                let number = written.frames;
                let resets = written.resets.entry(flow(seen.source, seen.destination));
                resets.or_default().push((number, time));
            }
        }
        if last {
            writer.out.flush().map_err(failed)?;
            written.bytes = writer.bytes;
            return Ok(written);
        }
    }
}

/// Writes the classic format (draft-ietf-opsawg-pcap), little endian, with nanoseconds.
struct PcapWriter<W> {
    out: W,
    bytes: u64,
}

const MAGIC_NANOSECONDS: u32 = 0xa1b2_3c4d;
const LINKTYPE_ETHERNET: u32 = 1;

impl<W: Write> PcapWriter<W> {
    fn start(&mut self) -> std::io::Result<()> {
        let snap_len = FRAME_LEN_MAX as u32;
        // Version 2.4, then two fields that are always 0.
        self.words(&[MAGIC_NANOSECONDS, 4 << 16 | 2, 0, 0, snap_len, LINKTYPE_ETHERNET])
    }

    fn frame(&mut self, time: Duration, frame: &[u8]) -> std::io::Result<()> {
        let len = u32::try_from(frame.len()).expect("a frame is shorter than 4 GiB");
        // The format ends in the year 2106.
        self.words(&[time.as_secs() as u32, time.subsec_nanos(), len, len])?;
        self.bytes += u64::from(len);
        self.out.write_all(frame)
    }

    fn words(&mut self, words: &[u32]) -> std::io::Result<()> {
        for word in words {
            self.bytes += 4;
            self.out.write_all(&word.to_le_bytes())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn truth(cause: &'static str, since_s: Option<u64>) -> Truth {
        Truth {
            scenario: "refused",
            client: ([192, 0, 2, 1], 4000).into(),
            server: ([192, 0, 2, 2], 80).into(),
            since: since_s.map(Duration::from_secs),
            origin: "server",
            cause,
            kernel_reason: None,
            kernel_heard: false,
            rule: None,
            by_hand: false,
            timer: None,
            description: String::new(),
        }
    }

    #[test]
    fn each_truth_takes_a_reset_of_its_own_and_the_rest_are_echoes() {
        let first = truth("app_abort", None);
        let key = flow(first.client, first.server);
        let stranger = flow(([192, 0, 2, 9], 9).into(), first.server);
        let times = |list: &[(usize, u64)]| -> Vec<_> {
            list.iter().map(|&(frame, at_s)| (frame, Duration::from_secs(at_s))).collect()
        };
        let resets = HashMap::from([
            (key, times(&[(3, 10), (4, 11), (9, 20), (10, 21)])),
            (stranger, times(&[(7, 12)])),
        ]);
        let (placed, unlabelled) = place(vec![truth("port_closed", Some(15)), first], resets);
        let rows: Vec<_> = placed.iter().map(|row| (row.frame, row.truth.cause)).collect();
        let echo = crate::truth::SECONDARY;
        assert_eq!(
            rows,
            [(Some(3), "app_abort"), (Some(4), echo), (Some(9), "port_closed"), (Some(10), echo)]
        );
        assert_eq!(unlabelled, [7]);
    }

    #[test]
    fn a_connection_does_not_take_the_reset_of_the_next_one_with_its_ports() {
        let mut polite = truth("none", Some(5));
        polite.origin = "none";
        let key = flow(polite.client, polite.server);
        let resets = HashMap::from([(key, vec![(9, Duration::from_secs(20))])]);
        let (placed, _) = place(vec![truth("app_abort", Some(15)), polite], resets);
        let rows: Vec<_> = placed.iter().map(|row| (row.frame, row.truth.cause)).collect();
        assert_eq!(rows, [(Some(9), "app_abort"), (None, "none")]);
    }
}
