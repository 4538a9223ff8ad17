"""Whether Postfix accepts its own configuration, means what we wrote, and can open its tables."""

from __future__ import annotations

import re
import shlex
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

from mailwizard import sanitise
from mailwizard.maincf import of_no_account
from mailwizard.model import Host, Result
from mailwizard.probes.deadline import CannotAsk
from mailwizard.probes.postconf import Postconf, argv, spelled, words
from mailwizard.probes.verdict import could_not_ask, failed, passed, unknown, warned

_MAIN_CF = "The administrator: correct the line in /etc/postfix/main.cf or master.cf"


@dataclass(frozen=True, slots=True)
class PostfixParses:
    """`postfix check`, `postconf -n` and `postconf -M` succeed without a word on stderr.

    Before 3.9 `postfix check` warns on a terminal only, else into the log: script(1) is one.
    """

    config_dir: str = ""
    id: ClassVar[str] = "HOST-06"
    title: ClassVar[str] = "Postfix understands its configuration"
    deadline: ClassVar[float] = 60.0
    critical: ClassVar[bool] = False

    def _commands(self) -> tuple[list[str], ...]:
        check = ["postfix", *(("-c", self.config_dir) if self.config_dir else ()), "check"]
        return check, argv(self.config_dir, "-n"), argv(self.config_dir, "-M")

    @property
    def by_hand(self) -> str:
        return "; ".join(" ".join(command) for command in self._commands())

    def ask(self, host: Host) -> Result:
        rows: list[str] = []
        wrong: list[str] = []
        for command in self._commands():
            shown = " ".join(command)
            asked = host.ask(self._on_a_terminal(host, command), timeout=18)
            rows.append(f"$ {shown} (code {asked.code})")
            if asked.code in (124, 127):
                why = "is missing" if asked.code == 127 else "did not end"
                return unknown(f"{shown}: {why}", "an answer", "Install or repair Postfix.", rows)
            heard = asked.err + (asked.out if command[-1] == "check" else "")
            said = sanitise.lines(heard, width=500, limit=50)
            rows += said
            # A typo is a warning with exit code 0: only silence is a pass.
            # Debian's also refreshes copies in the chroot, and tells.
            told = [line for line in said if line.strip() and not line.startswith("updating /")]
            wrong += [line for line in told if not of_no_account(host, line)]
            if not asked.ok and not said:
                wrong.append(f"{shown} ended with code {asked.code}")
        if wrong:
            return failed(wrong[0], "silence", f"{_MAIN_CF} that is named.", rows)
        return passed("postfix check and postconf have nothing to complain about", rows)

    def _on_a_terminal(self, host: Host, command: list[str]) -> list[str]:
        if command[-1] == "check" and host.which("script"):
            return ["script", "-q", "-e", "-c", shlex.join(command), "/dev/null"]
        return command


@dataclass(frozen=True, slots=True)
class PostfixReadBack:
    """Each parameter has the value that was set, as Postfix itself expands it.

    step: of which step the values are, where that is not the postfix step.
    kept: names whose value somebody edited and keeps: a warning if it is another.
    """

    parameters: Mapping[str, str] | tuple[tuple[str, str], ...]
    config_dir: str = ""
    step: str = ""
    kept: frozenset[str] = frozenset()
    title: ClassVar[str] = "Postfix uses the values that were set"
    deadline: ClassVar[float] = 20.0
    critical: ClassVar[bool] = False

    @property
    def id(self) -> str:
        return f"HOST-07:{self.step}" if self.step else "HOST-07"

    @property
    def by_hand(self) -> str:
        return spelled(self.config_dir, *dict(self.parameters))

    def besides(self, kept: Collection[str]) -> PostfixReadBack:
        """The same, where these parts of configuration files are kept as somebody edited them."""
        ours = (name for name in dict(self.parameters) for part in kept if _names(part, name))
        return replace(self, kept=frozenset(ours))

    def ask(self, host: Host) -> Result:
        wanted = dict(self.parameters)
        if not wanted:
            return passed("no parameter was set")
        try:
            found = Postconf(host, self.config_dir).values(*wanted, expand=False)
        except CannotAsk as trouble:
            return could_not_ask(trouble)
        rows, wrong = [], []
        for name, value in wanted.items():
            have = found.get(name)
            rows.append(f"{name} = {have if have is not None else '(not known to Postfix)'}")
            if have is None or have.split() != value.split():
                wrong.append(name)
        if not wrong:
            return passed(f"{len(wanted)} parameters read back as set", rows)
        first = next((name for name in wrong if name not in self.kept), wrong[0])
        have = found.get(first)
        said = f"{first} is {have!r}" if have is not None else f"Postfix does not know {first}"
        if first in self.kept:
            said = f"kept as edited by hand: {said}"
            fix = f"Nothing, if it is meant so. Else: `postconf -e '{first} = …'`."
            return warned(said, f"{first} = {wanted[first]}", fix, rows)
        fix = (
            f"{_MAIN_CF}: `postconf -e '{first} = …'`; of two lines with the same name the "
            f"lower one wins. Wrong in all: {', '.join(wrong)}."
        )
        return failed(said, f"{first} = {wanted[first]}", fix, rows)


