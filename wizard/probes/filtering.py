"""What the content filter makes of mail: a harmless message, a test virus, test spam."""

from __future__ import annotations

import posixpath
import re
import shlex
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from mailwizard.errors import CommandFailed
from mailwizard.model import Host, Look, Result
from mailwizard.probes.carrying import Carries, Letter
from mailwizard.probes.connect import connect, plain_socket
from mailwizard.probes.deadline import CannotAsk, Deadline, Trouble
from mailwizard.probes.dialogue import Dialogue, Transcript
from mailwizard.probes.milter import clamd
from mailwizard.probes.queued import taken_back
from mailwizard.probes.taken import Taken
from mailwizard.probes.verdict import failed, passed, unknown, warned
from mailwizard.probes.wire import Greeted

UNCHECKED = "***UNCHECKED***"
# what the scanner's unit waits for (clamav-daemon.service, ConditionPathExistsGlob=)
_DEFINITIONS, _FORMS = ("main", "daily"), (".cvd", ".cld", ".inc")
_LOG = "`journalctl -u amavis -n 20` says why"
_LOOP = (
    "The administrator: 127.0.0.1:10025 in master.cf must have content_filter= and smtpd_milters=, "
    "both empty; apply the step again."
)
# the queue ID of a hop (postconf(5), enable_long_queue_ids: either form)
_QUEUE_ID = re.compile(r"\bid ([\w-]{6,})")
# in parts: a scanner that finds this file must not take it for the test itself (eicar.org)
_VIRUS = "".join(("X5O!P%@AP[4\\PZX54(P^)7CC)7}$", "EICAR-STANDARD-", "ANTIVIRUS-TEST-FILE!$H+H*"))
_SPAM = "".join(("XJS*C4JDBQADN1.NSBN3*2IDNEN*", "GTUBE-STANDARD-", "ANTI-UBE-TEST-EMAIL*C.34X"))
# $1 folder, $2 mark: what the filter kept, found and removed
_QUARANTINE = (
    'found=$(find "$1" -type f -mmin -60 -exec grep -lsF -- "$2" {} + 2>/dev/null | head -n 1); '
    '[ -n "$found" ] && printf "%s\\n" "$found" && rm -f -- "$found"'
)


@dataclass(frozen=True, slots=True)
class FilterAnswers:
    """The filter greets on each of its ports; that its unit is active says nothing."""

    ports: tuple[int, ...]
    id: ClassVar[str] = "FILTER"
    title: ClassVar[str] = "The content filter answers"
    deadline: ClassVar[float] = 20.0
    # Postfix keeps its ways to the filter open a while: behind test mail it would wait for that
    slow: ClassVar[bool] = True
    critical: ClassVar[bool] = False

    @property
    def by_hand(self) -> str:
        return "; ".join(f"printf 'QUIT\\r\\n' | nc -w 3 127.0.0.1 {port}" for port in self.ports)

    def ask(self, host: Host) -> Result:
        del host
        transcript, clock = Transcript(), Deadline(self.deadline - 1)
        for port in self.ports:
            try:
                sock = connect("127.0.0.1", port, clock, plain_socket)
                with Dialogue(sock, clock, transcript) as talk:
                    greeting = talk.reply()
                    talk.quit()
            except CannotAsk as trouble:
                if trouble.kind is Trouble.TIMED_OUT:
                    return _busy(port, transcript)
                return failed(
                    f"nobody greets on 127.0.0.1 port {port}: {trouble.sentence}",
                    "220 from amavis; meanwhile mail waits in the queue, and nothing is lost",
                    f"The administrator: systemctl restart amavis; {_LOG}.",
                    transcript.lines(),
                )
            if not greeting.ok:
                said = f"port {port} greets with {greeting.text}"
                return unknown(said, "220", f"See {_LOG}.", transcript.lines())
        return passed(f"greets on {', '.join(map(str, self.ports))}", transcript.lines())


def _busy(port: int, transcript: Transcript) -> Result:
    """Connected, and nobody has time: each process serves one connection (Net::Server)."""
    return warned(
        f"the filter takes the connection on 127.0.0.1 port {port}, and does not greet",
        "220 from amavis; meanwhile mail waits in the queue, and nothing is lost",
        "All its processes are busy, or hang: SMTP-28 says whether mail goes through. The "
        f"administrator: `systemctl status amavis` shows what each does; {_LOG}.",
        transcript.lines(),
    )


@dataclass(frozen=True, slots=True)
class FilterPasses(Carries):
    """A harmless message comes through the filter exactly once, unmarked and unsigned."""

    id: ClassVar[str] = "SMTP-28"
    title: ClassVar[str] = "Harmless mail goes through the filter, once"

    def _results(self, host: Host, heard: Greeted, transcript: Transcript) -> Iterator[Result]:
        what = "a harmless message"
        mark, reply = self._send(heard, Letter(b"Nothing is wrong with this message.\r\n"))
        taken = self._arrived(host, transcript, what, mark, reply)
        if isinstance(taken, Result):
            yield taken
            return
        yield _traced(taken)


