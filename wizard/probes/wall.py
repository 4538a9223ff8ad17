"""Whose fault it is that a stranger does not come in: the server's, or this host's own firewall's.

Every connection from the stranger's seat is judged here, and nowhere else: what greets this host
itself at the very address that the stranger tried is no failure of the server.
"""

from __future__ import annotations

import ssl
import threading
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from mailwizard.model import Look
from mailwizard.platform.firewalls import FIREWALLD, SAVED, UFW, firewall_of
from mailwizard.probes.connect import connect
from mailwizard.probes.deadline import CannotAsk, Deadline, Filtered, KeptOut, Trouble
from mailwizard.probes.dialogue import Dialogue, Transcript

STEP = "firewall"
# encrypted from the first octet: the server waits for the other side to begin (RFC 8314)
TLS_AT_ONCE = {465, 993, 995}
# SMTP, IMAP, POP3, ManageSieve
_GREETINGS = (b"220", b"* OK", b"* PREAUTH", b"+OK", b'"', b"OK")
_AT_HOME, _NEAR = 12.0, 2.0
# one connection may get lost where much is going on; two are no accident
_SURE = 2


@dataclass(slots=True)
class Wall:
    """What this host's firewall does to strangers, for as long as one and the same sits there."""

    host: Look
    _kept: dict[tuple[str, int], list[KeptOut]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def known(self, address: str, port: int) -> KeptOut | None:
        """What is known already, so that not everybody waits in vain; None for what is not."""
        with self._lock:
            kept = self._kept.get((address, port), ())
            return self._out(address, port) if len(kept) >= _SURE else None

    def judged(
        self, trouble: CannotAsk, address: str, port: int, known_as: Sequence[str]
    ) -> CannotAsk:
        """The trouble as it stands, unless the firewall is its cause or nobody listens at all."""
        filtered = isinstance(trouble, Filtered)
        if not filtered and trouble.kind not in {Trouble.REFUSED, Trouble.UNREACHABLE}:
            return trouble
        # who refuses may listen elsewhere: then it is no firewall
        homes = (address, *known_as, "127.0.0.1") if filtered else (address,)
        heard = list(_at_home(dict.fromkeys(homes), port))
        if heard[-1] is None:
            return self._remember(address, port)
        if filtered and all(one and one.kind is Trouble.REFUSED for one in heard):
            return CannotAsk(Trouble.REFUSED, f"{trouble.sentence}; nobody listens there either")
        return trouble

    def _remember(self, address: str, port: int) -> KeptOut:
        out = self._out(address, port)
        with self._lock:
            self._kept.setdefault((address, port), []).append(out)
        return out

    def _out(self, address: str, port: int) -> KeptOut:
        over = " over IPv6" if ":" in address else ""
        return KeptOut(
            f"this host's own firewall does not let strangers in at port {port}{over}; the server "
            "itself answers",
            f"port {port} open to strangers",
            f"`mailwizard apply -a ANSWERS {STEP}` opens it, with `enabled = true` under [{STEP}]; "
            f"by hand: {by_hand(self.host, port)}. Where its rules go by interface the world may "
            f"come in all the same: `nc -v HOST {port}` on another machine tells.",
        )


def by_hand(look: Look, port: int) -> str:
    """The command, or the line and its file, that opens a port in the firewall of this host."""
    kind = firewall_of(look)
    if kind == UFW:
        return f"`ufw allow {port}/tcp`"
    if kind == FIREWALLD:
        return f"`firewall-cmd --permanent --add-port={port}/tcp && firewall-cmd --reload`"
    saved = SAVED["ip filter"]
    if look.state(saved).kind == "file":
        rule = f"INPUT -p tcp --dport {port} -j ACCEPT"
        return f"`iptables -I {rule}`, and `-A {rule}` in {saved} before what rejects"
    return f"`tcp dport {port} accept` in {look.platform.path('nftables.conf')}"


def _at_home(addresses: Sequence[str] | dict[str, None], port: int) -> Iterator[CannotAsk | None]:
    """What hinders this host itself at each address; None, and an end, where it is greeted."""
    clock = Deadline(_AT_HOME)
    for address in addresses:
        trouble = _greeted(address, port, clock)
        yield trouble
        if trouble is None:
            return


def _greeted(address: str, port: int, clock: Deadline) -> CannotAsk | None:
    try:
        sock = connect(address, port, clock.within(_NEAR))
        with Dialogue(sock, clock, Transcript()) as talk:
            if port in TLS_AT_ONCE:
                talk.start_tls(_any_certificate(), None)
            line = talk.read_line()
            with suppress(CannotAsk):
                talk.send("a LOGOUT" if line.startswith(b"*") else "QUIT")
    except CannotAsk as trouble:
        return trouble
    if line.startswith(_GREETINGS):
        return None
    return CannotAsk(Trouble.GARBLED, "the server does not greet")


def _any_certificate() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context
