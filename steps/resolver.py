"""A resolver of this host's own, and whether it would last."""

from __future__ import annotations

from collections.abc import Iterator

from mailwizard.changes import FileContent, Folder, Service
from mailwizard.model import Change, Context
from mailwizard.platform import resolvconf
from mailwizard.render import HEADER, render

LOOPBACK = "127.0.0.1"
KEPT = ("search", "domain", "options", "sortlist")


RESOLVED = "/run/systemd/resolve/"
# the last word: lists of servers add up, file by file in the order of their names
DROP_IN = "/etc/systemd/resolved.conf.d/zz-mailwizard.conf"


def behind_resolved(context: Context) -> bool:
    """Whether all names here are asked of systemd-resolved(8), which asks whom it is told to."""
    path = context.platform.path("resolv.conf")
    state = context.look.state(path)
    return state.kind == "link" and state.target_from(path).startswith(RESOLVED)


def plan(context: Context) -> Iterator[Change]:
    """Programs here ask the host's own resolver, by the way on which they ask any."""
    if not behind_resolved(context):
        yield FileContent(context.platform.path("resolv.conf"), resolv_conf(context))
        return
    yield Folder(DROP_IN.rpartition("/")[0])
    yield FileContent(DROP_IN, render("resolved.conf.j2", address=LOOPBACK))
    yield Service("resolved", "restart", follow=DROP_IN)


def _now(context: Context) -> str:
    return context.look.read(context.platform.path("resolv.conf")).decode("utf-8", "replace")


def in_use(context: Context) -> bool:
    """Whether what decides whom this host asks is as this program writes it."""
    ours = context.look.read(DROP_IN).decode("utf-8", "replace")
    return HEADER in (ours if behind_resolved(context) else _now(context))


def resolv_conf(context: Context) -> str:
    """This host's own resolver, with what else was said there (resolv.conf(5))."""
    kept = [row for row in _now(context).splitlines() if row.split()[:1] and row.split()[0] in KEPT]
    return render("resolv.conf.j2", address=LOOPBACK, kept=kept)


def complaint(context: Context) -> str:
    """Why what was answered would not last."""
    path = context.platform.path("resolv.conf")
    ours = in_use(context)
    if not context["resolver"]:
        file = DROP_IN if behind_resolved(context) else path
        undo = f"{file} names the resolver that mailwizard set up on this host"
        return f"{undo}; `mailwizard undo protection` takes it back first" if ours else ""
    state = context.look.state(path)
    if behind_resolved(context):
        return ""
    if state.kind == "link":
        whose = f"{path} is a link to {state.target_from(path)}, which another program writes"
        return f"{whose}; let that program leave the name servers alone, and make it a plain file"
    if ours:
        return ""
    writer, how, named = resolvconf.writer(context.look, _now(context))
    rest = ", and delete the comment in the file that names it" if named else ""
    again = f"{writer} writes {path} and would take the resolver out again"
    return f"{again}; keep it from that ({how}){rest}" if writer else ""
