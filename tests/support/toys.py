"""A host of files in a folder with a made-up systemd, and toy steps to try the engine on."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from support.clocks import HUNG

from mailwizard.answers import Answers
from mailwizard.changes import FileContent, KeyedEntries, Service
from mailwizard.engine import Engine
from mailwizard.events import Event, Gate
from mailwizard.host import LocalHost
from mailwizard.journal import Journal
from mailwizard.model import Change, Completed, Context, Host, Outcome, Probe, Result, Step
from mailwizard.platform.debian import TRIXIE
from mailwizard.stages import State


class ToyHost(LocalHost):
    """Files are real; systemctl is a table, and a program that is named broken fails."""

    def __init__(self, root: Path) -> None:
        super().__init__(TRIXIE, str(root / "state"))
        self.units: dict[str, tuple[str, str]] = {}
        self.changed: dict[str, int] = {}
        self.ran: list[tuple[str, ...]] = []
        self.broken: set[str] = set()
        self.make_dir(self.state_dir, 0o700)

    def ask(
        self,
        argv: Sequence[str],
        *,
        stdin: str = "",
        **_: object,
    ) -> Completed:
        enabled, active = self.units.get(argv[-1], ("disabled", "inactive"))
        since = f"StateChangeTimestampMonotonic={self.changed.get(argv[-1], 7)}"
        shown = f"UnitFileState={enabled}\nActiveState={active}\n{since}\n"
        out = shown if argv[1] == "show" else ""
        return Completed(tuple(argv), int(argv[0] in self.broken), out)

    def run(
        self,
        argv: Sequence[str],
        *,
        stdin: str = "",
        ok: Sequence[int] = (0,),
        **_: object,
    ) -> Completed:
        self.ran.append(tuple(argv))
        name = argv[-1]
        enabled, active = self.units.get(name, ("disabled", "inactive"))
        verb = argv[1]
        enabled = {"enable": "enabled", "disable": "disabled"}.get(verb, enabled)
        active = {"start": "active", "restart": "active", "stop": "inactive"}.get(verb, active)
        if verb in {"start", "restart", "reload", "stop"}:
            self.changed[name] = self.changed.get(name, 7) + 1
        if verb != "reset-failed":
            self.units[name] = enabled, active
        return Completed(tuple(argv), 0)


@dataclass
class ToyProbe:
    """Says what it is told to."""

    id: str
    answer: Outcome | Callable[[], Result] = Outcome.PASS
    critical: bool = False
    deadline: float = HUNG
    title: str = "a toy"
    by_hand: str = "true"

    def ask(self, host: Host) -> Result:
        return self.answer() if callable(self.answer) else Result(self.answer, "so it is")


@dataclass
class World:
    """The folder, what each step should make of it, and an engine over it."""

    root: Path
    text: dict[str, str] = field(default_factory=lambda: {"one": "1\n", "two": "2\n"})
    probes: dict[str, list[Probe]] = field(default_factory=dict)
    extra: dict[str, list[Change]] = field(default_factory=dict)
    service: bool = True

    def __post_init__(self) -> None:
        self.host = ToyHost(self.root)
        self.engine = self.opened()

    def opened(self) -> Engine:
        """The engine as the next run of the program has it."""
        steps = [
            self.step("one"),
            self.step("two", needs=("one",)),
            self.step("more", optional=True),
        ]
        journal = Journal(f"{self.host.state_dir}/journal.db", "host-1")
        return Engine(steps, Answers.empty(steps), self.host, journal)

    def path(self, name: str) -> Path:
        return self.root / f"{name}.conf"

    def step(self, name: str, *, needs: tuple[str, ...] = (), optional: bool = False) -> Step:
        return Step(
            id=name,
            title=f"Step {name}",
            explain="",
            questions=(),
            plan=lambda _context: self.plan(name),
            probes=lambda _context: iter(self.probes.get(name, [ToyProbe(f"{name}-probe")])),
            needs=needs,
            optional=optional,
        )

    def plan(self, name: str) -> Iterator[Change]:
        yield FileContent(str(self.path(name)), self.text.get(name, "x\n"))
        yield KeyedEntries(
            str(self.root / "shared"), ":", {name: f"{name}: {self.text.get(name)}".strip()}
        )
        yield from self.extra.get(name, [])
        if self.service:
            yield Service("postfix")

    def context(self, name: str) -> Context:
        return self.engine.context(name)

    def files(self) -> dict[str, str]:
        return {p.name: p.read_text() for p in self.root.iterdir() if p.is_file()}


def done(events: Iterable[Event]) -> list[Event]:
    return list(events)


def of(kind: type[Event], events: Iterable[Event]) -> list[str]:
    return [getattr(event, "title", "") for event in events if isinstance(event, kind)]


def state(world: World, step: str = "one") -> State:
    return next(s.state for s in world.opened().states() if s.id == step)


def gate(events: Iterable[Event]) -> Gate:
    return next(event for event in events if isinstance(event, Gate))
