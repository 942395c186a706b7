"""The engine of ClickHouse behind as much of its HTTP interface as the collector uses: POST / with a statement.

chdb is the current engine as a library, without a port of its own. Arguments: its directory, and the port.
"""

import http.server
import sys
import urllib.parse

from chdb import session

ENGINE = session.Session(sys.argv[1])


class Handler(http.server.BaseHTTPRequestHandler):
    """One statement a request, one request a connection: there is one thread."""


    def do_POST(self):
        """Does it, in the database of the header, with the values of param_NAME."""
        statement = self.rfile.read(int(self.headers["content-length"])).decode()
        status, body = 200, b""
        try:
            database = self.headers.get("x-clickhouse-database")
            ENGINE.query("USE " + (database or "default"))
            for name, value in urllib.parse.parse_qsl(urllib.parse.urlsplit(self.path).query):
                if name.startswith("param_"):
                    quoted = value.replace("\\", "\\\\").replace("'", "\\'")
                    ENGINE.query(f"SET {name} = '{quoted}'")
            body = ENGINE.query(statement, "TabSeparated").bytes() or b""
        except Exception as error:  # pylint: disable=broad-except
            status, body = 400, str(error).encode()
        self.send_response(status)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        """Nothing is told."""


http.server.HTTPServer(("127.0.0.1", int(sys.argv[2])), Handler).serve_forever()