def _names(part: str, parameter: str) -> bool:
    return part.endswith(f"/main.cf {parameter}")


# What Postfix 3.9 and later name themselves, for the versions before (DEPRECATION_README).
_OLD = {
    "disable_dns_lookups": "smtp_dns_support_level",
    "lmtp_use_tls": "lmtp_tls_security_level",
    "postscreen_use_tls": "postscreen_tls_security_level",
    "smtp_enforce_tls": "smtp_tls_security_level",
    "smtp_use_tls": "smtp_tls_security_level",
    "smtpd_client_connection_limit_exceptions": "smtpd_client_event_limit_exceptions",
    "smtpd_enforce_tls": "smtpd_tls_security_level",
    "smtpd_tls_dh1024_param_file": "nothing (leave it empty)",
    "smtpd_tls_eecdh_grade": "nothing (leave it at auto)",
    "smtpd_use_tls": "smtpd_tls_security_level",
    "tlsproxy_use_tls": "tlsproxy_tls_security_level",
    "permit_mx_backup_networks": "relay_domains with a list of recipients",
}


@dataclass(frozen=True, slots=True)
class NothingDeprecated:
    """No parameter in use is about to be removed from Postfix."""

    config_dir: str = ""
    id: ClassVar[str] = "HOST-08"
    title: ClassVar[str] = "No setting is about to disappear"
    deadline: ClassVar[float] = 20.0
    critical: ClassVar[bool] = False

    @property
    def by_hand(self) -> str:
        return f"{spelled(self.config_dir, '-n')} 2>&1 | grep 'will be removed'"

    def ask(self, host: Host) -> Result:
        try:
            asked = Postconf(host, self.config_dir).ask("-n")
        except CannotAsk as trouble:
            return could_not_ask(trouble)
        set_here = {line.partition(" =")[0] for line in asked.out.splitlines()}
        named = sorted(set_here & _OLD.keys())
        hits = [f"{name}: use {_OLD[name]}" for name in named]
        hits += [
            line
            for line in sanitise.lines(asked.err, width=300)
            if "will be removed" in line
            and not any(name in line for name in set_here & _OLD.keys())
        ]
        if hits:
            return warned(
                f"{len(hits)} outdated settings, first: {hits[0]}",
                "none",
                "The administrator: replace them before the next release of the distribution, "
                "with postconf -X NAME and postconf -e.",
                hits,
            )
        return passed("no outdated setting in use")


