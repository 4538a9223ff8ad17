"""A daemon runs with the configuration on disk: validated, proved, (re)started once, ready."""

from __future__ import annotations

import shlex
import socket
import time
from collections.abc import Sequence
from dataclasses import dataclass

from mailwizard.changes import previews
from mailwizard.errors import CommandFailed, ProofFailed
from mailwizard.maincf import of_no_account
from mailwizard.model import Host, Look, Outcome, Preview, Probe, Subject
from mailwizard.subjects import Unit, allow_starts

READY_SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class Service:
    """The role's unit is enabled and runs what is on disk; follows every change of its step.

    validate: commands that must end with 0 and say nothing on stderr.
    guards: proofs that must hold before the daemon sees the configuration (R28).
    worker: the role of the unit that logs, where that is another one.
    ready: TCP ports on loopback that must greet before the change counts as done.
    listens: likewise, ports of servers that wait to be spoken to.
    """

    role: str
    verb: str = "reload"
    worker: str = ""
    validate: tuple[tuple[str, ...], ...] = ()
    guards: tuple[Probe, ...] = ()
    ready: tuple[int, ...] = ()
    listens: tuple[int, ...] = ()

    @property
    def title(self) -> str:
        return f"put {self.role} into service"

    @property
    def follows(self) -> str:
        return "*"

    def needed(self, look: Look) -> bool:
        unit = look.platform.unit(self.role)
        image = Unit(unit).capture(look)
        return not image["active"] or image["enabled"] == "disabled"

    def preview(self, look: Look) -> Preview:
        return previews.commands(*self.validate, *self._commands(look))

    def subjects(self, look: Look) -> Sequence[Subject]:
        return (Unit(look.platform.unit(self.role)),)

    def apply(self, host: Host) -> None:
        self._prove(host)
        unit = host.platform.unit(self.role)
        allow_starts(host, unit)
        try:
            for argv in self._commands(host):
                host.run(argv)
            self._wait(unit)
        except (CommandFailed, ProofFailed) as failed:
            logging = host.platform.unit(self.worker or self.role)
            shown = host.ask(["journalctl", "--no-pager", "-q", "-n", "20", "-u", logging])
            tail = tuple(shown.out.splitlines())
            raise ProofFailed(f"{unit} does not start: {failed.message}", tail) from failed

    def shell(self, look: Look) -> str:
        checks = [" ".join(["check", *map(shlex.quote, argv)]) for argv in self.validate]
        unit = look.platform.unit(self.role)
        return "\n".join([*checks, shlex.join(["into_service", unit, self.verb])])

    def _prove(self, host: Host) -> None:
        for argv in self.validate:
            done = host.ask(argv)
            wrong = [line for line in done.err.splitlines() if not of_no_account(host, line)]
            if not done.ok or any(line.strip() for line in wrong):
                said = tuple((done.err or done.out).strip().splitlines())
                raise ProofFailed(f"`{shlex.join(argv)}` is not content", said)
        for guard in self.guards:
            result = guard.ask(host)
            if result.outcome is Outcome.FAIL:
                raise ProofFailed(result.said, result.transcript, hint=result.fix)

    def _commands(self, look: Look) -> list[list[str]]:
        unit = look.platform.unit(self.role)
        image = Unit(unit).capture(look)
        out = [["systemctl", "enable", "--quiet", unit]] if image["enabled"] == "disabled" else []
        return [*out, ["systemctl", self.verb if image["active"] else "start", unit]]

    def _wait(self, unit: str) -> None:
        limit = time.monotonic() + READY_SECONDS
        for port in (*self.ready, *self.listens):
            while not _answers(port, greets=port in self.ready):
                if time.monotonic() > limit:
                    raise ProofFailed(f"port {port} does not answer")
                time.sleep(0.05)


def _answers(port: int, *, greets: bool) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=2) as connection:
            connection.settimeout(5)
            return not greets or bool(connection.recv(3))
    except OSError:
        return False
