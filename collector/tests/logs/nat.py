"""Plays connections through a router that translates addresses (nftables): client host, router, server host, each a
network namespace of its own; this process is the router.

nat.py DIRECTORY: writes inside.pcap and outside.pcap, as both sides of the router are seen, and flows.csv: what each
connection was, with the addresses that the router's own table of connections (conntrack) has for it. What client and
server saw of each other must agree with that table.

Some connections use the addresses of an earlier one again; some end well; some go by untranslated.
"""

import csv
import os
import signal
import socket
import struct
import subprocess
import sys
import threading
import time

RESET = struct.pack("ii", 1, 0)
FLOWS = 96
SERVER = "192.0.2.9"
SERVICE = "203.0.113.9"
RULES = f"""
table ip nat {{
    chain before {{
        type nat hook prerouting priority dstnat;
        ip daddr {SERVICE} tcp dport 443 dnat to {SERVER}:8443
        ip daddr {SERVICE} tcp dport 444 dnat to {SERVER}:8444
    }}
    chain after {{
        type nat hook postrouting priority srcnat;
        ip saddr 10.1.0.2-10.1.0.5 oifname "outside" ip protocol tcp snat to 192.0.2.1:20000-60000 random
    }}
}}
"""


def kind_of(number):
    return ["client", "server", "client", "server", "finished", "refused"][number % 6]


def addresses_of(number):
    """The client's end, and where it calls. The second half has every fourth end of the first half again."""
    again = number - FLOWS // 2 if number >= FLOWS // 2 and number % 4 == 0 else number
    if kind_of(number) == "refused":
        return (f"10.1.0.{6 + again % 4}", 10000 + again), (SERVICE, 444)
    return (f"10.1.0.{2 + again % 8}", 10000 + again), ((SERVER, 8443) if again % 7 == 3 else (SERVICE, 443))


def read_line(connection):
    line = b""
    while not line.endswith(b"\n"):
        piece = connection.recv(100)
        if not piece:
            break
        line += piece
    return line.decode().strip()


def serve(directory):
    listener = socket.create_server(("", 8443), backlog=128)
    rows = open(os.path.join(directory, "server.csv"), "w", buffering=1)
    print("ready", flush=True)

    def talk(connection, peer):
        line = read_line(connection)
        if not line.isdigit():
            connection.close()
            return
        number = int(line)
        rows.write(f"{number},{peer[0]}:{peer[1]}\n")
        connection.sendall(b"ok\n")
        try:
            if kind_of(number) == "server":
                time.sleep(0.3 + number % 5 * 0.15)
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
            else:
                connection.recv(100)
        except OSError:
            pass
        connection.close()

    while True:
        threading.Thread(target=talk, args=listener.accept(), daemon=True).start()


def call(number, rows):
    client, server = addresses_of(number)
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    connection.bind(client)
    begun = time.time_ns()
    kind = kind_of(number)
    try:
        connection.connect(server)
        connection.sendall(f"{number}\n".encode())
        read_line(connection)
        if kind == "server":
            connection.recv(100)
        else:
            time.sleep(0.3 + number % 5 * 0.15)
            if kind == "client":
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
    except (ConnectionResetError, ConnectionRefusedError):
        pass
    connection.close()
    rows.append((number, f"{client[0]}:{client[1]}", f"{server[0]}:{server[1]}", begun, time.time_ns()))


def call_all(numbers):
    rows = []
    players = [threading.Thread(target=call, args=(number, rows)) for number in numbers]
    for player in players:
        player.start()
        time.sleep(0.02)
    for player in players:
        player.join()
    csv.writer(sys.stdout).writerows(rows)


def tracked():
    """The router's own table: addresses of a connection as its client sends, to those as its server gets."""
    table = {}
    with open("/proc/net/nf_conntrack") as file:
        for line in file:
            pairs = [word.split("=", 1) for word in line.split() if "=" in word]
            ends = [value for key, value in pairs if key in ("src", "dst", "sport", "dport")]
            if " tcp " in line and len(ends) == 8:
                client, server = f"{ends[0]}:{ends[2]}", f"{ends[1]}:{ends[3]}"
                table[client, server] = (f"{ends[5]}:{ends[7]}", f"{ends[4]}:{ends[6]}")
    return table


def run(*words, **more):
    return subprocess.run(words, check=True, **more)


