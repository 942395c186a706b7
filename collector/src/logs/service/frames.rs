//! Messages out of a stream: octet-counted or ended by line feeds (RFC 6587); some senders end them with NUL.

use crate::logs::read::LINE_MAX;

/// Cuts a stream into messages; holds at most one that is not complete.
///
/// `123 <` begins a counted message; anything else is one that ends at the next line feed. Each message is told
/// apart anew, so that a broken one does not spoil those behind it.
#[derive(Debug, Default)]
pub(crate) struct Frames {
    held: Vec<u8>,
    /// The rest of a message that is too long.
    skip: Skip,
    /// Messages that were too long.
    pub(crate) too_long: u64,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
enum Skip {
    #[default]
    Nothing,
    Bytes(usize),
    Line,
}

impl Frames {
    /// Takes what came; gives each complete message to `told`.
    pub(crate) fn push(&mut self, bytes: &[u8], mut told: impl FnMut(&[u8])) {
        let mut rest = bytes;
        while !rest.is_empty() {
            rest = self.skipped(rest);
            // Little at a time: what is held stays small however much came.
            let taken = rest.len().min(PIECE);
            self.held.extend_from_slice(&rest[..taken]);
            rest = &rest[taken..];
            self.cut(&mut told);
        }
    }

    /// Whether a message has begun that has not ended; one that is too long is counted already.
    pub(crate) fn is_amid(&self) -> bool {
        !is_blank(&self.held)
    }

    /// What is left when the message ends that all of it is: a datagram.
    pub(crate) fn finish(&mut self, mut told: impl FnMut(&[u8])) {
        let left = std::mem::take(&mut self.held);
        tell_lines(&left, &mut told);
    }

    fn skipped<'b>(&mut self, bytes: &'b [u8]) -> &'b [u8] {
        match self.skip {
            Skip::Nothing => bytes,
            Skip::Bytes(left) => {
                let gone = left.min(bytes.len());
                self.skip = if gone == left { Skip::Nothing } else { Skip::Bytes(left - gone) };
                &bytes[gone..]
            }
            Skip::Line => match bytes.iter().position(ends_line) {
                Some(at) => {
                    self.skip = Skip::Nothing;
                    &bytes[at + 1..]
                }
                None => &[],
            },
        }
    }

    fn cut(&mut self, told: &mut impl FnMut(&[u8])) {
        let mut from = 0;
        loop {
            let held = &self.held[from..];
            match next(held) {
                Next::Message { begins, ends, after } => {
                    tell_lines(&held[begins..ends], told);
                    from += after;
                }
                Next::TooLong { skip, after } => {
                    self.too_long += 1;
                    self.skip = skip;
                    from += after;
                    if skip != Skip::Nothing {
                        break;
                    }
                }
                Next::Incomplete => break,
            }
        }
        self.held.drain(..from);
    }
}

enum Next {
    Message { begins: usize, ends: usize, after: usize },
    TooLong { skip: Skip, after: usize },
    Incomplete,
}

fn next(held: &[u8]) -> Next {
    let digits = held.iter().take_while(|byte| byte.is_ascii_digit()).count();
    if (1..=COUNT_DIGITS).contains(&digits) {
        match (held.get(digits), held.get(digits + 1)) {
            (None, _) | (Some(b' '), None) => return Next::Incomplete,
            (Some(b' '), Some(b'<')) => return counted(held, digits),
            _ => {}
        }
    }
    match held.iter().position(ends_line) {
        Some(at) if at > LINE_MAX => Next::TooLong { skip: Skip::Nothing, after: at + 1 },
        Some(at) => Next::Message { begins: 0, ends: at, after: at + 1 },
        None if held.len() > LINE_MAX => Next::TooLong { skip: Skip::Line, after: held.len() },
        None => Next::Incomplete,
    }
}

fn counted(held: &[u8], digits: usize) -> Next {
    let number = held[..digits].iter().fold(0, |sum, digit| sum * 10 + usize::from(digit - b'0'));
    let begins = digits + 1;
    if number > LINE_MAX {
        let here = (held.len() - begins).min(number);
        let left = number - here;
        let skip = if left == 0 { Skip::Nothing } else { Skip::Bytes(left) };
        return Next::TooLong { skip, after: begins + here };
    }
    let ends = begins + number;
    if held.len() < ends { Next::Incomplete } else { Next::Message { begins, ends, after: ends } }
}

