"""`mailwizard dkim`: where the keys stand, and the change of them."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from functools import partial

from mailwizard import dnsdesk, show
from mailwizard.dkim import Standing, machine
from mailwizard.dkim.stages import Stage
from mailwizard.dkim.work import EngineWork
from mailwizard.dnsdesk import command as desk
from mailwizard.dnsdesk.nearby import NEAR, findings
from mailwizard.dnsdesk.publish import publish
from mailwizard.dnsdesk.waiting import wait
from mailwizard.engine import Engine
from mailwizard.errors import BadUsage
from mailwizard.events import Event
from mailwizard.model import Record

Say = Callable[[Iterator[Event]], int]
"""Shows the events, and gives the exit code."""
WORDS = {"active": "ok", "published": "ok", "retiring": "wait", "pending": "wait"}


def check(options: argparse.Namespace) -> None:
    """Options that do not fit together; raises BadUsage."""
    given = (options.wait, options.publish, options.key, options.key_env, options.server)
    if options.what != "rotate" and any(given):
        raise BadUsage("that is for `dkim rotate` alone", hint="mailwizard dkim rotate --wait")
    desk.check(argparse.Namespace(**vars(options), zone=False, resolver=[]))


def say(found: Standing, *, as_json: bool) -> int:
    """Print where the keys stand; 0, since it is known."""
    if as_json:
        print(json.dumps(found.as_json(), indent=1))
        return 0
    print("\n".join(lines(found, colour=show.colour_wanted(sys.stdout))))
    return 0


def lines(found: Standing, *, colour: bool = False, width: int | None = None) -> Iterator[str]:
    """Each key, the records that are waited for, and what is to be done."""
    for row in found.rows:
        text = f"{row.selector}._domainkey.{row.domain}: {row.state}; {row.note}"
        yield from show.marked(WORDS.get(row.state, "-"), text, colour=colour, width=width)
    yield ""
    if found.findings:
        yield from dnsdesk.table(found.findings, colour=colour)
        yield ""
    yield from show.fold(found.said)
    for one in found.spent:
        yield from show.fold(f"May be taken out: {one.owner} TXT. {one.why}")


def rotate(
    engine: Engine, options: argparse.Namespace, say: Say, ask: Callable[[str], bool]
) -> int:
    """Begin, or go on; 1 where somebody else has to act first."""
    stages = machine(engine)
    asking = None if options.yes else ask
    begun = stages.current()
    if begun is None and asking and not asking(_question(engine)):
        raise BadUsage("not confirmed; nothing was changed")
    say(stages.prepare())
    rotation = stages.current()
    if rotation and rotation.stage in (Stage.PENDING, Stage.PUBLISHED):
        records = EngineWork(engine).records(rotation.new)
        if options.publish:
            key = desk.given_key(options)
            found = findings(engine.host, records)
            publish(engine, found, key, where=NEAR, server=options.server, ask=asking)
        if options.wait or options.publish:
            minutes = options.wait or desk.FETCHED
            wait(partial(findings, engine.host, records), minutes)
        elif not options.json:
            _show(engine, records)
    return say(stages.advance())


def _show(engine: Engine, records: Sequence[Record]) -> None:
    found = findings(engine.host, records)
    print("\n".join(dnsdesk.table(found, colour=show.colour_wanted(sys.stdout))))


def _question(engine: Engine) -> str:
    used = EngineWork(engine).in_use()
    return f"Change the signing key {used or 'of this host'}? It signs until the new one is known."
