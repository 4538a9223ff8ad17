"""Dovecot's own files and words: its syntax, its socket for Postfix, its passwords."""

from __future__ import annotations

import re
import secrets
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import ClassVar

from mailwizard import sanitise
from mailwizard.model import Completed, Host, Result
from mailwizard.probes.credentials import (
    KEPT,
    Accounts,
    away_address,
    known,
    nobody_known,
)
from mailwizard.probes.dialogue import Transcript
from mailwizard.probes.mailbox import find_user
from mailwizard.probes.verdict import failed, passed, unknown

# settings that only one of the two knows; our own files have some of each
_ONLY = {
    "2.3": re.compile(r"^(?:mail_location|ssl_cert|disable_plaintext_auth)\b", re.MULTILINE),
    "2.4": re.compile(
        r"^(?:mail_driver|ssl_server_cert_file|auth_allow_cleartext)\b", re.MULTILINE
    ),
}
_RENEWED = (
    "The administrator: `mailwizard apply` with the answers of this host writes all of them in "
    "the other syntax; keys, certificates and accounts stay."
)


@dataclass(frozen=True, slots=True)
class DovecotSyntax:
    """The configuration speaks the syntax of the Dovecot that is installed, and parses silently."""

    version: str
    id: ClassVar[str] = "IMAP-11"
    title: ClassVar[str] = "Dovecot understands its configuration"
    deadline: ClassVar[float] = 20.0
    critical: ClassVar[bool] = False
    by_hand: ClassVar[str] = "dovecot --version; head /etc/dovecot/dovecot.conf; doveconf -n"

    def ask(self, host: Host) -> Result:
        asked = host.ask(["dovecot", "--version"], timeout=10)
        version = asked.out.split(" ")[0].strip()
        if not asked.ok or not version:
            return unknown(
                f"dovecot --version: {asked.err.strip() or asked.code}",
                f"Dovecot {self.version}",
                "The administrator: is the package dovecot-imapd installed?",
            )
        path = f"{host.platform.path('dovecot')}/dovecot.conf"
        named = _settings(host.read(path))
        parsed = host.ask(["doveconf", "-n"], timeout=10)
        rows: tuple[str, ...] = (
            f"dovecot {version}",
            f"{path}: {', '.join(named[:3]) or 'nothing set'}",
        )
        if parsed.code in (124, 127):
            why = "is missing" if parsed.code == 127 else "gave no answer"
            fix = "The administrator: is the package dovecot-core whole?"
            return unknown(f"the program `doveconf` {why}", "no error and no warning", fix, rows)
        rows = (*rows, *sanitise.lines(parsed.err, limit=20))
        if not parsed.ok and (old := _of_before(host, version)):
            return failed(
                f"Dovecot {version} is installed, and {', '.join(old)} is written for another one: "
                "this host was upgraded since",
                f"files in the syntax of Dovecot {version[:3]}",
                _RENEWED,
                rows,
            )
        return self._judge(version, named, parsed, rows)

    def _judge(
        self, version: str, named: list[str], parsed: Completed, rows: tuple[str, ...]
    ) -> Result:
        must = ["dovecot_config_version", "dovecot_storage_version"]
        if not version.startswith(f"{self.version}."):
            return failed(
                f"Dovecot {version} is installed",
                f"Dovecot {self.version}, whose syntax was written",
                _RENEWED,
                rows,
            )
        if self.version != "2.3" and named[:2] != must:
            return failed(
                f"dovecot.conf begins with {', '.join(named[:2]) or 'nothing'}",
                f"{' and '.join(must)} as the first two settings",
                "The administrator: restore dovecot.conf as the package ships it.",
                rows,
            )
        if self.version == "2.3" and set(must) & set(named):
            return failed(
                "dovecot.conf names a configuration version", "none: 2.3 does not know it", "", rows
            )
        if not parsed.ok or parsed.err.strip():
            said = sanitise.clean(parsed.err, limit=1) or f"code {parsed.code}"
            return failed(
                f"doveconf: {said}",
                "no error and no warning",
                "The administrator: the message names file and line.",
                rows,
            )
        return passed(f"Dovecot {version} reads its configuration without a word", rows)


def _of_before(host: Host, version: str) -> list[str]:
    """Our files whose settings the installed Dovecot does not know any more, or not yet."""
    folder = host.platform.path("dovecot.conf.d")
    others = [only for known, only in _ONLY.items() if not version.startswith(f"{known}.")]
    return [
        name
        for name in host.list(folder)
        if "mailwizard" in name and len(others) == 1
        if others[0].search(host.read(f"{folder}/{name}").decode("utf-8", "replace"))
    ]


def _settings(text: bytes) -> list[str]:
    """The names of the settings, in their order."""
    lines = (line.strip() for line in text.decode("utf-8", "replace").splitlines())
    return [line.split("=")[0].strip() for line in lines if line and not line.startswith("#")]


