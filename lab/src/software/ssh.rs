//! OpenSSH's limits on those who have not logged in yet.

use std::fs;
use std::path::Path;
use std::time::Duration;

use crate::endpoint;
use crate::scenario::Stage;
use crate::software::caller::{Caller, Seems};
use crate::software::nginx::timed;
use crate::software::program::{Folder, Program, run};
use crate::{Error, Truth};

/// A running sshd.
struct Sshd {
    _program: Program,
    _folder: Folder,
}

/// sshd insists on this empty folder, which the service's unit makes on other machines.
const PRIVILEGE_SEPARATION: &str = "/run/sshd";

/// What a client says first, without being asked (RFC 4253, section 4.2).
const BANNER: &[u8] = b"SSH-2.0-lab\r\n";

impl Sshd {
    fn start(stage: &Stage<'_>, settings: &str) -> Result<Self, Error> {
        let folder = Folder::create()?;
        let made = fs::create_dir_all(PRIVILEGE_SEPARATION);
        made.map_err(|source| Error::File {
            path: Path::new(PRIVILEGE_SEPARATION).into(),
            source,
        })?;
        let (host, key) = (stage.topology().server(), folder.file("key"));
        let key_path = key.to_string_lossy();
        run(host, "ssh-keygen", &["-q", "-t", "ed25519", "-N", "", "-f", &key_path])?;
        let configuration = format!(
            "ListenAddress {}\nHostKey {key_path}\nPidFile none\nUsePAM no\nStrictModes no\n{settings}\n",
            stage.server_address(0)
        );
        let path = folder.write("sshd_config", &configuration)?;
        let arguments = ["-D", "-e", "-f", &path.to_string_lossy()];
        let program = Program::start(host, &folder, "sshd", &arguments)?;
        program.await_listener(host, stage.server_address(0))?;
        Ok(Self { _program: program, _folder: folder })
    }
}

/// Who calls while `MaxStartups` others have not logged in is sent away with his banner unread.
pub(crate) fn max_startups(stage: &Stage<'_>) -> Result<Vec<Truth>, Error> {
    let _sshd = Sshd::start(stage, "MaxStartups 3:100:3")?;
    let mut inside = Vec::new();
    for _ in 0..3 {
        let mut caller = Caller::call(stage, 0)?;
        greet(&mut caller)?;
        inside.push(caller);
    }
    let mut truths = Vec::new();
    for _ in 0..5 {
        let mut caller = Caller::call(stage, 0)?;
        // Already turned away, perhaps.
        let _ = caller.say(BANNER);
        caller.wait_for_end();
        stage.pause(1);
        let done = "sshd turned the connection away because MaxStartups others had not logged in; the client's banner \
                    met a closed socket, or was unread when it closed";
        // A close with unread data is an abort whatever the reason; which of the two it was, the kernel tells.
        let cause = "connection_limit|app_abort|data_after_close";
        truths.push(stage.truth(caller.flow, "server", cause, done));
    }
    // Below the limit the same client is welcome again.
    inside.into_iter().for_each(Caller::finish);
    stage.pause(2);
    greet(&mut Caller::call(stage, 0)?)?;
    Ok(truths)
}

/// sshd's deadline for the login in [`login_grace`].
const GRACE: Duration = Duration::from_secs(4);

/// sshd closes at `LoginGraceTime`; the client speaks too late.
pub(crate) fn login_grace(stage: &Stage<'_>) -> Result<Vec<Truth>, Error> {
    let _sshd = Sshd::start(stage, &format!("LoginGraceTime {}", GRACE.as_secs()))?;
    let mut callers = Vec::new();
    for _ in 0..4 {
        let mut caller = Caller::call(stage, 0)?;
        greet(&mut caller)?;
        callers.push(caller);
    }
    std::thread::sleep(GRACE);
    let mut truths = Vec::new();
    for mut caller in callers {
        caller.wait_for_end();
        // The listener's process holds the socket a moment longer than the one that closed it.
        std::thread::sleep(Duration::from_millis(300));
        let _ = caller.say(b"\0\0\0\x0c\x0a\x1e password?\r\n");
        stage.pause(2);
        let done = "sshd closed at LoginGraceTime (4 s) with FIN; the client spoke after that";
        truths.push(stage.truth(caller.flow, "server", "data_after_close", done));
    }
    Ok(timed(truths, GRACE))
}

/// Both banners and the server's proposal of keys are said.
fn greet(caller: &mut Caller) -> Result<(), Error> {
    caller.say(BANNER)?;
    // The server's banner is longer than this.
    endpoint::hear(&mut caller.stream, 8)?;
    if caller.seems()? == Seems::Reset {
        return Err(Error::socket("greet sshd", nix::errno::Errno::ECONNRESET));
    }
    Ok(())
}
