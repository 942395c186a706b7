"""The package installed on a fresh Debian that watches a tap: what several tests begin with."""

import contextlib
import pathlib
import resource
import subprocess

from links import TAP, Links, inside
from machine import Machine, wait_until
from package import built

CONFIGURATION = "/etc/rstscope/rstscope.toml"
ONE_LINE = f'link = [{{ interfaces = ["{TAP}"] }}]\n'
# The unit raises the limit of locked memory, which takes CAP_SYS_RESOURCE of whoever starts it. Where this host has
# none, the machine stands in for the limit with the capability that makes it void.
NO_LIMIT = """[Service]
AmbientCapabilities=CAP_IPC_LOCK
CapabilityBoundingSet=CAP_IPC_LOCK
"""
CAP_SYS_RESOURCE = 24


def limits_can_be_raised():
    """Whether a process that we start may lock as much memory as it wants."""
    if resource.getrlimit(resource.RLIMIT_MEMLOCK)[1] == resource.RLIM_INFINITY:
        return True
    for line in pathlib.Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        if line.startswith("CapEff:"):
            return bool(int(line.split()[1], 16) >> CAP_SYS_RESOURCE & 1)
    return False


@contextlib.contextmanager
def installed(configuration=ONE_LINE):
    """Links, and a machine on their tap with the package and its configuration; the service is not started."""
    with Links() as links, Machine(links.appliance) as machine:
        machine.put(built(), "/tmp/rstscope.deb")
        machine.run("dpkg", "--install", "/tmp/rstscope.deb")
        machine.write(CONFIGURATION, configuration)
        lift_limit(machine)
        yield links, machine


def lift_limit(machine):
    """Lets the service lock memory, whatever this host allows."""
    if not limits_can_be_raised():
        print("this host cannot raise limits: CAP_IPC_LOCK stands in for LimitMEMLOCK=infinity")
        drop_in(machine, "memlock", NO_LIMIT)


def drop_in(machine, name, text):
    """A drop-in of the unit; an empty text takes it away."""
    machine.write(f"/etc/systemd/system/rstscope.service.d/{name}.conf", text)
    machine.run("systemctl", "daemon-reload")


def start(links, machine):
    """Starts the service; readiness is awaited by systemd."""
    machine.run("systemctl", "start", "rstscope")
    wait_until("the XDP program is attached", links.programs)


def page(links, path):
    """A page of the sensor's local API; empty while nobody answers."""
    command = inside(links.appliance, "curl", "--silent", "--max-time", "5", f"http://127.0.0.1:9477{path}")
    return subprocess.run(command, check=False, capture_output=True, text=True).stdout


def told(links, port):
    """Whether the local API knows a reset of the connection from that client's port."""
    return f'"port":{port}' in page(links, "/api/v1/events?limit=1000").replace(" ", "")
