"""Addresses of nobody that are somebody's all the same."""

from __future__ import annotations

import secrets
from contextlib import suppress

from mailwizard import sanitise
from mailwizard.model import Look
from mailwizard.probes.deadline import CannotAsk
from mailwizard.probes.postconf import Postconf, words

MEANT = (
    "Right if it is meant: then somebody must read what comes to made-up names, and that is mostly "
    "spam. Else the administrator: take it out, then reload Postfix."
)


def catch_all(look: Look, domain: str) -> str:
    """What takes mail for any name in the domain; empty where nothing is made for that."""
    conf: dict[str, str] = {}
    with suppress(CannotAsk):
        conf = Postconf(look).values("virtual_alias_maps", "luser_relay")
    # a table of patterns knows no @domain by itself (virtual(5))
    keys = f"@{domain}\nnobody-{secrets.token_hex(6)}@{domain}\n"
    for table in words(conf.get("virtual_alias_maps", "")):
        asked = look.ask(["postmap", "-q", "-", table], stdin=keys, timeout=10)
        for line in asked.out.splitlines():
            key, _, value = line.partition("\t")
            # another domain's names: whom nobody has there is taken here and bounced
            if value.strip() and not value.startswith("@"):
                return sanitise.clean(f"{key} leads to {value} in {table}", width=200, limit=1)
    relay = conf.get("luser_relay", "")
    return sanitise.clean(f"luser_relay = {relay}", width=200, limit=1) if relay else ""