def _traced(taken: Taken) -> Result:
    """The way through the filter, out of the head."""
    hops = [line for line in unfolded(taken.head) if line.lower().startswith("received:")]
    through = [line for line in hops if "10024" in line or "(amavis" in line]
    marks = [line for line in taken.head if line.lower().startswith("subject:") and "***" in line]
    signed = [line for line in taken.head if line.lower().startswith("dkim-signature:")]
    numbers = [found[1] for hop in hops if (found := _QUEUE_ID.search(hop))]
    twice = next((number for number in numbers if numbers.count(number) > 1), "")
    if not through:
        return failed(
            "the message did not go through the filter",
            "one Received line of amavis",
            "The administrator: postconf -P smtp/inet/content_filter must be "
            "amavis:[127.0.0.1]:10024; apply the step again.",
        )
    if len(through) > 1:
        return failed(
            f"the message went through the filter {len(through)} times",
            "once",
            _LOOP,
        )
    if twice:
        return failed(
            f"the message went in a circle: {twice} is in two hops", "each hop once", _LOOP
        )
    if signed:
        return failed("a stranger's message was signed on its way", "no DKIM-Signature", _LOOP)
    if marks and UNCHECKED not in marks[0]:
        return failed(f"harmless mail is marked: {marks[0]}", "no mark", f"See {_LOG}.")
    return passed(f"through the filter once, {len(hops)} hops in all")


def unfolded(head: tuple[str, ...]) -> list[str]:
    """Header lines with their continuations (RFC 5322 2.2.3)."""
    lines: list[str] = []
    for line in head:
        if line[:1] in (" ", "\t") and lines:
            lines[-1] += " " + line.strip()
        else:
            lines.append(line)
    return lines


@dataclass(frozen=True, slots=True)
class FilterFindsVirus(Carries):
    """The EICAR test virus does not reach anybody; what cannot be scanned is marked or waits."""

    quarantine: str = "/var/lib/amavis/virusmails"
    wait_instead: bool = False
    id: ClassVar[str] = "SMTP-27:virus"
    title: ClassVar[str] = "A test virus does not get through"

    def _results(self, host: Host, heard: Greeted, transcript: Transcript) -> Iterator[Result]:
        mark, reply = self._send(heard, Letter(_VIRUS.encode() + b"\r\n"))
        if not reply.ok and reply.code >= 500:
            yield passed(f"refused at the door: {reply.text}")
            return
        if not reply.ok:
            yield self._not_taken("a test virus", reply)
            return
        yield self._found(host, mark, transcript)

    def _found(self, host: Host, mark: str, transcript: Transcript) -> Result:
        """Where it ended up; the notice to postmaster is taken back: this was no virus."""
        limit, noticed = time.monotonic() + self.wait, False
        while time.monotonic() < limit:
            if kept := _quarantined(host, self.quarantine, mark):
                transcript.note(f"in quarantine: {kept}")
                if not noticed:
                    self._look(host, mark, 4.0)
                return passed("the test virus is in quarantine")
            taken = self._look(host, mark, 0.2)
            if taken and any(mark in line for line in taken.head):
                return self._through(taken)
            noticed = noticed or taken is not None
        return self._nowhere(host, mark, transcript)

    def _look(self, host: Host, mark: str, seconds: float) -> Taken | None:
        """A look into the mailbox, without a note for each."""
        once = type(self)(self.recipient, self.login, self.folder, seconds)
        return Carries._taken(once, host, mark, Transcript())

    def _through(self, taken: Taken) -> Result:
        marked = any(UNCHECKED in line for line in taken.head)
        if marked:
            return warned(
                "mail is not scanned for viruses now: it is delivered, marked ***UNCHECKED***",
                "the test virus in quarantine",
                "Nobody is deceived meanwhile. CLAMAV says whether definitions are missing or the "
                "scanner is down.",
            )
        return failed(
            f"a test virus reached {self.login}, and nothing in it says that it was not scanned",
            "in quarantine, or marked ***UNCHECKED***",
            f"The administrator: apply the step again; {_LOG}.",
        )

    def _nowhere(self, host: Host, mark: str, transcript: Transcript) -> Result:
        waiting = taken_back(host, mark, transcript)
        if self.wait_instead and waiting and waiting.not_scanned:
            return warned(
                "mail waits in the queue, because nothing can be scanned now",
                "the test virus in quarantine",
                "It was chosen so (unscanned = wait). CLAMAV says what is missing.",
            )
        if waiting and waiting.reason:
            return failed(
                f"the test virus is not kept in quarantine; {waiting.sentence}",
                f"in {self.quarantine}",
                "The administrator: see that this folder is the filter's own, 0770, and that its "
                f"disk has room; then postqueue -f. {_LOG}.",
            )
        return unknown(
            "the test virus is neither in quarantine nor in the mailbox",
            f"in {self.quarantine}",
            f"The administrator: postqueue -p; {_LOG}.",
        )


def _quarantined(host: Host, folder: str, mark: str) -> str:
    try:
        done = host.run(["sh", "-c", _QUARANTINE, "sh", folder, mark], timeout=10, ok=(0, 1))
    except CommandFailed:
        return ""
    return done.out.strip() if done.ok else ""


