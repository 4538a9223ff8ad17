"""Mail that its reader has sent on: a test message would leave this host, and not be seen here."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress

from mailwizard.model import Host
from mailwizard.probes.deadline import CannotAsk, Trouble
from mailwizard.probes.mailbox import User, find_user
from mailwizard.probes.postconf import Postconf, words
from mailwizard.probes.redirected import not_copied

# where Postfix cannot be asked its own default is looked at (postconf(5))
_USUAL = "$home/.forward"


def stays_here(host: Host, *logins: str) -> None:
    """Nothing, where these logins' mail ends in their mailboxes; raises CannotAsk elsewhere."""
    not_copied(host, *logins)
    paths = list(_paths(host))
    for user in filter(None, (find_user(host, login) for login in logins)):
        for path in paths:
            if _leads_away(host, user, found := _expanded(path, user)):
                raise CannotAsk(
                    Trouble.NO_VANTAGE,
                    f"mail for {user.login} is forwarded by {found}: where it arrives cannot be "
                    "seen from here, and no test message was sent",
                )


def _paths(host: Host) -> Iterator[str]:
    """What local(8) looks at, before the transport that takes mail to a mailbox (local(8))."""
    values = {}
    with suppress(CannotAsk):
        values = Postconf(host).values("forward_path", "local_transport", expand=False)
    if values.get("local_transport", "local").partition(":")[0] == "local":
        yield from words(values.get("forward_path", _USUAL))


def _expanded(path: str, user: User) -> str:
    """The file's name for an address without extension; empty where it has none for that."""
    known = {"home": user.home, "user": user.login, "local": user.login}
    # a name in braces or parentheses, or bare (postconf(5))
    found = re.sub(r"\$(?:[{(](\w+)[)}]|(\w+))", lambda m: known.get(m[1] or m[2], "$"), path)
    return "" if "$" in found else found


def _leads_away(host: Host, user: User, path: str) -> bool:
    """Whether the file is one that local(8) heeds, and names more than the user's own mailbox."""
    if not path:
        return False
    there = host.state(path)
    if there.kind != "file" or there.uid not in (0, user.uid) or there.mode & 0o002:
        return False
    # as the user, like mailbox.py
    text = host.ask(["runuser", "-u", user.login, "--", "cat", "--", path], timeout=10).out
    lines = (line for line in text.splitlines() if not line.startswith("#"))
    return any(
        not one.startswith("/") and one.lstrip("\\") != user.login
        for one in re.split(r"[,\s]+", "\n".join(lines).strip())
        if one
    )
