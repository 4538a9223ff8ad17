"""Mail submitted without a pause, and each message verified by what the DNS said as it arrived."""

from __future__ import annotations

import base64
import json
import re
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from lab.errors import LabError
from lab.host import Host
from lab.internet import Internet
from support.applied import DOMAIN, LOGIN, PASSWORD
from support.clocks import HUNG, until

PORTS = (465, 587)
# as many messages as are given, each against the key that is given with it
VERIFY = """
import base64, json, sys, dkim
for message, key in json.load(sys.stdin):
    try:
        held = dkim.verify(base64.b64decode(message), dnsfunc=lambda *_, **__: key.encode() or None)
    except Exception as error:
        held = False
    print(int(bool(held)))
"""
_SELECTOR = re.compile(rb"^DKIM-Signature:(?:.*\r?\n(?=[ \t]))*.*", re.MULTILINE)


@dataclass
class Arrived:
    """A message as the foreign host has it, who signed it, and the key of that moment."""

    mark: str
    raw: bytes
    selector: str
    key: str


@dataclass
class Traffic:
    """One message a second from a mail program to somebody far away."""

    internet: Internet
    host: Host
    name: str
    accepted: list[str] = field(default_factory=list)
    put_off: list[str] = field(default_factory=list)
    arrived: dict[str, Arrived] = field(default_factory=dict)
    _over: threading.Event = field(default_factory=threading.Event)

    def submit(self, number: int) -> None:
        """Send one message; what is not taken is noted."""
        mark, author = f"{self.name}-{number}", f"{LOGIN}@{DOMAIN}"
        port = PORTS[number % len(PORTS)]
        token = base64.b64encode(f"\0{LOGIN}\0{PASSWORD}".encode()).decode()
        head = f"From: <{author}>\r\nTo: <stranger@foreign.test>\r\nSubject: {mark}\r\n"
        head += f"Date: Sat, 21 Nov 2026 12:00:00 +0000\r\nMessage-ID: <{mark}@{DOMAIN}>\r\n\r\n"
        hello = ["EHLO laptop"]
        steps: list[str | bytes] = [*hello, *(["STARTTLS", *hello] if port == 587 else [])]
        steps += [f"AUTH PLAIN {token}", f"MAIL FROM:<{author}>"]
        steps += ["RCPT TO:<stranger@foreign.test>", "DATA", f"{head}steady\r\n.\r\n".encode()]
        try:
            heard = self.internet.foreign.dialogue(self.host.address, port, steps, tls=port == 465)
        except LabError as error:
            heard = [str(error)]
        (self.accepted if heard[-1].startswith("250") else self.put_off).append(mark)

    def look(self) -> None:
        """Take in what has arrived, and ask at once for the key that it names."""
        for raw in self.internet.foreign.raw():
            found = re.search(rb"^Subject: (\S+)", raw, re.MULTILINE)
            mark = found[1].decode() if found else ""
            if not mark.startswith(f"{self.name}-") or mark in self.arrived:
                continue
            signature = _SELECTOR.search(raw)
            tags = re.sub(rb"\s", b"", signature[0]) if signature else b""
            named = re.search(rb";s=([^;]+);", tags)
            selector = named[1].decode() if named else ""
            key = ""
            if selector:
                answers = self.internet.dns.ask(f"{selector}._domainkey.{DOMAIN}", "TXT")
                key = "".join("".join(answers[:1]).split('"')[1::2])
            self.arrived[mark] = Arrived(mark, raw, selector, key)

    def _send(self) -> None:
        for number in range(10**6):
            begun = time.monotonic()
            if self._over.is_set():
                return
            self.submit(number)
            self._over.wait(max(0.0, 1 - (time.monotonic() - begun)))

    def _watch(self) -> None:
        while not self._over.is_set():
            self.look()
            self._over.wait(0.1)

    def goes_on(self, more_than: int = 0) -> None:
        """Return when two more are accepted, and more in all than this."""
        wanted = max(len(self.accepted) + 2, more_than + 1)
        until(lambda: len(self.accepted) >= wanted, 5 * HUNG, every=0.1)

    @contextmanager
    def flowing(self) -> Iterator[None]:
        """Send and watch during this block; what still waits is then let through."""
        threads = [threading.Thread(target=each) for each in (self._send, self._watch)]
        for each in threads:
            each.start()
        try:
            yield
        finally:
            self._over.set()
            for each in threads:
                each.join()
        for _ in range(120):
            self.look()
            if set(self.accepted) <= set(self.arrived):
                return
            self.host.run("postqueue -f")
            time.sleep(0.5)

    def verified(self) -> Counter[str]:
        """How many held, by selector; "" counts those that did not."""
        messages = list(self.arrived.values())
        pairs = [
            (base64.b64encode(_crlf(one.raw)).decode(), one.key if one.selector else "")
            for one in messages
        ]
        argv = ["/usr/bin/python3", "-c", VERIFY]
        held = self.host.run(argv, input=json.dumps(pairs), timeout=120).stdout.split()
        return Counter(
            one.selector if ok == "1" else "" for one, ok in zip(messages, held, strict=True)
        )


def _crlf(raw: bytes) -> bytes:
    return raw.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
