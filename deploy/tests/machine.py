"""A fresh Debian 12 that is booted by its own systemd, in namespaces of this host's kernel.

The root is debootstrap's minbase and systemd, made once and kept in the cache; every machine lives in an overlay over
it, so that nothing is left of it. The kernel is the host's: what systemd would set for the whole kernel is masked, and
/proc/sys and /sys are read-only inside. Its network namespace is the caller's to make (links.py).
"""

import os
import pathlib
import shutil
import signal
import subprocess
import tempfile
import time

CACHE = pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache") / "rstscope"
BASE = CACHE / "debian-bookworm"
MIRROR = "http://deb.debian.org/debian"
INCLUDE = "systemd,systemd-sysv"
# These would reach beyond the namespaces, or wait for hardware.
MASKED = [
    "systemd-sysctl.service",
    "systemd-modules-load.service",
    "systemd-journald-audit.socket",
    "systemd-remount-fs.service",
    "sys-kernel-debug.mount",
    "sys-kernel-tracing.mount",
    "console-getty.service",
    "getty.target",
    "apt-daily.timer",
    "apt-daily-upgrade.timer",
]
# Run as the first process of the new namespaces; the arguments are the root and a file for the console.
BOOT = r"""
set -eu
root=$1 console=$2
mount --make-rprivate /
mount -t proc proc "$root/proc"
mount --bind "$root/proc/sys" "$root/proc/sys"
mount -o remount,bind,ro "$root/proc/sys"
mount -t sysfs -o ro sysfs "$root/sys"
mount -t cgroup2 cgroup2 "$root/sys/fs/cgroup"
mount -t bpf -o mode=700 bpf "$root/sys/fs/bpf"
mount -t tmpfs -o mode=755 tmpfs "$root/dev"
for node in null zero full random urandom tty; do cp -a "/dev/$node" "$root/dev/"; done
mkdir "$root/dev/pts" "$root/dev/shm"
mount -t devpts -o newinstance,ptmxmode=0666 devpts "$root/dev/pts"
ln -s pts/ptmx "$root/dev/ptmx"
touch "$root/dev/console"
mount --bind "$console" "$root/dev/console"
mount -t tmpfs -o mode=755 tmpfs "$root/run"
cd "$root"
mkdir -p .before
pivot_root . .before
umount -l /.before
export container=rstscope-test
exec /lib/systemd/systemd --system --log-target=console --show-status=false
"""


def wait_until(what, condition, seconds=30):
    """Looks ten times a second until `condition()` is true, and returns what it was; fails after `seconds`."""
    end = time.monotonic() + seconds
    while True:
        answer = condition()
        if answer:
            return answer
        if time.monotonic() > end:
            raise AssertionError(f"after {seconds} s still not so: {what}")
        time.sleep(0.1)


def base():
    """The folder of the fresh root; made if it is not in the cache."""
    if (BASE / "done").exists():
        return BASE / "root"
    shutil.rmtree(BASE, ignore_errors=True)
    BASE.mkdir(parents=True)
    command = ["debootstrap", "--variant=minbase", f"--include={INCLUDE}", "bookworm", BASE / "root", MIRROR]
    with open(BASE / "log", "w", encoding="utf-8") as log:
        if subprocess.run(command, stdout=log, stderr=log, check=False).returncode:
            raise AssertionError(f"debootstrap failed: {(BASE / 'log').read_text()[-2000:]}")
    (BASE / "done").touch()
    return BASE / "root"


def _unified():
    """Where this host's cgroup2 is mounted."""
    for line in pathlib.Path("/proc/mounts").read_text(encoding="utf-8").splitlines():
        _, place, kind, *_ = line.split()
        if kind == "cgroup2":
            return pathlib.Path(place)
    raise AssertionError("no cgroup2 is mounted: systemd cannot run in a namespace")


