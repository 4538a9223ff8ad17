"""Services by their name, or by port and protocol, and the networks that they are for."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from mailwizard.fields.names import Network, visible_address
from mailwizard.fields.text import Field, kind_of, nearest, quoted, visible

# IANA's names for those of mail; what else is needed has a number
SERVICES = {
    "smtp": 25,
    "http": 80,
    "pop3": 110,
    "imap": 143,
    "https": 443,
    "submissions": 465,
    "submission": 587,
    "imaps": 993,
    "pop3s": 995,
    "sieve": 4190,
}
_PORT = re.compile(r"([0-9]{1,5})(?:/(tcp|udp))?")


@dataclass(frozen=True, slots=True)
class ServiceField(Field):
    """A service that strangers may reach."""

    @property
    def hint(self) -> str:
        return f"{', '.join(SERVICES)}, or a port such as 8443 or 51820/udp"

    @property
    def example(self) -> str:
        return "smtp"

    def check(self, value: Any) -> str:
        if isinstance(value, bool) or not isinstance(value, int | str):
            raise ValueError(f"{quoted(value)} is {kind_of(value)}; right is one of {self.hint}")
        text = visible(str(value), 100).lower()
        if text in SERVICES:
            return text
        found = _PORT.fullmatch(text)
        if found is None:
            near = nearest(text, SERVICES) or f"right is one of {self.hint}"
            raise ValueError(f"{quoted(text)} is not known; {near}")
        if not 1 <= int(found[1]) <= 65535:
            raise ValueError(f"{quoted(text)} is no port; they are numbers from 1 to 65535")
        number, protocol = int(found[1]), found[2] or "tcp"
        names = {port: name for name, port in SERVICES.items()}
        if protocol == "tcp" and number in names:
            return names[number]
        return str(number) if protocol == "tcp" else f"{number}/{protocol}"


@dataclass(frozen=True, slots=True)
class ClientNetwork(Network):
    """A network whose hosts may use what others may not."""

    @property
    def hint(self) -> str:
        return "a network such as 192.168.1.0/24 or fd00:1::/64, or one host"

    @property
    def example(self) -> str:
        return "192.168.1.0/24"

    def check(self, value: Any) -> str:
        network = self._network(visible_address(value))
        if network.prefixlen == 0:
            raise ValueError(
                f"{network} is the whole Internet; name the service in `services` instead"
            )
        return network.compressed


def port_of(service: str) -> tuple[int, str]:
    """The port and protocol of a checked service."""
    number, _, protocol = service.partition("/")
    return SERVICES.get(service) or int(number), protocol or "tcp"
