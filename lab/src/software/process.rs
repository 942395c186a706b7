//! What happens to connections when nginx's processes are killed or replaced, and when it says no.

use nix::sys::signal::Signal;

use crate::scenario::Stage;
use crate::software::caller::{Caller, Seems};
use crate::software::nginx::{ANSWER_END, ANSWERS, GET, Nginx};
use crate::{Error, Truth};

/// Connections that are cut together: more than any rule for single connections explains.
const CONNECTIONS: usize = 14;

/// `return 444` with `reset_timedout_connection`: the request is read, the connection reset.
pub(crate) fn return_444(stage: &Stage<'_>) -> Result<Vec<Truth>, Error> {
    let server = "reset_timedout_connection on; location / { return 444; }";
    let _nginx = Nginx::start(stage, &[server])?;
    let mut truths = Vec::new();
    for _ in 0..4 {
        let mut caller = Caller::call(stage, 0)?;
        caller.say(GET)?;
        stage.expect_reset(&mut caller.stream, caller.flow)?;
        let done = "nginx read the request and closed with SO_LINGER 0 (return 444, reset_timedout_connection)";
        truths.push(stage.truth(caller.flow, "server", "app_abort", done));
    }
    Ok(truths)
}

/// Both workers are stopped, given requests they never read, and killed; the master starts new ones.
pub(crate) fn workers_killed(stage: &Stage<'_>) -> Result<Vec<Truth>, Error> {
    let nginx = Nginx::start(stage, &[ANSWERS])?;
    let callers = answered_callers(stage)?;
    let workers = nginx.program.workers();
    for worker in &workers {
        nginx.program.signal(*worker, Signal::SIGSTOP)?;
    }
    let mut waiting = Vec::new();
    for mut caller in callers {
        caller.say(GET)?;
        waiting.push(caller);
    }
    stage.pause(1);
    for worker in &workers {
        nginx.program.signal(*worker, Signal::SIGKILL)?;
    }
    let mut truths = Vec::new();
    for mut caller in waiting {
        stage.expect_reset(&mut caller.stream, caller.flow)?;
        let done = "both workers of nginx were killed (SIGKILL) while this connection held a request nobody had read";
        truths.push(stage.truth(caller.flow, "server", "service_restart", done));
    }
    answered_callers(stage)?.into_iter().for_each(Caller::finish);
    Ok(truths)
}

/// A reload: the old workers close idle connections with FIN, and the clients use them once more.
pub(crate) fn reloaded(stage: &Stage<'_>) -> Result<Vec<Truth>, Error> {
    let nginx = Nginx::start(stage, &[ANSWERS])?;
    let callers = answered_callers(stage)?;
    let missing = || Error::ToolMissing {
        program: "nginx",
        source: std::io::Error::from(std::io::ErrorKind::NotFound),
    };
    let master = nginx.program.process().ok_or_else(missing)?;
    nginx.program.signal(master, Signal::SIGHUP)?;
    let mut truths = Vec::new();
    for mut caller in callers {
        // The FIN comes when the old worker has read the new configuration.
        while caller.seems()? == Seems::Open {
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
        let _ = caller.say(GET);
        let done = "nginx was reloaded (SIGHUP); its old worker closed the idle connection with FIN and the client used \
                    it once more";
        truths.push(stage.truth(caller.flow, "server", "data_after_close", done));
    }
    stage.pause(2);
    Ok(truths)
}

/// Connections that were each answered once and are kept.
fn answered_callers(stage: &Stage<'_>) -> Result<Vec<Caller>, Error> {
    let mut callers = Vec::new();
    for _ in 0..CONNECTIONS {
        let mut caller = Caller::call(stage, 0)?;
        if !caller.ask(GET, ANSWER_END) {
            return Err(stage.broken(caller.flow.0, caller.flow.1, "nginx did not answer"));
        }
        callers.push(caller);
    }
    Ok(callers)
}