@dataclass(frozen=True, slots=True)
class FilterFindsSpam(Carries):
    """The GTUBE test message is marked as spam; SMTP-28 is its harmless counterpart."""

    id: ClassVar[str] = "SMTP-27:spam"
    title: ClassVar[str] = "Test spam is marked"

    def _results(self, host: Host, heard: Greeted, transcript: Transcript) -> Iterator[Result]:
        mark, reply = self._send(heard, Letter(_SPAM.encode() + b"\r\n"))
        if reply.code >= 500:
            yield passed(f"refused at the door: {reply.text}")
            return
        taken = self._arrived(host, transcript, "test spam", mark, reply)
        if isinstance(taken, Result):
            yield taken
        elif any(line.lower().startswith("x-spam-flag: yes") for line in taken.head):
            yield passed("test spam arrives marked (X-Spam-Flag: YES)")
        else:
            yield failed(
                "test spam arrives without a mark",
                "X-Spam-Flag: YES",
                f"The administrator: apply the step again; {_LOG}.",
            )


@dataclass(frozen=True, slots=True)
class VirusDefinitions:
    """The scanner answers with definitions that are not older than a week."""

    database: str
    socket: str
    oldest_days: int = 7
    id: ClassVar[str] = "CLAMAV"
    title: ClassVar[str] = "Virus definitions are there, and fresh"
    # clamd(8) is connected to at once, and answers when it has read them all
    deadline: ClassVar[float] = 60.0
    critical: ClassVar[bool] = False

    @property
    def by_hand(self) -> str:
        return f"printf 'zVERSION\\0' | nc -U {shlex.quote(self.socket)}"

    def missing(self, look: Look) -> list[str]:
        """Without these the scanner does not start: freshclam has yet to bring them."""
        there = {posixpath.splitext(name) for name in look.list(self.database)}
        return [each for each in _DEFINITIONS if not there & {(each, form) for form in _FORMS}]

    def ask(self, host: Host) -> Result:
        expected = f"definitions at most {self.oldest_days} days old"
        if missing := self.missing(host):
            return _not_there(self.database, missing, expected)
        try:
            said = clamd(self.socket, b"zVERSION\0", Deadline(self.deadline - 1))
        except CannotAsk as trouble:
            return _silent(host, trouble, expected)
        return _aged(said, self.oldest_days, expected)


def _not_there(database: str, missing: list[str], expected: str) -> Result:
    none = f"there are no virus definitions in {database}"
    half = f"the virus definitions in {database} are not complete, {missing[0]} is missing"
    return warned(
        f"{half if len(missing) < len(_DEFINITIONS) else none}: nothing can be scanned",
        expected,
        "The administrator: `systemctl status clamav-freshclam` says why they do not come; "
        "the host must reach database.clamav.net, or a mirror named in freshclam.conf. "
        "The scanner starts by itself when they have come.",
    )


def _silent(host: Host, trouble: CannotAsk, expected: str) -> Result:
    """A scanner that is only just reading its definitions answers when it has read them all."""
    unit = host.platform.unit("clamav")
    if trouble.kind is Trouble.TIMED_OUT or _starting(host, unit):
        return warned(
            "the scanner is starting and does not answer yet: nothing can be scanned",
            expected,
            "Reading the definitions takes a minute, on a small host several: check again then. "
            f"If it stays so, the administrator: `journalctl -u {unit} -n 20`.",
        )
    return failed(
        f"there are definitions, but the scanner does not answer: {trouble.sentence}",
        expected,
        f"The administrator: systemctl restart {unit}; `journalctl -u {unit} -n 20` says why.",
    )


def _starting(look: Look, unit: str) -> bool:
    """On its way, or asked to start when the last of the definitions was not there yet."""
    names = "ActiveState,ConditionResult,ConditionTimestampMonotonic"
    shown = look.ask(["systemctl", "show", "-p", names, unit]).out.splitlines()
    tried = "ConditionTimestampMonotonic=0" not in shown
    return "ActiveState=activating" in shown or ("ConditionResult=no" in shown and tried)


def _aged(said: str, oldest: int, expected: str) -> Result:
    """ClamAV says "ClamAV 1.4.3/27500/Fri Nov 20 08:30:12 2026"; without a date there is none."""
    parts = said.split("/")
    try:
        made = time.mktime(time.strptime(parts[2].strip(), "%a %b %d %H:%M:%S %Y"))
    except (IndexError, ValueError):
        fix = "Put the definitions of ClamAV itself beside your own: freshclam fetches them."
        return warned(f"{said}: definitions of unknown age", expected, fix)
    days = (time.time() - made) / 86400
    if days > oldest:
        return warned(
            f"the virus definitions are {days:.0f} days old",
            expected,
            "The administrator: `journalctl -u clamav-freshclam -n 20` says why there are no newer "
            "ones. Mail is scanned with the old ones meanwhile.",
        )
    return passed(f"{parts[0]}, definitions {parts[1]}, {max(0.0, days):.1f} days old")
