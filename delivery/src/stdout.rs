//! Standard output, whose reader may stand still.

use std::io;
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::unistd::write;

use crate::record::Uid;

/// Writes batches of lines, each within a time; goes on where it was with one that it has begun.
#[derive(Debug, Default)]
pub(crate) struct Stdout {
    /// The batch that is begun, by its first record, and how many bytes of it are written.
    begun: Option<(Uid, usize)>,
}

impl Stdout {
    /// Writes a batch whose first record is `first`.
    ///
    /// # Errors
    /// What the system said, or that the reader took too little in time; then the same batch is to be given
    /// again.
    pub(crate) fn write(&mut self, first: Uid, lines: &[u8]) -> io::Result<()> {
        self.write_to(&io::stdout().lock(), first, lines, SPAN_MAX)
    }

    fn write_to(
        &mut self,
        file: &impl AsFd,
        first: Uid,
        lines: &[u8],
        span: Duration,
    ) -> io::Result<()> {
        let mut done = self.begun.filter(|(uid, _)| *uid == first).map_or(0, |(_, done)| done);
        let written = write_within(file, lines, &mut done, span);
        self.begun = written.is_err().then_some((first, done));
        written
    }
}

/// Writes `bytes` from `done` on, which it moves.
fn write_within(
    file: &impl AsFd,
    bytes: &[u8],
    done: &mut usize,
    span: Duration,
) -> io::Result<()> {
    let until = Instant::now() + span;
    while *done < bytes.len() {
        let left = until.saturating_duration_since(Instant::now());
        let left = PollTimeout::try_from(left).unwrap_or(PollTimeout::ZERO);
        let ready = poll(&mut [PollFd::new(file.as_fd(), PollFlags::POLLOUT)], left);
        match ready {
            Ok(0) => {
                let text = format!("its reader takes nothing, or not all in {} s", span.as_secs());
                return Err(io::Error::new(io::ErrorKind::TimedOut, text));
            }
            Ok(_) => {}
            Err(Errno::EINTR) => continue,
            Err(errno) => return Err(errno.into()),
        }
        // So much goes into a pipe that is ready without waiting (pipe(7), PIPE_BUF).
        let end = bytes.len().min(*done + PIECE_LEN);
        match write(file, &bytes[*done..end]) {
            Ok(written) => *done += written,
            Err(Errno::EINTR) => {}
            Err(errno) => return Err(errno.into()),
        }
    }
    Ok(())
}

/// How long one attempt may take.
const SPAN_MAX: Duration = Duration::from_secs(2);

const PIECE_LEN: usize = 4096;

#[cfg(test)]
mod tests {
    use std::io::Read as _;
    use std::time::Duration;

    use super::Stdout;
    use crate::record::Uid;

    #[test]
    fn a_reader_that_stands_still_is_left_and_gets_the_rest_later() {
        let (mut reader, writer) = std::io::pipe().unwrap();
        let lines: Vec<u8> = (0..400_000_u32).map(|n| (n % 251) as u8).collect();
        let first = Uid { session: 1, sequence: 1 };
        let mut stdout = Stdout::default();
        for _ in 0..2 {
            let error = stdout.write_to(&writer, first, &lines, Duration::ZERO).unwrap_err();
            assert_eq!(error.kind(), std::io::ErrorKind::TimedOut);
        }
        let read = std::thread::spawn(move || {
            let mut bytes = Vec::new();
            reader.read_to_end(&mut bytes).map(|_| bytes)
        });
        stdout.write_to(&writer, first, &lines, Duration::from_secs(60)).unwrap();
        stdout.write_to(&writer, first, b"next", Duration::from_secs(60)).unwrap();
        drop(writer);
        let bytes = read.join().unwrap().unwrap();
        assert!(bytes == [&lines[..], b"next"].concat(), "{} bytes came", bytes.len());
    }

    #[test]
    fn a_reader_that_is_gone_is_told() {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let first = Uid { session: 1, sequence: 1 };
        let wrote = Stdout::default().write_to(&writer, first, b"x", Duration::from_secs(60));
        assert_eq!(wrote.unwrap_err().kind(), std::io::ErrorKind::BrokenPipe);
    }
}
