"""A resolver of this host's own, and whether it would last."""

from __future__ import annotations

from mailwizard.model import Context
from mailwizard.platform import resolvconf
from mailwizard.render import HEADER, render

LOOPBACK = "127.0.0.1"
KEPT = ("search", "domain", "options", "sortlist")


def _now(context: Context) -> str:
    return context.look.read(context.platform.path("resolv.conf")).decode("utf-8", "replace")


def in_use(context: Context) -> bool:
    """Whether resolv.conf(5) is as this program writes it."""
    return HEADER in _now(context)


def resolv_conf(context: Context) -> str:
    """This host's own resolver, with what else was said there (resolv.conf(5))."""
    kept = [row for row in _now(context).splitlines() if row.split()[:1] and row.split()[0] in KEPT]
    return render("resolv.conf.j2", address=LOOPBACK, kept=kept)


def complaint(context: Context) -> str:
    """Why what was answered would not last."""
    path = context.platform.path("resolv.conf")
    ours = in_use(context)
    if not context["resolver"]:
        undo = f"{path} names the resolver that mailwizard set up on this host"
        return f"{undo}; `mailwizard undo protection` takes it back first" if ours else ""
    state = context.look.state(path)
    if state.kind == "link":
        whose = f"{path} is a link to {state.target_from(path)}, which another program writes"
        return f"{whose}; let that program leave the name servers alone, and make it a plain file"
    if ours:
        return ""
    writer, how, named = resolvconf.writer(context.look, _now(context))
    rest = ", and delete the comment in the file that names it" if named else ""
    again = f"{writer} writes {path} and would take the resolver out again"
    return f"{again}; keep it from that ({how}){rest}" if writer else ""