@dataclass(frozen=True, slots=True)
class CompatibleLevel:
    """Postfix runs with today's defaults, not with those of before 3.6."""

    config_dir: str = ""
    id: ClassVar[str] = "HOST-09"
    title: ClassVar[str] = "Postfix runs with today's defaults"
    deadline: ClassVar[float] = 20.0
    critical: ClassVar[bool] = False

    @property
    def by_hand(self) -> str:
        return spelled(self.config_dir, "compatibility_level", "mail_version")

    def ask(self, host: Host) -> Result:
        name = "compatibility_level"
        try:
            level = Postconf(host, self.config_dir).values(name).get(name, "")
        except CannotAsk as trouble:
            return could_not_ask(trouble)
        numbers = tuple(int(one) for one in re.findall(r"\d+", level)[:2])
        fix = "The administrator: postconf -e compatibility_level=3.6, then reload Postfix."
        if not numbers:
            return unknown(f"{name} is {level or '(empty)'}", "3.6 or more", fix)
        if numbers < (2,):
            # Below 1 the relay list is empty, below 2 whole subnets are trusted.
            return failed(f"{name} = {level}: defaults of before 2015", "3.6 or more", fix)
        if numbers < (3, 6):
            return warned(f"{name} = {level}", "3.6 or more", fix)
        return passed(f"{name} = {level}")


_TABLE = re.compile(r"^(?:proxy:)?([a-z]+):(/\S*)$")
_COMPILED = {"hash": ".db", "btree": ".db", "lmdb": ".lmdb", "cdb": ".cdb", "dbm": ".pag"}


@dataclass(frozen=True, slots=True)
class MapsUsable:
    """Each table is of a type this Postfix can open, and compiled after its source changed."""

    config_dir: str = ""
    id: ClassVar[str] = "HOST-17"
    title: ClassVar[str] = "Postfix can open its tables"
    deadline: ClassVar[float] = 20.0
    critical: ClassVar[bool] = False

    @property
    def by_hand(self) -> str:
        return f"{spelled(self.config_dir, '-m')}; {spelled(self.config_dir, '-nx')} | grep :/"

    def ask(self, host: Host) -> Result:
        conf = Postconf(host, self.config_dir)
        try:
            types = set(conf.ask("-m").out.split())
            found = tables(conf)
        except CannotAsk as trouble:
            return could_not_ask(trouble)
        bad = [f"{kind}:{path}" for kind, path in found if kind not in types]
        missing, stale = _compare(host, found)
        rows = [f"{kind}:{path}" for kind, path in found]
        if bad:
            return failed(
                f"this Postfix cannot open {', '.join(bad)}",
                f"one of the types {', '.join(sorted(types))}",
                "The administrator: install the package for that type (postfix-lmdb, …) or use "
                "the type that `postconf -h default_database_type` names.",
                rows,
            )
        if missing or stale:
            why = "not compiled" if missing else "older than its source"
            first = (*missing, *stale)[0]
            return (failed if missing else warned)(
                f"{first} is {why}",
                "a compiled table newer than its source",
                "The administrator: newaliases for alias tables, postmap for the others.",
                rows,
            )
        return passed(f"{len(found)} tables, all usable and up to date", rows)


# Postfix makes and fills these by itself.
_CACHE = re.compile(r"_cache_(?:database|map)$|address_verify_map$")


def tables(conf: Postconf) -> tuple[tuple[str, str], ...]:
    """Type and path of each table in a file that Postfix uses; raises CannotAsk."""
    questions = (("-nx",), ("-Px",), ("-x", "alias_maps", "alias_database"))
    used = "\n".join(conf.ask(*question).out for question in questions)
    return tuple(dict.fromkeys(_tables(used)))


def _tables(text: str) -> Iterator[tuple[str, str]]:
    for line in text.splitlines():
        name, _, value = line.partition(" =")
        if _CACHE.search(name):
            continue
        for word in words(value.replace("{", " ").replace("}", " ")):
            if match := _TABLE.match(word):
                yield match[1], match[2]


def _compare(host: Host, tables: Sequence[tuple[str, str]]) -> tuple[list[str], list[str]]:
    missing, stale = [], []
    for kind, path in tables:
        if kind not in _COMPILED:
            continue
        source, compiled = host.state(path), host.state(path + _COMPILED[kind])
        if compiled.kind == "absent":
            missing.append(f"{kind}:{path}")
        elif source.kind == "file" and source.mtime_ns > compiled.mtime_ns:
            stale.append(f"{kind}:{path}")
    return missing, stale