@dataclass(frozen=True, slots=True)
class AuthSocket:
    """Postfix, and nobody else, may ask Dovecot for passwords."""

    path: str
    owner: str = "postfix"
    id: ClassVar[str] = "IMAP-12"
    title: ClassVar[str] = "Postfix alone can ask Dovecot for passwords"
    deadline: ClassVar[float] = 10.0
    critical: ClassVar[bool] = False

    @property
    def by_hand(self) -> str:
        return f"ls -l {self.path}"

    def ask(self, host: Host) -> Result:
        user = find_user(host, self.owner)
        if user is None:
            return unknown(
                f"there is no login {self.owner}", "it owns the socket", "Is Postfix installed?"
            )
        state = host.state(self.path)
        fix = (
            f"The administrator, in Dovecot's configuration: service auth {{ unix_listener "
            f"{self.path} {{ mode = 0660, user = {self.owner}, group = {self.owner} }} }}, one "
            "setting a line; then restart Dovecot."
        )
        wanted = f"a socket with mode 0660 that belongs to {self.owner}"
        if state.kind != "other":
            return failed(f"{self.path} is {_shown(state.kind)}", wanted, fix)
        rows = (f"{self.path}: mode {state.mode:04o}, uid {state.uid}, gid {state.gid}",)
        if state.mode & 0o007:
            return failed(
                f"everybody may use {self.path} (mode {state.mode:04o})", wanted, fix, rows
            )
        if state.mode & 0o070 and state.gid not in (0, user.gid):
            said = f"the group with gid {state.gid} may use {self.path} (mode {state.mode:04o})"
            return failed(said, wanted, fix, rows)
        if state.uid != user.uid or not state.mode & 0o600:
            return failed(f"{self.owner} cannot use {self.path}", wanted, fix, rows)
        return passed(f"{self.path} belongs to {self.owner} alone, mode {state.mode:04o}", rows)


def _shown(kind: str) -> str:
    return {"absent": "not there"}.get(kind, f"a {kind}, not a socket")


@dataclass(frozen=True, slots=True)
class AuthTest:
    """Dovecot itself takes the right password, by bare name and full address, and no other."""

    accounts: Accounts
    domain: str
    id: ClassVar[str] = "IMAP-13"
    title: ClassVar[str] = "Dovecot knows the passwords"
    slow: ClassVar[bool] = True
    deadline: ClassVar[float] = 40.0
    critical: ClassVar[bool] = False
    by_hand: ClassVar[str] = "doveadm auth test NAME   # asks for the password"

    def ask(self, host: Host) -> Result:
        people = known(host, self.accounts)
        if not people:
            return nobody_known(host, self.accounts)
        transcript = Transcript()
        first, apart = people[0].login, Transcript()
        with ThreadPoolExecutor(max_workers=1) as pool:
            # a refusal takes its seconds: meanwhile the right ones
            refusal = pool.submit(self._test, host, apart, first, secrets.token_hex(12))
            for who in people:
                for name in (who.login, f"{who.login}@{self.domain}"):
                    done = self._test(host, transcript, name, who.password)
                    if not done.ok:
                        return _not_taken(name, done, transcript)
        wrong = refusal.result()
        transcript.extend(apart)
        if wrong.ok:
            return failed(
                f"{people[0].login} is let in with a made-up password",
                "auth failed",
                "The administrator: a passdb lets everybody in: `doveconf -n passdb` shows them.",
                transcript.lines(),
            )
        names = ", ".join(who.login for who in people)
        return passed(f"{names}: right passwords taken, a wrong one refused", transcript.lines())

    def _test(self, host: Host, transcript: Transcript, name: str, password: str) -> Completed:
        # The password on stdin: argv can be read by everybody on the host. An address of its own:
        # after a wrong password Dovecot makes that address wait.
        argv = ["doveadm", "auth", "test", "-x", f"rip={away_address()}", name]
        transcript.add(">", " ".join(argv))
        done = host.ask(argv, stdin=f"{password}\n", timeout=15)
        said = (done.out + done.err).replace(password, "(password)")
        transcript.add("<", f"{said.strip()} (code {done.code})")
        return done


def _not_taken(name: str, done: Completed, transcript: Transcript) -> Result:
    if done.code in (124, 127) or "auth failed" not in done.out + done.err:
        return unknown(
            f"doveadm auth test {name}: {sanitise.clean(done.err, limit=1) or done.code}",
            "auth succeeded",
            "The administrator: is Dovecot running? `journalctl -u dovecot -n 20`.",
            transcript.lines(),
        )
    return failed(
        f"Dovecot does not take the password of {name}",
        f"passdb: {name} auth succeeded",
        f"{KEPT} Where only the full address fails, auth_username_format must cut the domain off.",
        transcript.lines(),
    )
