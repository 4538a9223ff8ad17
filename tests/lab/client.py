"""A mail client for tests, run as a script inside another host's network namespace.

Reads one JSON object: address, port, source, tls, protocol, steps (base64, each sent as it is),
stop (whether to end at the first refusal), timeout. Writes a JSON list: the answer to each step,
the greeting first; an answer that did not come is given as "!" and the reason.
"""

import base64
import json
import socket
import ssl
import sys
from typing import Any


class Peer:
    """A connection on which each thing said is followed by one whole answer."""

    def __init__(self, wish: dict[str, Any]) -> None:
        self.protocol: str = wish["protocol"]
        source = (wish["source"], 0) if wish["source"] else None
        target = (wish["address"], wish["port"])
        self.socket = socket.create_connection(target, wish["timeout"], source)
        if wish["tls"]:
            self.secure()
        self.buffer = b""

    def secure(self) -> None:
        """Go on in TLS without looking at the certificate."""
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        self.socket = context.wrap_socket(self.socket)
        self.buffer = b""

    def line(self) -> str:
        """Read one line."""
        while b"\n" not in self.buffer:
            data = self.socket.recv(65536)
            if not data:
                raise ConnectionError("the peer closed the connection")
            self.buffer += data
        line, _, self.buffer = self.buffer.partition(b"\n")
        return line.rstrip(b"\r").decode("utf-8", "replace")

    def answer(self, said: bytes) -> str:
        """Read lines until the protocol says that the answer is complete."""
        tag = said.split(b" ")[0].decode("utf-8", "replace") if said else "*"
        lines = [self.line()]
        while not self.complete(lines[-1], tag):
            lines.append(self.line())
        return "\n".join(lines)

    def complete(self, line: str, tag: str) -> bool:
        """Tell whether this is the last line of an answer."""
        if self.protocol == "imap":
            return line.startswith((f"{tag} ", "+"))
        return self.protocol == "line" or line[3:4] != "-"


def talk(wish: dict[str, Any]) -> list[str]:
    """Carry out the dialogue and give the answers."""
    heard: list[str] = []
    try:
        peer = Peer(wish)
        heard.append(peer.answer(b""))
        for step in wish["steps"]:
            said = base64.b64decode(step)
            peer.socket.sendall(said)
            heard.append(peer.answer(said))
            verb = said.strip().upper().split(b" ")[-1]
            if verb == b"STARTTLS" and heard[-1].startswith(("220", said.decode().split()[0])):
                peer.secure()
            if wish["stop"] and heard[-1][:1] in ("4", "5"):
                break
    except OSError as error:
        heard.append(f"! {error}")
    return heard


if __name__ == "__main__":
    json.dump(talk(json.load(sys.stdin)), sys.stdout)