/// A message may hold several lines; empty ones are none.
fn tell_lines(message: &[u8], told: &mut impl FnMut(&[u8])) {
    for line in message.split(ends_line) {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if !is_blank(line) {
            told(&line[..line.len().min(LINE_MAX)]);
        }
    }
}

const fn ends_line(byte: &u8) -> bool {
    matches!(byte, b'\n' | 0)
}

fn is_blank(line: &[u8]) -> bool {
    line.iter().all(|byte| byte.is_ascii_whitespace() || ends_line(byte))
}

const COUNT_DIGITS: usize = 6;
const PIECE: usize = 8192;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Frames, LINE_MAX};

    fn told(pieces: &[&[u8]]) -> Vec<String> {
        let mut frames = Frames::default();
        let mut lines = Vec::new();
        let mut take = |line: &[u8]| lines.push(String::from_utf8_lossy(line).into_owned());
        for piece in pieces {
            frames.push(piece, &mut take);
        }
        frames.finish(&mut take);
        lines
    }

    #[test]
    fn both_ways_are_recognised_message_by_message() {
        assert_eq!(told(&[b"<1>a\n<2>b\r\n\n<3>c"]), ["<1>a", "<2>b", "<3>c"]);
        assert_eq!(
            told(&[b"4 <1>a5 <2>bc<3>d\n6 <4>e\nf"]),
            ["<1>a", "<2>bc", "<3>d", "<4>e", "f"]
        );
        assert_eq!(told(&[b"<1>a\0<2>b\0\n5 <3>c\0<4>d"]), ["<1>a", "<2>b", "<3>c", "<4>d"]);
        // PAN-OS without a header begins with a digit, too.
        assert_eq!(told(&[b"1,2023/11/14 x\n"]), ["1,2023/11/14 x"]);
        assert_eq!(told(&[b"1", b"2 ", b"<1>abc", b"defghi<2>j\n"]), ["<1>abcdefghi", "<2>j"]);
    }

    #[test]
    fn what_is_too_long_is_left_out_and_counted_and_the_next_is_read() {
        let mut frames = Frames::default();
        let mut lines = Vec::new();
        let mut stream = vec![b'x'; 3 * LINE_MAX];
        stream.extend_from_slice(b"\nshort\n99999 <");
        stream.extend(vec![b'y'; 99_998]);
        stream.extend_from_slice(b"last\n");
        for piece in stream.chunks(1000) {
            frames.push(piece, |line| lines.push(String::from_utf8_lossy(line).into_owned()));
        }
        assert_eq!(lines, ["short", "last"]);
        assert_eq!(frames.too_long, 2);
        // However it is cut into pieces.
        let mut whole = Frames::default();
        let mut lines = Vec::new();
        whole.push(&stream, |line| lines.push(line.to_vec()));
        assert_eq!((lines, whole.too_long), (vec![b"short".to_vec(), b"last".to_vec()], 2));
        assert!(frames.held.capacity() < 8 * LINE_MAX);
    }

    #[test]
    fn it_is_known_whether_a_stream_ends_amid_a_message() {
        for (stream, is_amid) in [
            ("", false),
            ("<1>a\n", false),
            ("<1>a\n\0 \r\n\0", false),
            ("<1>a", true),
            ("5 <1>ab", false),
            ("5 <1>a", true),
            ("5", true),
        ] {
            let mut frames = Frames::default();
            frames.push(stream.as_bytes(), |_| ());
            assert_eq!(frames.is_amid(), is_amid, "{stream:?}");
        }
        let mut frames = Frames::default();
        frames.push(&vec![b'x'; 2 * LINE_MAX], |_| ());
        assert!(!frames.is_amid() && frames.too_long == 1, "it is counted once");
    }

    proptest! {
        #[test]
        fn how_a_stream_is_cut_into_packets_does_not_matter(
            stream in proptest::collection::vec(prop_oneof![
                Just(b'\n'), Just(b'<'), Just(b' '), Just(b'1'), Just(b'3'), any::<u8>()
            ], 0..200),
            cut in 0usize..200,
        ) {
            let cut = cut.min(stream.len());
            prop_assert_eq!(told(&[&stream[..cut], &stream[cut..]]), told(&[&stream]));
        }
    }
}
