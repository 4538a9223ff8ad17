"""Where a test message is looked at: on its way out of this host, else in a mailbox.

On its way out it is brought to the stranger (nexthop.py), after everything that changes or signs
mail. Where mail leaves through a provider's server, that would get the message: then it is sent to
somebody of this host instead, and what smtp(8) does to mail on its way is not seen.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from mailwizard.model import Host
from mailwizard.probes.deadline import AtFault, CannotAsk, Trouble
from mailwizard.probes.dialogue import Transcript
from mailwizard.probes.forwarding import stays_here
from mailwizard.probes.nexthop import next_hop
from mailwizard.probes.postconf import Postconf, words
from mailwizard.probes.queued import HELD, not_come
from mailwizard.probes.redirected import not_copied
from mailwizard.probes.vantage import seat
from mailwizard.probes.whole import take_whole

# what leads mail elsewhere than to the address that it is for
_ELSEWHERE = (
    "relayhost",
    "transport_maps",
    "sender_dependent_relayhost_maps",
    "sender_dependent_default_transport_maps",
)
_OPEN = ("", "none", "may", "dane")
_NAMES = (
    *_ELSEWHERE,
    "default_transport",
    "defer_transports",
    "smtp_tls_security_level",
    "inet_protocols",
)


@dataclass(frozen=True, slots=True)
class Way:
    """How a message is addressed, where it is looked at, and how it is got from there.

    by: the address that a message is brought to, of somebody whom we only made up.
    """

    where: str
    recipient: Callable[[str], str]
    take: Callable[[str], bytes]
    by: str = ""

    def taken(self, host: Host, mark: str, transcript: Transcript) -> bytes:
        """The message, as on the wire; raises CannotAsk where it does not come."""
        if message := self.take(mark):
            return message
        said = f"the message was not seen {self.where} in time"
        why = not_come(host, mark, transcript, said, "mail leaves at once")
        if self.by and f"[{self.by}]" in why.sentence:
            # the way to the stranger is ours alone
            raise CannotAsk(Trouble.NO_VANTAGE, why.sentence)
        raise why


def led_away(host: Host) -> str:
    """What keeps Postfix from bringing a message to the stranger; empty when nothing does."""
    postconf = Postconf(host)
    conf = postconf.values(*_NAMES) | postconf.overrides().get("smtp/unix", {})
    found = [f"{name} is {conf[name]}" for name in _ELSEWHERE if conf.get(name)]
    if conf.get("default_transport", "smtp").rstrip(":") != "smtp":
        found.append(f"default_transport is {conf['default_transport']}")
    if conf.get("smtp_tls_security_level", "") not in _OPEN:
        found.append(f"smtp_tls_security_level is {conf['smtp_tls_security_level']}")
    if conf.get("inet_protocols") == "ipv6":
        found.append("inet_protocols is ipv6")
    return found[0] if found else ""


def _not_held(host: Host) -> None:
    """Nothing, where the transport for the world is there, and used; raises AtFault elsewhere."""
    postconf = Postconf(host)
    conf = postconf.values(*_NAMES)
    transport = conf.get("default_transport", "smtp").partition(":")[0]
    if transport in words(conf.get("defer_transports", "")):
        said = f"no mail leaves: defer_transports = {conf['defer_transports']}"
        raise AtFault(said, "defer_transports empty", HELD)
    known = {row[0] for row in postconf.master() if row[1] == "unix"}
    if known and transport not in known:
        said = f"no mail leaves: default_transport = {transport}, which master.cf does not have"
        raise AtFault(said, f"{transport} unix … smtp in master.cf", HELD)


@contextmanager
def way_out(
    host: Host, login: str, domain: str, *, folder: str, wait: float, transcript: Transcript
) -> Iterator[Way]:
    """The way past the stranger, or where there is none the way into the login's mailbox."""
    with ExitStack() as stack:
        not_copied(host)
        why = led_away(host)
        try:
            way = None if why else stack.enter_context(_past(host, wait, transcript))
        except CannotAsk as trouble:
            if trouble.kind is not Trouble.NO_VANTAGE:
                raise
            way, why = None, trouble.sentence
        if way is None:
            # what is looked at inside would not show it
            _not_held(host)
            transcript.note(f"looked at in the mailbox, not on the way out: {why}")
            stays_here(host, login)
            way = _inside(host, login, domain, folder=folder, wait=wait, transcript=transcript)
        yield way


def _inside(
    host: Host, login: str, domain: str, *, folder: str, wait: float, transcript: Transcript
) -> Way:
    def take(mark: str) -> bytes:
        return take_whole(host, login, mark, wait=wait, transcript=transcript, folder=folder)

    return Way(f"in the mailbox of {login}", lambda _mark: f"{login}@{domain}", take)


@contextmanager
def _past(host: Host, wait: float, transcript: Transcript) -> Iterator[Way]:
    with seat(host) as place, next_hop(place) as hop:

        def take(mark: str) -> bytes:
            message = hop.take(mark, wait)
            head = message.partition(b"\r\n\r\n")[0]
            transcript.add("<", head[:6000].decode("utf-8", "replace") or "(did not come)")
            return message

        yield Way("as it leaves", hop.recipient, take, hop.address)
