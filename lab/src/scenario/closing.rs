//! Resets around the end of a connection, and ends without any.

use crate::endpoint;
use crate::scenario::Stage;
use crate::{Error, Truth};

/// The server answers and closes; the client does not care and sends more.
pub(super) fn data_after_close(stage: &Stage<'_>) -> Result<Vec<Truth>, Error> {
    let listener = stage.listen(0)?;
    stage.serve_ordinary(&listener, 0, 2)?;
    let mut pair = stage.connect(&listener, 0)?;
    let flow = pair.flow();
    for _ in 0..3 {
        endpoint::exchange(&mut pair.client, &mut pair.server, b"part\n", b"got it\n")?;
    }
    drop(pair.server);
    stage.pause(1);
    endpoint::say(&mut pair.client, b"part\n")?;
    stage.pause(2);
    let done = "the server closed (FIN) a round trip before the client sent its next data";
    Ok(vec![stage.truth(flow, "server", "data_after_close", done)])
}

/// Both sides close within the time a packet needs; the server's last data meets a closed client.
pub(super) fn close_race(stage: &Stage<'_>) -> Result<Vec<Truth>, Error> {
    let listener = stage.listen(0)?;
    stage.serve_ordinary(&listener, 0, 2)?;
    let mut pair = stage.connect(&listener, 0)?;
    let flow = pair.flow();
    endpoint::exchange(&mut pair.client, &mut pair.server, b"GET /\n", b"first half\n")?;
    drop(pair.client);
    endpoint::say(&mut pair.server, b"second half\n")?;
    drop(pair.server);
    stage.pause(3);
    let done = "both sides closed at the same time; the server's last 12 bytes were under way and met a closed client";
    Ok(vec![stage.truth(flow, "client", "close_race", done)])
}

/// The whole response is there and acknowledged, then the client closes with a reset.
pub(super) fn fast_close(stage: &Stage<'_>) -> Result<Vec<Truth>, Error> {
    let listener = stage.listen(0)?;
    stage.serve_ordinary(&listener, 0, 2)?;
    let mut pair = stage.connect(&listener, 0)?;
    let flow = pair.flow();
    endpoint::exchange(&mut pair.client, &mut pair.server, b"GET /\n", b"all there is\n")?;
    // A delayed acknowledgment leaves after 40 ms at the latest (TCP_DELACK_MIN).
    stage.pause(3);
    endpoint::abort(pair.client)?;
    stage.expect_reset(&mut pair.server, flow)?;
    let done =
        "the client had read and acknowledged the whole response, then closed with SO_LINGER 0";
    Ok(vec![stage.truth(flow, "client", "fast_close", done)])
}

/// Nothing is reset.
pub(super) fn ordinary(stage: &Stage<'_>) -> Result<Vec<Truth>, Error> {
    let listener = stage.listen(0)?;
    let served = stage.serve_ordinary(&listener, 0, 4)?;
    stage.pause(1);
    let done = "request, response, FIN from the client, FIN from the server";
    Ok(served.iter().map(|pair| stage.truth(pair.flow(), "none", "none", done)).collect())
}
