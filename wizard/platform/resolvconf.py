"""Who else writes resolv.conf(5), and how each is kept from it."""

from __future__ import annotations

import re

from mailwizard.model import Look

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


def writer(look: Look, text: str) -> tuple[str, str, bool]:
    """Its name, what keeps it off, and whether the file names it; the name is empty for nobody."""
    named = _WRITER.search(text)
    found = named[1] if named else "dhclient" if _leased(look) else ""
    return found, _KEPT_OFF.get(found, "its manual says how"), named is not None


def _leased(look: Look) -> bool:
    """Whether Debian's dhclient(8) writes the file at each lease; it does not say so in it."""
    runs = any(re.fullmatch(r"dhclient.*\.pid", name) for name in look.list("/run"))
    hooks = (look.read(f"{DHCLIENT_HOOKS}/{name}") for name in look.list(DHCLIENT_HOOKS))
    return runs and not any(b"make_resolv_conf" in hook for hook in hooks)
