"""One package transaction for all steps of a run: no service is started by it, and it outlives us.

The package manager's lock, held by somebody else, is a wait that names the holder (R4); a run that
was cut short is repaired first (R5), and what it brought is verified: power may have gone before
all of it was on disk. Mail that another mail server has not sent yet is seen to before it goes.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Iterator, Sequence

from mailwizard import leftovers
from mailwizard.errors import CommandFailed, WizardError
from mailwizard.events import ChangeDone, ChangeStarted, Event, Failed, Output, Waiting
from mailwizard.host import LocalHost
from mailwizard.journal import Journal
from mailwizard.maincf import backdated
from mailwizard.model import Look
from mailwizard.platform import managers
from mailwizard.subjects import PUBLISHED, InstalledPackages

STEP, UNIT, TITLE = "packages", "mailwizard-packages", "install packages"
# the journal's word for packages with files that are not as they were brought
SPOILED = "spoiled-packages"
TAIL = 25
# everything of a run may have to be written by a slow disk
SETTLED = 600
# a state folder may have any name; this one means nothing to systemd and to sh
PLACE = "/run/mailwizard"
# made by the launcher when it has brought the package lists up to date, which is not done twice
LISTS, FRESH = f"{PLACE}/lists", 900.0


def wanted(look: Look, roles: Sequence[str]) -> tuple[str, ...]:
    """The packages of these roles on this system."""
    return tuple(dict.fromkeys(name for role in roles for name in look.platform.packages(role)))


def missing(look: Look, roles: Sequence[str]) -> tuple[str, ...]:
    """Those of them that are not installed."""
    present = managers.installed(look)
    return tuple(name for name in wanted(look, roles) if name not in present)


def spoiled(journal: Journal) -> tuple[str, ...]:
    """Packages that a run of ours brought and that did not get to the disk whole."""
    return tuple(json.loads(journal.noted(SPOILED) or "[]"))


def unfinished(look: Look, journal: Journal, roles: Sequence[str]) -> tuple[str, ...]:
    """Packages for these roles, or of ours, that an upgrade or another run left half done."""
    return _ours(look, journal, roles, managers.unready(look))


def _ours(
    look: Look, journal: Journal, roles: Sequence[str], half: frozenset[str]
) -> tuple[str, ...]:
    mine = half.intersection(added(look, journal)) if half else frozenset()
    return tuple(sorted(mine.union(managers.akin(half, wanted(look, roles)))))


def due(look: Look, journal: Journal, roles: Sequence[str]) -> tuple[str, ...]:
    """What a transaction would bring: the missing, the half done, those that came not whole."""
    ready, half = managers.listed(look)
    found = (name for name in wanted(look, roles) if name not in ready)
    return tuple(dict.fromkeys((*found, *_ours(look, journal, roles, half), *spoiled(journal))))


def mail_left(look: Look, missing: Iterable[str]) -> list[str]:
    """What will be done about mail in the queue of a server that these packages replace."""
    return leftovers.told(look) if _replaces(look, missing) else []


def _replaces(look: Look, names: Iterable[str]) -> bool:
    return not set(names).isdisjoint(look.platform.packages("postfix"))


def added(look: Look, journal: Journal) -> tuple[str, ...]:
    """Packages that came with transactions of ours, and are still on the host."""
    came = {
        name
        for entry in journal.entries(STEP)
        for name in InstalledPackages.brought(entry.before[0], (entry.after or (None,))[0])
    }
    return tuple(sorted(came & managers.present(look))) if came else ()


def removable(look: Look, journal: Journal, going: Iterable[str]) -> tuple[str, ...]:
    """What may be removed with these steps: all of it with the last ones, nothing before.

    What one step alone has brought cannot be told: the others build on the same packages.
    """
    standing = {entry.step.partition(".")[0] for entry in journal.entries()}
    return () if standing - {STEP, PUBLISHED, *going} else added(look, journal)


def install(host: LocalHost, journal: Journal, roles: Sequence[str]) -> Iterator[Event]:
    """Bring what is missing; ends with ChangeDone, or with Failed and the last lines of its log."""
    begun = time.monotonic()
    yield from _finish_running(host)
    recover(host, journal)
    try:
        names = missing(host, roles)
        manager = managers.manager_of(host.platform)
        half = unfinished(host, journal, roles)
        commands = manager.repair() if half else ()
        commands = (*commands, *((manager.install(names),) if names or not half else ()))
        yield ChangeStarted(STEP, TITLE, "\n".join(map(" ".join, commands)), False)
        if names or half or spoiled(journal):
            yield from _bring(host, journal, roles, names)
    except WizardError as failed:
        recover(host, journal)
        hint = failed.hint or f"Mend what {host.log_of(UNIT)} names, and try again."
        yield Failed(STEP, failed.message, hint, tuple(getattr(failed, "tail", ())))
        return
    yield ChangeDone(STEP, TITLE, time.monotonic() - begun)


def recover(host: LocalHost, journal: Journal) -> None:
    """After a run that did not end well: starts are allowed, what it brought is written down.

    Its part of the log tells that: since then others may have installed something too.
    """
    _tidy(host)
    unended = [entry for entry in journal.entries(STEP) if entry.after is None]
    if not unended or host.is_running(UNIT):
        return
    log, manager = host.read(host.log_of(UNIT)), managers.manager_of(host.platform)
    for entry in unended:
        own = log[entry.before[0].get("logged", 0) :].decode("utf-8", "replace")
        ours = manager.unpacked(own)
        host.run(manager.settle(), timeout=SETTLED)
        _verify(host, journal, sorted(ours & managers.present(host)) if ours else [])
        came = ours.union(entry.before[0]["installed"])
        journal.done(entry.id, [{"installed": sorted(came)}])


def _verify(host: LocalHost, journal: Journal, names: Sequence[str]) -> None:
    """Write down which of these packages have files that differ from what was brought."""
    manager = managers.manager_of(host.platform)

    def differs(*some: str) -> bool:
        return bool(some) and manager.spoiled(host.ask(manager.verify(some), timeout=300).out)

    found = [name for name in names if differs(name)] if differs(*names) else []
    if found:
        journal.note(SPOILED, json.dumps(sorted({*spoiled(journal), *found})))


def _whole_again(host: LocalHost, journal: Journal) -> None:
    """What was spoiled is so no more; raises WizardError."""
    names = spoiled(journal)
    if names:
        journal.note(SPOILED, "[]")
        _verify(host, journal, names)
    if left := spoiled(journal):
        raise WizardError(
            f"files of {', '.join(left)} differ from what the packages brought",
            hint=f"`dpkg --verify {' '.join(left)}` shows them. Bring them again: "
            f"apt-get install --reinstall {' '.join(left)}",
        )


def _tidy(host: LocalHost) -> None:
    """What kept services from starting goes, unless a run is still at work."""
    forbidding = managers.manager_of(host.platform).no_start
    left = [path for path, (text, _) in forbidding.items() if host.read(path) == text.encode()]
    if left and not host.is_running(UNIT):
        for path in left:
            host.remove(path)


def _bring(
    host: LocalHost, journal: Journal, roles: Sequence[str], names: Sequence[str]
) -> Iterator[Event]:
    yield from _wait_for_lock(host)
    subject = InstalledPackages()
    before = {**subject.capture(host), "logged": len(host.read(host.log_of(UNIT)))}
    entry = journal.intend(STEP, TITLE, (subject,), [before], "")
    yield from _transact(host, roles, names, spoiled(journal))
    _tidy(host)
    # dpkg does not sync what it unpacks (platform/apt.py)
    host.run(managers.manager_of(host.platform).settle(), timeout=SETTLED)
    _whole_again(host, journal)
    journal.done(entry, [subject.capture(host)])


def _finish_running(host: LocalHost) -> Iterator[Event]:
    """A transaction that a killed run left at work goes on; its output is shown from now on."""
    if host.is_running(UNIT):
        yield Waiting(STEP, "a package run of ours is still at work")
        yield from (Output(STEP, line) for line in host.start_detached(UNIT, ["true"]).lines())


def _wait_for_lock(host: LocalHost) -> Iterator[Event]:
    said, since = None, time.monotonic()
    patience = 300.0
    while (holder := managers.lock_holder(host)) and time.monotonic() - since < patience:
        if holder != said:
            pid, program = said = holder
            yield Waiting(STEP, f"{program} (pid {pid}) is installing or removing packages")
        time.sleep(0.5)


def _transact(
    host: LocalHost, roles: Sequence[str], names: Sequence[str], again: Sequence[str]
) -> Iterator[Event]:
    manager = managers.manager_of(host.platform)
    # first of all: what is brought again may be in no archive any more
    if not _lists_are_fresh(host):
        yield from _detached(host, manager.update())
    broken = manager.broken(host.ask(manager.audit(), timeout=60).out)
    if broken or again:
        damaged = manager.damaged(host.ask(manager.damage(), timeout=60).out)
        yield from _repaired(host, manager.repair(tuple(dict.fromkeys((*damaged, *again)))))
    if not names:
        return
    _preseed(host, roles)
    replaces = _replaces(host, names)
    if replaces:
        yield from (Waiting(STEP, said) for said in leftovers.sent(host))
    yield from _detached(host, manager.install(names), quiet_services=True)
    if replaces:
        # where somebody else forbids stops too
        yield from (Output(STEP, said) for said in leftovers.stopped(host))


def _lists_are_fresh(look: Look) -> bool:
    return 0 <= time.time() - look.state(LISTS).mtime_ns / 1e9 < FRESH


def _repaired(host: LocalHost, commands: Sequence[Sequence[str]]) -> Iterator[Event]:
    """Each command mends what it can: a half-unpacked package stops the first, not the last."""
    for argv in commands[:-1]:
        try:
            yield from _detached(host, argv, quiet_services=True)
        except CommandFailed as failed:
            yield Output(STEP, failed.message)
    yield from _detached(host, commands[-1], quiet_services=True)


def _preseed(host: LocalHost, roles: Sequence[str]) -> None:
    for role in roles:
        seed = host.platform.preseed(role)
        for path, text in seed.files.items():
            if host.state(path).kind == "absent":
                host.make_dir(path.rpartition("/")[0])
                host.write(path, text.encode(), mtime_ns=backdated())
        if seed.debconf:
            host.run(["debconf-set-selections"], stdin="\n".join(seed.debconf) + "\n")


def _detached(
    host: LocalHost, argv: Sequence[str], *, quiet_services: bool = False
) -> Iterator[Event]:
    manager = managers.manager_of(host.platform)
    before, after = _no_start(host) if quiet_services else ([], [])
    tail: list[str] = []
    code = None
    # without a code it was another run that was watched, one that was still ending
    while code is None:
        run = host.start_detached(UNIT, argv, env=manager.environment, before=before, after=after)
        tail = []
        for line in run.lines():
            tail = [*tail[-TAIL:], line]
            yield Output(STEP, line)
        code = run.code
    if code:
        raise CommandFailed(tuple(argv), code, tuple(tail))


def _no_start(host: LocalHost) -> tuple[list[str], list[str]]:
    """The unit itself forbids starts and allows them again, however it ends."""
    before, after = [], []
    host.make_dir(PLACE, 0o700)
    for path, (text, mode) in managers.manager_of(host.platform).no_start.items():
        ours = f"{PLACE}/{path.rpartition('/')[2]}"
        host.write(ours, text.encode(), mode=mode)
        before.append(f"/bin/cp --no-clobber --preserve=mode {ours} {path}")
        after.append(f'/bin/sh -c "cmp -s {ours} {path} && rm -f {path}"')
    return before, after
