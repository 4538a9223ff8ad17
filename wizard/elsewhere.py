"""Settings beside ours that say where mail goes, who gets it, or which service answers.

They may be right, and are left alone: but whoever looks is told of each by name and by place.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

from mailwizard import maincf, sanitise
from mailwizard.keyed import rows
from mailwizard.model import Look
from mailwizard.render import HEADER

# parameters of Postfix (postconf(5)), and what they do when somebody sets them
DO = {
    "always_bcc": "a copy of every message goes there",
    **dict.fromkeys(("sender_bcc_maps", "recipient_bcc_maps"), "copies go where that table says"),
    **dict.fromkeys(
        ("relayhost", "default_transport", "relay_transport", "smtp_fallback_relay"),
        "mail to the world goes that way",
    ),
    **dict.fromkeys(
        (
            "transport_maps",
            "sender_dependent_relayhost_maps",
            "sender_dependent_default_transport_maps",
        ),
        "mail goes the way that this table says",
    ),
    **dict.fromkeys(("content_filter", "smtpd_proxy_filter"), "every message goes through it"),
    "defer_transports": "mail of that transport waits in the queue",
    **dict.fromkeys(
        ("virtual_alias_maps", "canonical_maps", "recipient_canonical_maps", "smtp_generic_maps"),
        "addresses lead where that table says",
    ),
    "masquerade_domains": "senders lose the name of their host",
    **dict.fromkeys(
        ("virtual_alias_domains", "virtual_mailbox_domains", "relay_domains"),
        "mail for these domains is taken as well",
    ),
    "virtual_mailbox_maps": "mail of that table has mailboxes of its own",
    **dict.fromkeys(
        (
            "local_transport",
            "virtual_transport",
            "mailbox_transport",
            "mailbox_transport_maps",
            "mailbox_command",
            "mailbox_command_maps",
        ),
        "it delivers, in place of Postfix",
    ),
    **dict.fromkeys(
        ("fallback_transport", "fallback_transport_maps", "luser_relay"),
        "it gets what is for nobody here",
    ),
    **dict.fromkeys(
        ("body_checks", "nested_header_checks", "mime_header_checks", "smtp_header_checks"),
        "what it finds may be refused, held, redirected or changed",
    ),
    **dict.fromkeys(("smtpd_command_filter", "receive_override_options"), "it changes our rules"),
    "header_checks": "what it finds may be refused, held or redirected",
}
# services by the numbers of their ports (services(5))
_PORTS = {"smtp": "25", "smtps": "465", "submissions": "465", "submission": "587"}
# what says which program runs, and how it is asked
_STARTS = re.compile(r"^(ExecStart|Environment|EnvironmentFile|User|Listen\w+)=(.+)", re.MULTILINE)
_UNITS = ("postfix", "postfix-worker", "dovecot", "amavis", "opendkim", "opendmarc")


@dataclass(frozen=True, slots=True)
class Setting:
    """A setting that is not ours: what it says, the place, and what that means."""

    said: str
    where: str
    means: str

    @property
    def sentence(self) -> str:
        return sanitise.clean(f"{self.said} ({self.where}): {self.means}", width=300, limit=1)


def settings(look: Look, ours: Collection[str]) -> list[Setting]:
    """All that are found, but for parameters that an answer of ours sets."""
    return [*parameters(look, ours), *services(look), *drop_ins(look)]


def told(look: Look, ours: Collection[str]) -> list[str]:
    """A sentence for each, before anything is changed."""
    return [f"{one.sentence}. It stays as it is." for one in settings(look, ours)]


def parameters(look: Look, ours: Collection[str] = ()) -> Iterator[Setting]:
    """Parameters of main.cf with another value than Postfix's own."""
    path = look.platform.path("main.cf")
    text = look.read(path).decode("utf-8", "replace")
    values = maincf.parse(text)
    named = [name for name in DO if values.get(name) and name not in ours]
    usual = _usual(look) if named else {}
    for name in named:
        if values[name].split() != usual.get(name, "").split():
            where = f"{path}, line {line_of(text, name)}"
            yield Setting(f"{name} = {values[name]}", where, DO[name])


def line_of(text: str, name: str) -> int:
    """The line of main.cf where the value that counts begins: the last one; 0 without one."""
    begins = re.compile(rf"{re.escape(name)}[ \t]*=")
    found = [number for number, row in enumerate(rows(text), 1) if begins.match(row)]
    return found[-1] if found else 0


def _usual(look: Look) -> Mapping[str, str]:
    out = maincf.postconf(look, "-d").out
    pairs = (line.partition(" =") for line in out.splitlines())
    return {name.strip(): value.strip() for name, _, value in pairs}


def services(look: Look) -> Iterator[Setting]:
    """Services that stand twice in master.cf: the last one answers, or none can start."""
    path = look.platform.path("master.cf")
    found: dict[tuple[str, str], list[int]] = defaultdict(list)
    for number, row in enumerate(rows(look.read(path).decode("utf-8", "replace")), 1):
        words = row.split()
        if len(words) >= 8 and row[0] not in "# \t":
            host, _, port = words[0].rpartition(":")
            found[f"{host}:{_PORTS.get(port, port)}", words[1]].append(number)
    for (name, kind), numbers in found.items():
        if len(numbers) > 1:
            lines = " and ".join(map(str, numbers))
            where = f"{path}, lines {lines}"
            yield Setting(f"{name.removeprefix(':')} {kind} twice", where, "the last one counts")


def drop_ins(look: Look, *roles: str) -> Iterator[Setting]:
    """Drop-ins by others that say what is started, for the units of these roles (or of all)."""
    units = {look.platform.unit(role): role for role in roles or _UNITS}
    for unit in units:
        folder = f"/etc/systemd/system/{unit}.d"
        for name in look.list(folder):
            text = look.read(f"{folder}/{name}").decode("utf-8", "replace")
            if name.endswith(".conf") and HEADER not in text:
                for key, value in _STARTS.findall(text):
                    said = f"{key}={value}"
                    yield Setting(said, f"{folder}/{name}", f"{unit} is started so")
                    yield from _environment(look, key, value, unit)


def _environment(look: Look, key: str, value: str, unit: str) -> Iterator[Setting]:
    """What a file says that a drop-in takes its words from."""
    path = value.removeprefix("-").strip()
    if key != "EnvironmentFile" or not path.startswith("/"):
        return
    for number, row in enumerate(rows(look.read(path).decode("utf-8", "replace")), 1):
        if row.strip() and not row.lstrip().startswith("#"):
            yield Setting(row.strip(), f"{path}, line {number}", f"{unit} is started so")


# local(8) looks at them in this order, and at home_mailbox last
_BEFORE_MAILBOX = (
    "mailbox_transport_maps",
    "mailbox_transport",
    "mailbox_command_maps",
    "mailbox_command",
)


def before_mailbox(look: Look) -> Setting | None:
    """What delivers mail before Postfix would look at home_mailbox; None where nothing does."""
    # over LMTP Dovecot delivers, which the step of that name sets
    others = (one for one in parameters(look) if "= lmtp:unix:private/" not in one.said)
    found = {one.said.partition(" =")[0]: one for one in others}
    return next((found[name] for name in _BEFORE_MAILBOX if name in found), None)
