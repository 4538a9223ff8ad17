"""The options of `mailwizard dns`: checked before anything is asked, then carried out."""

from __future__ import annotations

import argparse
import ipaddress
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from mailwizard import dnsdesk
from mailwizard.dnsdesk.publish import publish as published
from mailwizard.engine import Engine
from mailwizard.errors import BadUsage
from mailwizard.model import SecretRef
from mailwizard.probes.zones import Where
from mailwizard.subjects.zone import read_key

FETCHED = 0.1
KEY_HINT = "A key file as `tsig-keygen` makes it, 0600 and yours: --key FILE. Or: --key-env NAME."


def check(options: argparse.Namespace) -> None:
    """Options that do not fit together, and values that are none; raises BadUsage."""
    named = [("--resolver", one) for one in options.resolver]
    named += [("--server", options.server)] if options.server else []
    for option, given in named:
        try:
            ipaddress.ip_address(given)
        except ValueError:
            hint = f"For example: {option} 192.0.2.53"
            raise BadUsage(f"{option}: {given!r} is no IP address", hint=hint) from None
    if not 0 <= options.wait <= 7 * 24 * 60:
        raise BadUsage("--wait: minutes, at most a week", hint="For example: --wait 30")
    if options.zone and (options.json or options.wait or options.publish):
        raise BadUsage("--zone prints a file, and nothing beside it", hint="Give it alone.")
    if options.publish and options.json:
        raise BadUsage("--publish shows and asks", hint="Then: mailwizard dns --json")
    if not options.publish and (options.key or options.key_env or options.server):
        raise BadUsage("a key or a server is for --publish alone", hint=KEY_HINT)
    if options.publish and bool(options.key) == bool(options.key_env):
        raise BadUsage("--publish needs one key that signs the updates", hint=KEY_HINT)


def given_key(options: argparse.Namespace) -> SecretRef:
    """Where the key is; an undo finds it there too, wherever it is started from."""
    file = str(Path(options.key).absolute()) if options.key else ""
    return SecretRef(env=options.key_env, file=file)


def where(options: argparse.Namespace) -> Where:
    """Whom to ask: the public resolvers are the given ones, if any are."""
    if not options.resolver:
        return Where()
    return replace(Where(), public=tuple((one,) for one in options.resolver))


def run(engine: Engine, options: argparse.Namespace) -> int:
    """The records beside what is answered, or the zone file; the exit code."""
    return dnsdesk.run(
        engine,
        zone=options.zone,
        as_json=options.json,
        minutes=options.wait,
        where=where(options),
    )


def publish(engine: Engine, options: argparse.Namespace, ask: Callable[[str], bool]) -> int:
    """Publish what is not right, then look again; 1 when something could not be published."""
    key = given_key(options)
    read_key(engine.host, key)
    asked = where(options)
    found = dnsdesk.look(engine.host, engine.records(), asked, patient=True)
    asking = None if options.yes else ask
    done = published(engine, found, key, where=asked, server=options.server, ask=asking)
    # the zone's other servers fetch it within seconds
    minutes = options.wait or (FETCHED if done else 0)
    code = dnsdesk.run(engine, minutes=minutes, where=asked)
    return code if done else 1
