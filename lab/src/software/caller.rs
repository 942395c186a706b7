//! A client of real software: an ordinary socket that remembers what it said and notices how it ends.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};

use crate::endpoint::{self, End};
use crate::scenario::Stage;
use crate::{Error, Truth};

/// One connection, opened by this side.
pub(super) struct Caller {
    /// The socket.
    pub(super) stream: TcpStream,
    /// Client and server.
    pub(super) flow: (SocketAddr, SocketAddr),
}

/// What a connection looks like before its owner says more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Seems {
    /// Nothing came.
    Open,
    /// The server's FIN is here.
    Closed,
    /// The server's reset is here.
    Reset,
}

impl Caller {
    /// Calls port `index` of the stage; the connection must succeed.
    pub(super) fn call(stage: &Stage<'_>, index: u16) -> Result<Self, Error> {
        let to = stage.server_address(index);
        let attempt = stage.attempt(index)?;
        attempt.outcome.map_err(|source| {
            Error::socket(format!("connect {} to {to}", attempt.address), source)
        })?;
        Ok(Self { stream: attempt.stream, flow: (attempt.address, to) })
    }

    /// Says `request`.
    pub(super) fn say(&mut self, request: &[u8]) -> Result<(), Error> {
        endpoint::say(&mut self.stream, request)
    }

    /// Says `request` and reads until the answer ends with `last`; false if the connection ends before.
    pub(super) fn ask(&mut self, request: &[u8], last: &[u8]) -> bool {
        if self.stream.write_all(request).is_err() {
            return false;
        }
        let mut heard = Vec::new();
        let mut buffer = [0; 4096];
        while !heard.ends_with(last) {
            match self.stream.read(&mut buffer) {
                Ok(len) if len > 0 => heard.extend_from_slice(&buffer[..len]),
                _ => return false,
            }
        }
        true
    }

    /// How the connection looks now, without taking anything from it.
    pub(super) fn seems(&self) -> Result<Seems, Error> {
        let failed = |source| Error::socket("look at a connection", source);
        self.stream.set_nonblocking(true).map_err(failed)?;
        let seems = match self.stream.peek(&mut [0]) {
            Ok(0) => Seems::Closed,
            Ok(_) => Seems::Open,
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => Seems::Open,
            Err(_) => Seems::Reset,
        };
        self.stream.set_nonblocking(false).map_err(failed)?;
        Ok(seems)
    }

    /// Reads until the connection ends.
    pub(super) fn wait_for_end(&mut self) -> End {
        endpoint::wait_for_end(&mut self.stream)
    }

    /// Closes with FIN and waits for the server's.
    pub(super) fn finish(mut self) {
        let _ = self.stream.shutdown(std::net::Shutdown::Write);
        self.wait_for_end();
    }
}

/// Plays `count` flows at once; `play` gets the number of each, counted from 0.
pub(super) fn together(
    count: usize,
    play: impl Fn(usize) -> Result<Vec<Truth>, Error> + Sync,
) -> Result<Vec<Truth>, Error> {
    let outcomes: Vec<Result<Vec<Truth>, Error>> = std::thread::scope(|scope| {
        let play = &play;
        let flows: Vec<_> = (0..count).map(|number| scope.spawn(move || play(number))).collect();
        flows.into_iter().map(|flow| flow.join().expect("no flow panics")).collect()
    });
    let mut truths = Vec::new();
    for outcome in outcomes {
        truths.extend(outcome?);
    }
    Ok(truths)
}
