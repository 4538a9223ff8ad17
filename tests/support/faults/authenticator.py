"""Runs on the host under test: a fake of Dovecot's authentication server, as Postfix asks it.

Arguments: the socket; the ways to log in, comma-separated; what a login hears, as LOGIN=REPLY with
OK or FAIL and a word more, "*" for all others; no reply hangs up. The real one does none of that.
"""

from __future__ import annotations

import base64
import socket
import socketserver
import sys
from pathlib import Path

PATH, MECHANISMS, *REPLIES = sys.argv[1:]
SAID = dict(reply.split("=", 1) for reply in REPLIES)


class Handler(socketserver.StreamRequestHandler):
    """One smtpd (Dovecot's authentication protocol, 1.1)."""

    def say(self, *words: str) -> None:
        self.wfile.write("\t".join(words).encode() + b"\n")

    def handle(self) -> None:
        self.say("VERSION", "1", "1")
        for name in MECHANISMS.split(","):
            self.say("MECH", name)
        for line in ("SPID\t1", "CUID\t1", "COOKIE\t0", "DONE"):
            self.say(line)
        for row in self.rfile:
            verb, number, *more = [*row.decode().rstrip("\n").split("\t"), ""]
            if verb == "AUTH" and not any(word.startswith("resp=") for word in more):
                self.say("CONT", number, "")
            elif verb in ("AUTH", "CONT"):
                self.answer(number, more[-2].removeprefix("resp="))

    def answer(self, number: str, response: str) -> None:
        """RFC 4616: authorisation NUL login NUL password."""
        login = base64.b64decode(response).split(b"\0")[1].decode()
        verdict, _, words = SAID.get(login, SAID.get("*", "FAIL")).partition(" ")
        if verdict:
            self.say(verdict, number, f"user={login}", words)
        else:
            self.connection.shutdown(socket.SHUT_RDWR)


if __name__ == "__main__":
    server = socketserver.ThreadingUnixStreamServer(PATH, Handler)
    Path(PATH).chmod(0o666)
    server.serve_forever()
