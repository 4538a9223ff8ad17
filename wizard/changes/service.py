"""A daemon runs with the configuration on disk: validated, proved, (re)started once, ready."""

from __future__ import annotations

import shlex
import socket
import time
from collections.abc import Sequence
from dataclasses import dataclass

from mailwizard.changes import previews
from mailwizard.errors import CommandFailed, NotContent, ProofFailed
from mailwizard.maincf import of_no_account
from mailwizard.model import Host, Image, Look, Outcome, Preview, Probe, Subject
from mailwizard.platform.running import number_in, replaced, unit_of
from mailwizard.subjects import START_SECONDS, Unit, allow_starts

READY_SECONDS = 20.0
# of a reload the first ends and the last idle one: milliseconds; more where a machine is busy
IDLE_SECONDS = 1.0
_FLUSH = ["postqueue", "-f"]


@dataclass(frozen=True, slots=True)
class Service:
    """The role's unit is enabled and runs what is on disk; follows every change of its step.

    validate: commands that must end with 0 and say nothing on stderr.
    guards: proofs that must hold before the daemon sees the configuration (R28).
    worker: the role of the unit that runs the daemon, which may be another one, and of the file
    with its number: what it had started before a reload has ended afterwards, but for those who
    have a client just then.
    ready: TCP ports on loopback that must greet before the change counts as done.
    listens: likewise, ports of servers that wait to be spoken to.
    copied: files of which a start makes copies in the queue's folder, the daemon's own root; where
    one differs a start is due.
    proofs: what must hold once it runs, before anything else comes to rely on it.
    follow: "" where no other change of the step concerns it, or the only file that does; "<" for
    those that stand before it.
    flush: mail that could not be handed to it meanwhile is tried again at once; else the queue
    manager leaves it alone for minutes, and what comes after it too (qmgr(8), postqueue(1)).
    stage: what this brings into service of a daemon that comes in stages; a failure names it.
    reads: the role of the folder whose files it reads as one, whichever step they are of.
    """

    role: str
    verb: str = "reload"
    worker: str = ""
    validate: tuple[tuple[str, ...], ...] = ()
    guards: tuple[Probe, ...] = ()
    ready: tuple[int, ...] = ()
    listens: tuple[int, ...] = ()
    copied: tuple[str, ...] = ()
    proofs: tuple[Probe, ...] = ()
    follow: str = "*"
    flush: bool = False
    stage: str = ""
    reads: str = ""

    @property
    def title(self) -> str:
        return f"put {self.role} into service" + (f": {self.stage}" if self.stage else "")

    @property
    def follows(self) -> str:
        return self.follow

    def needed(self, look: Look) -> bool:
        unit = look.platform.unit(self.role)
        image = Unit(unit).capture(look)
        stale = any(_differs(look, path) for path in self.copied)
        due = not image["active"] or image["enabled"] == "disabled" or stale
        return due or bool(self._outlived(look, image))

    def preview(self, look: Look) -> Preview:
        after = [_FLUSH] if self.flush else []
        image = Unit(look.platform.unit(self.role)).capture(look)
        return previews.commands(*self.validate, *self._commands(look, image), *after)

    def subjects(self, look: Look) -> Sequence[Subject]:
        return (Unit(look.platform.unit(self.role)),)

    def apply(self, host: Host) -> None:
        self._prove(host)
        try:
            self._start(host)
            _hold(host, self.proofs)
        except ProofFailed as failed:
            lead = f"{self.stage}: " if self.stage else ""
            raise ProofFailed(f"{lead}{failed.message}", failed.tail, hint=failed.hint) from failed

    def _start(self, host: Host) -> None:
        unit = host.platform.unit(self.role)
        allow_starts(host, unit)
        image = Unit(unit).capture(host)
        outlived, commands = self._outlived(host, image), self._commands(host, image)
        reloads = self.verb == "reload" and not outlived
        started = self._started(host) if reloads else frozenset()
        try:
            for argv in commands:
                host.run(argv, timeout=START_SECONDS)
            self._outlast(host, started)
            self._wait(unit)
            # what an old master could hand to nobody waits, too
            if self.flush or (outlived and self.worker):
                # no Postfix that runs, no mail that waits for it
                host.run(_FLUSH, ok=range(256))
        except (CommandFailed, ProofFailed) as failed:
            logging = host.platform.unit(self.worker or self.role)
            shown = host.ask(["journalctl", "--no-pager", "-q", "-n", "20", "-u", logging])
            tail = tuple(shown.out.splitlines())
            from mailwizard.probes.listening import in_the_way

            held, hint = in_the_way(host, tail)
            why = held or _waited_for(host, unit) or failed.message
            raise ProofFailed(f"{unit} does not start: {why}", tail, hint=hint) from failed

    def shell(self, look: Look) -> str:
        checks = [" ".join(["check", *map(shlex.quote, argv)]) for argv in self.validate]
        unit = look.platform.unit(self.role)
        after = [f"{shlex.join(_FLUSH)} || true"] if self.flush else []
        return "\n".join([*checks, shlex.join(["into_service", unit, self.verb]), *after])

    def _prove(self, host: Host) -> None:
        for argv in self.validate:
            done = host.ask(argv)
            said_of = [line for line in done.err.splitlines() if line.strip()]
            wrong = [line for line in said_of if not self._excused(host, line)]
            if not done.ok or wrong:
                said = tuple((done.err or done.out).strip().splitlines())
                raise NotContent(f"`{shlex.join(argv)}` is not content", said)
        _hold(host, self.guards)

    def _excused(self, look: Look, complaint: str) -> bool:
        """What says nothing of the configuration, or is put right by the start to come."""
        mended = any(complaint.endswith(f" {path} differ") for path in self.copied)
        return mended or of_no_account(look, complaint)

    def _commands(self, look: Look, image: Image) -> list[list[str]]:
        unit = look.platform.unit(self.role)
        out = [["systemctl", "enable", "--quiet", unit]] if image["enabled"] == "disabled" else []
        outlived = self._outlived(look, image)
        other = unit_of(look, outlived) if outlived else ""
        if other not in ("", unit):
            # as an earlier release called it: the new one could not start beside it
            out.append(["systemctl", "stop", other])
        verb = "restart" if outlived else self.verb
        return [*out, ["systemctl", verb if image["active"] else "start", unit]]

    def _outlived(self, look: Look, image: Image) -> int:
        """The daemon's main process, where its program was replaced since it started; or 0."""
        pid_file = look.platform.path(self.worker) if self.worker else ""
        pid = number_in(look, pid_file) or image["process"]
        return pid if replaced(look, pid) else 0

    def _started(self, look: Look) -> frozenset[bytes]:
        """The processes that the worker's main process runs just now."""
        if not self.worker:
            return frozenset()
        pid = look.read(look.platform.path(self.worker)).decode().strip()
        return frozenset(look.read(f"/proc/{pid}/task/{pid}/children").split())

    def _outlast(self, look: Look, before: frozenset[bytes]) -> None:
        """Wait until what ran before the reload has ended.

        systemctl(1) returns before master(8) has heard of it, and until then an smtpd that waits
        for a client greets one more by the old rules. Who has a client ends together with him.
        """
        limit, left = time.monotonic() + READY_SECONDS, before
        while left and time.monotonic() < limit:
            time.sleep(0.02)
            left = before & self._started(look)
            if len(left) < len(before):
                limit = min(limit, time.monotonic() + IDLE_SECONDS)

    def _wait(self, unit: str) -> None:
        limit = time.monotonic() + READY_SECONDS
        for port in (*self.ready, *self.listens):
            while not _answers(port, greets=port in self.ready):
                if time.monotonic() > limit:
                    raise ProofFailed(f"port {port} does not answer")
                time.sleep(0.05)


def _waited_for(look: Look, unit: str) -> str:
    """The jobs of systemd that are at work while one of the unit's waits; empty when none does."""
    rows = look.ask(["systemctl", "list-jobs", "--plain", "--no-legend"], timeout=10).out
    jobs = [row.split() for row in rows.splitlines() if len(row.split()) == 4]
    if not any(name == unit and state == "waiting" for _, name, _, state in jobs):
        return ""
    busy = sorted(name for _, name, _, state in jobs if state == "running")
    return f"systemd still waits for {', '.join(busy) or 'other units'}"


def _hold(host: Host, proofs: Sequence[Probe]) -> None:
    for proof in proofs:
        result = proof.ask(host)
        if result.outcome is Outcome.FAIL:
            raise ProofFailed(result.said, result.transcript, hint=result.fix)


def _differs(look: Look, path: str) -> bool:
    """Whether there is a copy that says something else."""
    copy = look.read(f"{look.platform.path('queue')}{path}")
    return bool(copy) and copy != look.read(path)


def _answers(port: int, *, greets: bool) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=2) as connection:
            connection.settimeout(5)
            return not greets or bool(connection.recv(3))
    except OSError:
        return False