def host():
    """A network of its own that lives as long as the process that holds it."""
    holder = subprocess.Popen(["unshare", "-n", "sh", "-c", "echo; exec sleep 600"], stdout=subprocess.PIPE)
    holder.stdout.readline()
    return holder


def inside(holder, *words):
    return ["nsenter", "-t", str(holder.pid), "-n", *words]


def wire(name, holder, ours, theirs):
    run("ip", "link", "add", name, "type", "veth", "peer", "name", "eth0", "netns", str(holder.pid))
    run("ip", "address", "add", f"{ours}/24", "dev", name)
    run("ip", "link", "set", name, "up")
    for address in theirs:
        run(*inside(holder, "ip", "address", "add", f"{address}/24", "dev", "eth0"))
    run(*inside(holder, "ip", "link", "set", "eth0", "up"))
    run(*inside(holder, "ip", "route", "add", "default", "via", ours))


def setting(path, value):
    with open(f"/proc/sys/net/{path}", "w") as file:
        file.write(str(value))


def capture(name, directory):
    path = os.path.join(directory, f"{name}.pcap")
    words = ["tcpdump", "-i", name, "-U", "--immediate-mode", "-s", "128", "-Z", "root", "-w", path, "tcp"]
    recorder = subprocess.Popen(words, stderr=subprocess.DEVNULL)
    while not os.path.exists(path) or os.path.getsize(path) < 24:
        time.sleep(0.02)
    return recorder


def await_recorders(directory, clients):
    """Sends something last and waits until it is in both captures: then all before it is."""
    last = b"this is the end\n"
    words = f"import socket; socket.create_connection(('{SERVER}', 8443)).sendall({last!r})"
    run(*inside(clients, sys.executable, "-c", words))
    for name in ("inside", "outside"):
        for _ in range(1000):
            with open(os.path.join(directory, f"{name}.pcap"), "rb") as file:
                if last in file.read():
                    break
            time.sleep(0.02)
        else:
            sys.exit(f"the capture of {name} has no end")


def play(directory):
    clients, servers = host(), host()
    programs = [clients, servers]
    try:
        wire("inside", clients, "10.1.0.1", [f"10.1.0.{number}" for number in range(2, 10)])
        wire("outside", servers, "192.0.2.1", [SERVER])
        setting("ipv4/ip_forward", 1)
        run("nft", "-f", "-", input=RULES.encode())
        # What is over stays in the table until it is read.
        setting("netfilter/nf_conntrack_tcp_timeout_close", 120)
        recorders = [capture(name, directory) for name in ("inside", "outside")]
        programs += recorders
        server = subprocess.Popen(inside(servers, sys.executable, __file__, "serve", directory), stdout=subprocess.PIPE)
        programs.append(server)
        server.stdout.readline()
        flows = []
        for half in (range(FLOWS // 2), range(FLOWS // 2, FLOWS)):
            # Firewalls' stamps have whole seconds: addresses that come again a moment later are not told apart.
            time.sleep(6 if flows else 0)
            words = inside(clients, sys.executable, __file__, "call", *map(str, half))
            called = run(*words, capture_output=True, text=True).stdout
            table = tracked()
            for number, *ends, begun, ended in csv.reader(called.splitlines()):
                # The table forgets at once what is refused: those go by the rule, from clients that keep their address.
                after = table.get(tuple(ends)) or (ends[0], f"{SERVER}:8444")
                flows.append((int(number), *ends, *after, begun, ended, kind_of(int(number))))
        await_recorders(directory, clients)
        for recorder in recorders:
            recorder.send_signal(signal.SIGINT)
            recorder.wait()
        agree(directory, flows)
        with open(os.path.join(directory, "flows.csv"), "w") as file:
            csv.writer(file).writerows(flows)
    finally:
        for program in programs:
            program.kill()
            program.wait()


def agree(directory, flows):
    """The server's word for each connection is what the table has."""
    with open(os.path.join(directory, "server.csv")) as file:
        saw = {int(number): peer for number, peer in csv.reader(file)}
    for number, client, _, client_after, _, _, _, kind in flows:
        if kind != "refused" and saw.get(number) != client_after:
            sys.exit(f"{number}: the server saw {saw.get(number)}, the router has {client_after} for {client}")


match sys.argv[1:]:
    case ["serve", directory]:
        serve(directory)
    case ["call", *numbers]:
        call_all([int(number) for number in numbers])
    case [directory]:
        play(directory)
