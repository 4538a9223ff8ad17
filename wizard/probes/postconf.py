"""Postfix's own words about its configuration, live or of a draft directory."""

from __future__ import annotations

import ipaddress
import shlex
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field

from mailwizard.maincf import postconf
from mailwizard.model import Completed, Look
from mailwizard.probes.deadline import CannotAsk, Trouble


def argv(config_dir: str, *arguments: str) -> list[str]:
    """The command line for the live configuration ("") or a draft."""
    return ["postconf", *(("-c", config_dir) if config_dir else ()), *arguments]


def spelled(config_dir: str, *arguments: str) -> str:
    """The command as a person would type it."""
    return shlex.join(argv(config_dir, *arguments))


@dataclass(frozen=True, slots=True)
class Service:
    """One inet (or postscreen's pass) smtpd of master.cf and what it overrides."""

    name: str
    kind: str
    overrides: dict[str, str] = field(default_factory=dict)

    @property
    def on_loopback(self) -> bool:
        """Whether its address, if it names one, is loopback."""
        address = self.name.rpartition("/")[0].rpartition(":")[0].strip("[]")
        if address == "localhost":
            return True
        with suppress(ValueError):
            return ipaddress.ip_address(address).is_loopback
        return False


@dataclass(frozen=True, slots=True)
class Postconf:
    """The answers of postconf(1); raises CannotAsk where it cannot be run."""

    look: Look
    config_dir: str = ""

    def ask(self, *arguments: str) -> Completed:
        asked = postconf(self.look, *arguments, folder=self.config_dir)
        if asked.code in (124, 127) or (not asked.ok and not asked.out):
            why = (
                "is not installed" if asked.code == 127 else (asked.err.strip() or "gave no answer")
            )
            raise CannotAsk(Trouble.UNREACHABLE, f"postconf {why}")
        return asked

    def values(self, *names: str, expand: bool = True) -> dict[str, str]:
        """Parameters with $references expanded; unknown names are absent.

        All are asked for at once: one answer serves every probe.
        """
        how = ("-x",) if expand else ()
        every = dict(_pairs(self.ask(*how).out))
        if unlisted := [name for name in names if name not in every]:
            every |= dict(_pairs(self.ask(*how, *unlisted).out))
        return {name: every[name] for name in names if name in every}

    def smtpd_services(self) -> tuple[Service, ...]:
        """Every smtpd that takes connections, with its `-o` overrides expanded."""
        overrides = self.overrides()
        return tuple(
            Service(f"{row[0]}/{row[1]}", row[1], overrides.get(f"{row[0]}/{row[1]}", {}))
            for row in self.master()
            if row[7].rpartition("/")[2] == "smtpd" and row[1] in ("inet", "pass")
        )

    def overrides(self) -> dict[str, dict[str, str]]:
        """The `-o` options of each service of master.cf, expanded."""
        found: dict[str, dict[str, str]] = {}
        for name, value in _pairs(self.ask("-Px").out):
            service, _, parameter = name.rpartition("/")
            found.setdefault(service, {})[parameter] = value
        return found

    def master(self) -> Iterator[list[str]]:
        """The services of master.cf, eight columns and then the command's arguments."""
        for line in self.ask("-M").out.splitlines():
            row = line.split()
            if len(row) >= 8:
                yield row


def soft_bounce(look: Look) -> bool:
    """Whether port 25 puts off whatever it should refuse; false where Postfix cannot be asked."""
    found: dict[str, str] = {}
    with suppress(CannotAsk):
        found = Postconf(look).values("soft_bounce")
        found |= Postconf(look).overrides().get("smtp/inet", {})
    return found.get("soft_bounce", "").lower() == "yes"


def _pairs(out: str) -> Iterator[tuple[str, str]]:
    for line in out.splitlines():
        name, equals, value = line.partition(" =")
        if equals:
            yield name.strip(), value.strip()


def words(value: str) -> Iterator[str]:
    """A list as smtpd splits it: at commas and blanks, `{ … }` kept whole (mystrtokq)."""
    word, depth = "", 0
    for char in value:
        depth += (char == "{") - (char == "}")
        if depth <= 0 and (char in ", \t\r\n"):
            if word:
                yield word
            word = ""
        else:
            word += char
    if word:
        yield word
