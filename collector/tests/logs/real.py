"""Plays resets through a real HAProxy and a real nginx on the loopback of a network namespace of its own.

real.py DIRECTORY CONFIGURATION: writes capture.pcap and logs.txt; CONFIGURATION is deploy/config/logs.
"""

import os
import signal
import socket
import struct
import subprocess
import sys
import threading
import time

directory, configuration = sys.argv[1:3]
FLOWS = 8
RESET = struct.pack("ii", 1, 0)


def path(name):
    return os.path.join(directory, name)


def await_port(port):
    for _ in range(500):
        try:
            socket.create_connection(("127.0.0.1", port)).close()
            return
        except OSError:
            time.sleep(0.02)
    sys.exit(f"nobody listens on {port}")


def backend(port, behave):
    listener = socket.create_server(("127.0.0.1", port), backlog=64)

    def serve():
        while True:
            connection, _ = listener.accept()
            threading.Thread(target=behave, args=(connection,), daemon=True).start()

    threading.Thread(target=serve, daemon=True).start()


def reset_after_half(connection):
    if connection.recv(100):
        connection.sendall(b"half of the answer")
        time.sleep(0.1)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
    connection.close()


def hold(connection):
    read_to_end(connection)


def listen_for_logs():
    receiver = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    receiver.bind(("127.0.0.1", 5514))

    def write():
        with open(path("logs.txt"), "wb", buffering=0) as file:
            while True:
                file.write(receiver.recv(65536).rstrip(b"\n") + b"\n")

    threading.Thread(target=write, daemon=True).start()


def haproxy():
    with open(os.path.join(configuration, "haproxy.cfg")) as file:
        form = next(line for line in file if line.startswith("log-format"))
    with open(path("haproxy.cfg"), "w") as file:
        file.write(
            "global\n log 127.0.0.1:5514 local0\n log-send-hostname lb-real\n"
            "defaults\n mode tcp\n log global\n timeout connect 2s\n timeout client 9s\n timeout server 9s\n "
            + form
            + "".join(f"listen l{n}\n bind 127.0.0.1:800{n}\n server s 127.0.0.1:900{n}\n" for n in (1, 2, 3))
        )
    return ["haproxy", "-db", "-f", path("haproxy.cfg")]


def nginx():
    with open(os.path.join(configuration, "nginx.conf")) as file:
        text = file.read().replace("192.0.2.9:514", "127.0.0.1:5514")
    with open(path("nginx.conf"), "w") as file:
        folders = "".join(
            f" {part}_temp_path {path(part)};\n" for part in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        )
        file.write(
            f"daemon off;\nuser root;\npid {path('nginx.pid')};\nerror_log stderr;\nevents {{}}\nhttp {{\n{folders}{text}\n"
            " client_body_timeout 1s;\n reset_timedout_connection on;\n"
            " server { listen 127.0.0.1:8004; location / { proxy_pass http://127.0.0.1:9003/; } }\n}\n"
        )
    return ["nginx", "-p", directory, "-c", path("nginx.conf")]


def call(port, said):
    connection = socket.create_connection(("127.0.0.1", port))
    connection.sendall(said)
    return connection


def read_to_end(connection):
    try:
        while connection.recv(1000):
            pass
    except OSError:
        pass
    connection.close()


def server_resets():
    read_to_end(call(8001, b"ask"))


def server_refuses():
    try:
        read_to_end(call(8002, b"ask"))
    except OSError:
        pass


def client_resets():
    connection = call(8003, b"ask")
    time.sleep(0.3)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
    connection.close()


def request_stalls():
    read_to_end(call(8004, b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 90000\r\n\r\n"))


def client_leaves_nginx():
    connection = call(8004, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    time.sleep(0.4)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
    connection.close()


subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
listen_for_logs()
backend(9001, reset_after_half)
backend(9003, hold)
capture = subprocess.Popen(
    ["tcpdump", "-i", "lo", "-U", "-s", "128", "-Z", "root", "-w", path("capture.pcap"), "tcp"],
    stderr=subprocess.DEVNULL,
)
while not os.path.exists(path("capture.pcap")) or os.path.getsize(path("capture.pcap")) < 24:
    time.sleep(0.02)
programs = [capture] + [subprocess.Popen(command, stderr=subprocess.DEVNULL) for command in (haproxy(), nginx())]
for port in (8001, 8003, 8004):
    await_port(port)
players = [
    threading.Thread(target=play)
    for play in (server_resets, server_refuses, client_resets, request_stalls, client_leaves_nginx)
    for _ in range(FLOWS)
]
for player in players:
    player.start()
    time.sleep(0.05)
for player in players:
    player.join()
time.sleep(1)
for program in reversed(programs):
    program.send_signal(signal.SIGINT if program is capture else signal.SIGTERM)
    program.wait()
