"""A resolver of this host's own, and who else writes resolv.conf(5)."""

from __future__ import annotations

import re

from mailwizard.model import Context, Look
from mailwizard.render import HEADER, render

LOOPBACK = "127.0.0.1"
KEPT = ("search", "domain", "options", "sortlist")
DHCLIENT_HOOKS = "/etc/dhcp/dhclient-enter-hooks.d"
# how a program says that the file is its own, and what keeps it from writing there
_WRITER = re.compile(
    r"^[#;].*?(?:generated|managed) by (?:man:|/\S*/)?"
    r"(.+?)(?:\(\d\)|-script)?(?: from .*|[.!,;].*)?$",
    re.IGNORECASE | re.MULTILINE,
)
_KEPT_OFF = {
    "dhcpcd": "nohook resolv.conf in /etc/dhcpcd.conf",
    "dhclient": f"make_resolv_conf() {{ :; }} in {DHCLIENT_HOOKS}/mailwizard",
    "NetworkManager": "dns=none below [main] in /etc/NetworkManager/conf.d/mailwizard.conf",
    "resolvconf": "resolvconf=NO in /etc/resolvconf.conf, or its package removed",
}


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
    named = _WRITER.search(_now(context))
    writer = named[1] if named else "dhclient" if _leased(context.look) else ""
    how = _KEPT_OFF.get(writer, "its manual says how")
    rest = ", and delete the comment in the file that names it" if named else ""
    again = f"{writer} writes {path} and would take the resolver out again"
    return f"{again}; keep it from that ({how}){rest}" if writer else ""


def _leased(look: Look) -> bool:
    """Whether Debian's dhclient(8) writes the file at each lease; it does not say so in it."""
    runs = any(re.fullmatch(r"dhclient.*\.pid", name) for name in look.list("/run"))
    hooks = (look.read(f"{DHCLIENT_HOOKS}/{name}") for name in look.list(DHCLIENT_HOOKS))
    return runs and not any(b"make_resolv_conf" in hook for hook in hooks)
