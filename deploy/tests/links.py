"""A client and a server in namespaces of their own, and a tap that shows a third what they say to each other.

    client e0 10.9.0.1 ------ 10.9.0.2 e0 server
               `- both directions mirrored (tc-mirred(8)) -> span ------ tap0 of the appliance

Resets are made by the kernels of the two: a connection to a closed port is refused, one that the server closes with
SO_LINGER 0 is aborted. Each is known by the client's port, which is drawn once and never used again.
"""

import json
import os
import pathlib
import subprocess
import sys

TAP = "tap0"
CLIENT = """
import json, socket, sys
ports = json.loads(sys.argv[1])
for kind, port in ports:
    with socket.socket() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        client.bind(("10.9.0.1", port))
        try:
            client.connect(("10.9.0.2", 9 if kind == "refused" else 8080))
            client.sendall(b"GET / HTTP/1.0\\r\\n\\r\\n")
            client.recv(1)
            sys.exit(f"port {port}: {kind} was wanted and nothing was reset")
        except (ConnectionRefusedError, ConnectionResetError):
            pass
"""
SERVER = """
import socket, struct
server = socket.create_server(("10.9.0.2", 8080), backlog=64)
print("listening", flush=True)
while True:
    connection, _ = server.accept()
    connection.recv(100)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()
"""


def ip(*command):
    """ip(8)."""
    subprocess.run(["ip", *command], check=True)


def inside(network, *command):
    """A command line that runs in a network namespace and keeps everything else."""
    return ["nsenter", f"--net=/run/netns/{network}", *command]


class Links:
    """Use it in a `with`; namespaces and processes are gone afterwards."""

    def __init__(self):
        name = f"rst{os.getpid()}"
        self.client, self.server, self.appliance = (f"{name}-{end}" for end in ("client", "server", "tap"))
        self.listener = None
        self.ports = iter(range(20000, 60000))
        # (kind, client's port) of every reset that was made.
        self.made = []

    def __enter__(self):
        try:
            for network in (self.client, self.server, self.appliance):
                ip("netns", "add", network)
                ip("-n", network, "link", "set", "lo", "up")
            self._connect()
            self.plug()
            command = inside(self.server, sys.executable, "-c", SERVER)
            self.listener = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
            assert self.listener.stdout.readline() == "listening\n"
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        if self.listener:
            self.listener.kill()
            self.listener.wait()
            self.listener.stdout.close()
        for network in (self.client, self.server, self.appliance):
            if pathlib.Path(f"/run/netns/{network}").exists():
                ip("netns", "del", network)

    def _connect(self):
        ip("-n", self.client, "link", "add", "e0", "type", "veth", "peer", "name", "e0", "netns", self.server)
        for network, address in ((self.client, "10.9.0.1/24"), (self.server, "10.9.0.2/24")):
            ip("-n", network, "link", "set", "e0", "up")
            ip("-n", network, "address", "add", address, "dev", "e0")
            quiet = ["ethtool", "-K", "e0", "tx", "off"]
            subprocess.run(inside(network, *quiet), check=True, stdout=subprocess.DEVNULL)
        subprocess.run(["tc", "-n", self.client, "qdisc", "add", "dev", "e0", "clsact"], check=True)

    def plug(self):
        """Makes the tap's interface, and mirrors to it."""
        ip("-n", self.client, "link", "add", "span", "type", "veth", "peer", "name", TAP, "netns", self.appliance)
        ip("-n", self.client, "link", "set", "span", "up")
        ip("-n", self.appliance, "link", "set", TAP, "up")
        for direction in ("ingress", "egress"):
            rule = f"filter add dev e0 {direction} protocol all prio 1 u32 match u32 0 0"
            mirror = "action mirred egress mirror dev span"
            subprocess.run(["tc", "-n", self.client, *rule.split(), *mirror.split()], check=True)

    def unplug(self):
        """The tap's interface disappears."""
        for direction in ("ingress", "egress"):
            subprocess.run(["tc", "-n", self.client, "filter", "del", "dev", "e0", direction], check=True)
        ip("-n", self.client, "link", "del", "span")

    def set_tap(self, state):
        """The tap's interface is set `up` or `down`."""
        ip("-n", self.appliance, "link", "set", TAP, state)

    def set_carrier(self, state):
        """The other end goes `up` or `down`: the tap's carrier comes or goes."""
        ip("-n", self.client, "link", "set", "span", state)

    def programs(self):
        """The XDP programs on the tap's interface."""
        shown = subprocess.run(
            ["ip", "-n", self.appliance, "-json", "-details", "link", "show", TAP],
            check=True, capture_output=True, text=True,
        )
        return [link["xdp"] for link in json.loads(shown.stdout) if "xdp" in link]

    def make(self, refused, aborted):
        """Makes so many resets of each kind, one after the other; returns the clients' ports."""
        wanted = [("refused", next(self.ports)) for _ in range(refused)]
        wanted += [("aborted", next(self.ports)) for _ in range(aborted)]
        command = inside(self.client, sys.executable, "-c", CLIENT, json.dumps(wanted))
        subprocess.run(command, check=True, timeout=60)
        self.made += wanted
        return [port for _, port in wanted]
