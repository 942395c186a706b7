"""An OTLP/HTTP receiver (opentelemetry.io/docs/specs/otlp) that writes down every log record it acknowledges.

As a program: receiver.py PORT FILE. Takes JSON, gzip or plain. A record goes to FILE, one JSON object a line, and is on
disk before it is acknowledged.
"""

import gzip
import http.server
import json
import os
import subprocess
import sys

from links import inside


class Receiver:
    """The program as a process in a network namespace; stopped and started again at will."""

    def __init__(self, network, file, port=4318):
        self.command = inside(network, sys.executable, __file__, str(port), str(file))
        self.file = file
        self.process = None

    def start(self):
        """Starts it, and waits until it listens."""
        self.process = subprocess.Popen(self.command, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout.readline() == "listening\n"

    def stop(self):
        """Kills it, as a crash would."""
        if self.process:
            self.process.kill()
            self.process.wait()
            self.process.stdout.close()
            self.process = None

    def records(self):
        """Everything that was acknowledged so far."""
        if not self.file.exists():
            return []
        return [json.loads(line) for line in self.file.read_text(encoding="utf-8").splitlines()]


def plain(value):
    """A value of OTLP's JSON as one of Python's."""
    ((kind, inner),) = value.items()
    if kind == "arrayValue":
        return [plain(item) for item in inner.get("values", [])]
    if kind == "kvlistValue":
        return attributes(inner.get("values", []))
    return int(inner) if kind == "intValue" else inner


def attributes(pairs):
    """A list of keys and values as a dictionary."""
    return {pair["key"]: plain(pair["value"]) for pair in pairs}


class Handler(http.server.BaseHTTPRequestHandler):
    """POST /v1/logs."""

    protocol_version = "HTTP/1.1"

    def do_POST(self):
        """Writes the records down, then says so."""
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.headers.get("Content-Encoding") == "gzip":
            body = gzip.decompress(body)
        with open(sys.argv[2], "a", encoding="utf-8") as file:
            # Minutes come as metrics, which nobody here counts.
            for resource in json.loads(body).get("resourceLogs", []):
                for scope in resource["scopeLogs"]:
                    for record in scope["logRecords"]:
                        told = attributes(record["attributes"])
                        file.write(json.dumps(told | {"body": plain(record["body"])}) + "\n")
            file.flush()
            os.fsync(file.fileno())
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, *_):
        """Says nothing."""


if __name__ == "__main__":
    listener = http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler)
    print("listening", flush=True)
    listener.serve_forever()