class Machine:
    """A booted Debian. Use it in a `with`; it is gone afterwards."""

    def __init__(self, network):
        """`network` is the name of its network namespace (ip-netns(8))."""
        self.network = network
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="rstscope-machine."))
        self.root = self.folder / "root"
        self.console = self.folder / "console"
        self.group = _unified() / self.folder.name
        self.process = None
        self.leader = None

    def __enter__(self):
        try:
            self._lay_out()
            self._boot()
        except BaseException:
            self.__exit__()
            raise
        return self

    def _lay_out(self):
        for name in ("upper", "work", "root"):
            (self.folder / name).mkdir()
        self.console.touch()
        layers = f"lowerdir={base()},upperdir={self.folder}/upper,workdir={self.folder}/work"
        subprocess.run(["mount", "-t", "overlay", "overlay", "-o", layers, self.root], check=True)
        for unit in MASKED:
            os.symlink("/dev/null", self.root / "etc/systemd/system" / unit)
        (self.root / "etc/machine-id").write_text("", encoding="utf-8")

    def _boot(self):
        self.group.mkdir()
        # The shell moves itself into the group before unshare makes it the root of a cgroup namespace.
        enter = f'echo 0 > {self.group}/cgroup.procs; exec "$@"'
        spaces = ["--mount", "--pid", "--fork", "--kill-child", "--cgroup", "--uts", "--ipc"]
        command = ["sh", "-c", enter, "sh", "nsenter", f"--net=/run/netns/{self.network}", "unshare", *spaces]
        command += ["bash", "-c", BOOT, "boot", self.root, self.console]
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL)
        children = pathlib.Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")

        def leader():
            assert self.process.poll() is None, f"the machine ended: {self.console.read_text()}"
            return children.read_text(encoding="ascii").split()

        self.leader = int(wait_until("the machine has a first process", leader)[0])
        wait_until("systemd is up", self._is_up, 60)

    def _is_up(self):
        state = self.run("systemctl", "is-system-running", check=False).stdout.strip()
        assert state != "degraded", self.out("systemctl", "--failed", "--no-pager")
        return state == "running"

    def __exit__(self, *_):
        if self.process:
            # systemd as a container's first process ends at once.
            self.process.send_signal(signal.SIGKILL)
            self.process.wait()
        wait_until("the machine's processes are gone", self._group_is_gone)
        subprocess.run(["umount", self.root], check=False, stderr=subprocess.DEVNULL)
        if not os.path.ismount(self.root):
            shutil.rmtree(self.folder)

    def _group_is_gone(self):
        if not self.group.exists():
            return True
        if "populated 1" in (self.group / "cgroup.events").read_text(encoding="ascii"):
            return False
        for folder, _, _ in os.walk(self.group, topdown=False):
            os.rmdir(folder)
        return True

    def run(self, *command, check=True, **options):
        """Runs a command inside and returns its result; fails with what it said unless `check` is false."""
        inside = ["nsenter", "--target", str(self.leader), "--all", "--", *map(str, command)]
        options = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True, **options}
        result = subprocess.run(inside, stdin=subprocess.DEVNULL, check=False, **options)
        if check and result.returncode:
            raise AssertionError(f"{' '.join(map(str, command))}: exit {result.returncode}: {result.stdout}")
        return result

    def out(self, *command):
        """What a command inside prints."""
        return self.run(*command).stdout

    def put(self, source, place):
        """Copies a file of the host into the machine."""
        shutil.copy(source, self.root / str(place).lstrip("/"))

    def write(self, place, text):
        """Writes a file of the machine."""
        path = self.root / str(place).lstrip("/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")

    def read(self, place):
        """Reads a file of the machine."""
        return (self.root / str(place).lstrip("/")).read_text(encoding="utf-8")

    def kill(self, process, number):
        """Sends a signal to a process of the machine."""
        self.run("sh", "-c", f"kill -{int(number)} {process}")

    def read_process(self, process, file):
        """Reads a file of /proc about a process of the machine."""
        return self.out("cat", f"/proc/{process}/{file}")

    def property(self, name, unit="rstscope"):
        """A property of a unit, as systemctl(1) shows it."""
        return self.out("systemctl", "show", "--value", "--property", name, unit).strip()

    def journal(self, unit="rstscope"):
        """All that a unit said."""
        return self.out("journalctl", "--no-pager", "--output=cat", "--unit", unit)
