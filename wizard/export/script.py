"""The replayable script: every change of the applied steps as idempotent bash, then the proof."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator, Sequence

from mailwizard import __version__, leftovers, planning
from mailwizard.changes import SecretTable, UserAccount
from mailwizard.engine import Engine
from mailwizard.errors import BadUsage
from mailwizard.export.proofs import proofs
from mailwizard.fields import Path
from mailwizard.journal import now
from mailwizard.model import Change, Step
from mailwizard.platform import managers
from mailwizard.render import render
from mailwizard.show import STATE_WORDS
from mailwizard.stages import State
from mailwizard.transaction import wanted

STANDING = (State.VERIFIED, State.APPLIED)
# without it what builds on it would not work there
OURS = "made as mailwizard makes it, without the edit by hand that was kept"


def unlike(engine: Engine) -> Iterator[str]:
    """What of this host the script does not make, a sentence each."""
    for status in engine.states():
        if not engine.enabled(status.id):
            if status.state is not State.SKIPPED:
                yield f"{status.id} is left out of the script: switched off in the answers"
        elif status.state in STANDING:
            for title in _kept(engine, engine.step(status.id)):
                yield f"{status.id}: {title}: {OURS}"
        elif status.state is not State.PENDING:
            yield f"{status.id} is left out of the script: {STATE_WORDS[status.state]}"


def text(engine: Engine) -> str:
    """The script for the steps that stand; raises BadUsage when there are none."""
    standing = {s.id for s in engine.states() if s.state in STANDING}
    steps = [step for step in engine.wanted() if step.id in standing]
    if not steps:
        raise BadUsage("no step stands yet: there is nothing to replay")
    platform = engine.host.platform
    head = render(
        "export/replay.sh.j2",
        version=__version__,
        made=now(),
        system_id=platform.id,
        system_version=platform.version,
        map_suffix={"hash": "db", "lmdb": "lmdb"}[platform.map_type],
    )
    plans = {step.id: list(step.plan(engine.context(step.id))) for step in steps}
    asked = (line for plan in plans.values() for change in plan for line in passwords(change))
    made = [_step(engine, step, plans[step.id]) for step in steps]
    brought = needs(engine, steps, "\n".join(made))
    body = [head, *brought, *asked, "begin", *_packages(engine, steps), *made]
    proof = ["headline 'Proof'", *proofs(engine, steps), "end", "headline 'All of it holds.'"]
    return "\n".join([*body, *proof]) + "\n"


def needs(engine: Engine, steps: Sequence[Step], made: str) -> Iterator[str]:
    """Looked for before anything is done: the administrator's own files that the changes name."""
    for step in steps:
        context = engine.context(step.id)
        paths = (context[each.name] for each in step.questions if isinstance(each.kind, Path))
        yield from (shlex.join(["needs", path]) for path in paths if path and path in made)


def passwords(change: Change) -> Iterator[str]:
    """What is asked for before anything is done: the rest needs nobody."""
    match change:
        case UserAccount(login=login, variable=name):
            yield shlex.join(["account_password", login, name])
        case SecretTable(path=path, entries=entries):
            for one in entries:
                words = ["table_password", path, one.key, one.username, one.variable]
                yield shlex.join(words)


def _kept(engine: Engine, step: Step) -> tuple[str, ...]:
    return planning.kept(engine.journal, engine.context(step.id), step)


def _step(engine: Engine, step: Step, plan: Sequence[Change]) -> str:
    said = (f"{title}: {OURS}" for title in _kept(engine, step))
    lines = [f"say {shlex.quote(line)}" for line in said]
    lines += [change.shell(engine.host) for change in plan]
    return "\n".join([f"headline {shlex.quote(step.title)}", "changed=$unfinished", *lines, ""])


def _repair(manager: managers.Manager, run: Callable[[Sequence[str]], str]) -> Iterator[str]:
    """Each mends what it can: a half-unpacked package stops the first, not the last."""
    *halves, last = manager.repair()
    *afresh, name = manager.repair(("again",))[0]
    if name == "again":
        flags = f"{shlex.join(manager.damage())} | sed -n 's/^reinstreq //p'"
        yield f"  mapfile -t again < <({flags})"
        command = f'{run(afresh).strip()} "${{again[@]}}"'
        yield f'  [ "${{#again[@]}}" -eq 0 ] || {command} || true'
    yield from (f"{run(argv)} || true" for argv in halves)
    yield run(last)


def _old_queue(server: leftovers.OldServer) -> str:
    place = (server.name, server.program, server.folder, server.pattern)
    return shlex.join(["old_queue", *place, *server.flush])


def _packages(engine: Engine, steps: list[Step]) -> Iterator[str]:
    roles = sorted({role for step in steps for role in step.packages(engine.context(step.id))})
    if not roles:
        return
    platform, manager = engine.host.platform, managers.manager_of(engine.host.platform)
    names = wanted(engine.host, roles)
    yield "headline 'Packages'"
    for role in roles:
        seed = platform.preseed(role)
        for path, content in seed.files.items():
            words = " ".join(map(shlex.quote, content.splitlines()))
            yield f"printf '%s\\n' {words} | preseed_file {shlex.quote(path)}"
        for line in seed.debconf:
            yield f"printf '%s\\n' {shlex.quote(line)} | debconf_settings"
    for path, (policy, _) in manager.no_start.items():
        # as one word: `done` by itself looks like the end of a loop
        yield f"printf '%s' {shlex.quote(policy)} | forbid_starts {shlex.quote(path)}"
    environment = [f"{key}={value}" for key, value in manager.environment.items()]

    def run(argv: Sequence[str], *before: str) -> str:
        return "  " + shlex.join([*before, "env", *environment, *argv])

    yield f"if packages_missing {shlex.join(names)}; then"
    # first of all: what is brought again may be in no archive any more
    yield run(manager.update(), "update_lists")
    yield f'  if [ -n "$({shlex.join(manager.audit())})" ]; then'
    yield from map("  {}".format, _repair(manager, run))
    yield "  fi"
    if not set(names).isdisjoint(platform.packages("postfix")):
        yield from (f"  {_old_queue(server)}" for server in leftovers.SERVERS)
    yield run(manager.install(names))
    yield run(manager.settle())
    yield "fi\nallow_starts\n"
