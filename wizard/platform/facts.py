"""What the host says of itself: its name and its people."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from functools import cache, lru_cache
from typing import TYPE_CHECKING

from mailwizard.fields import HostName
from mailwizard.model import Completed, Look

if TYPE_CHECKING:
    from publicsuffixlist import PublicSuffixList

PEOPLE_FROM, PEOPLE_TO = 1000, 59999
_SWITCH = "/etc/nsswitch.conf"
# whose accounts are all in one list, and in files that can be watched
_LISTED = {"files", "systemd"}
# above what is kept for the system a directory numbers its people (Debian policy 9.2.2)
DIRECTORY_FROM = 65536


def full_name(look: Look) -> str | None:
    """The host's full name, when it has one that can be used."""
    try:
        name: str = HostName().check(look.ask(["hostname", "-f"]).out.strip())
    except ValueError:
        return None
    return name


def is_nobodys(domain: str) -> bool:
    """Whether names below it are everybody's own: a registry's, or a host's of others' sites."""
    return domain == _suffixes().publicsuffix(domain)


@cache
def _suffixes() -> PublicSuffixList:
    # ten thousand rules, which most commands do not need
    from publicsuffixlist import PublicSuffixList

    return PublicSuffixList()


def resolved(look: Look, name: str) -> list[str]:
    """The addresses that this host's resolver knows for a name."""
    rows = look.ask(["getent", "ahosts", name], timeout=10).out.splitlines()
    return sorted({row.split()[0] for row in rows if row.split()})


def dovecot(look: Look) -> str:
    """The Dovecot that is installed, else the one that this release brings, as "2.4".

    Between two releases, and with a package from elsewhere, they differ.
    """
    said = look.ask(["dovecot", "--version"], timeout=10, of=("/usr/sbin/dovecot",)).out
    found = re.match(r"2\.[34]\b", said)
    return found[0] if found else look.platform.dovecot


def has_ipv6(look: Look) -> bool:
    """Whether the kernel knows IPv6 at all, with or without an address."""
    return look.state("/proc/net/if_inet6").kind != "absent"


def has_login(look: Look, name: str) -> bool:
    """Whether there is this login, a person's or one of the system's own."""
    return bool(account(look, name))


def has_person(look: Look, name: str) -> bool:
    """Whether there is this login, and a person's number belongs to it."""
    fields = account(look, name)
    return bool(fields) and is_person(int(fields[2]))


def account(look: Look, name: str) -> Sequence[str]:
    """The seven fields of a login as in passwd(5); empty where there is none."""
    if _files_alone(look):
        # thousands may be asked for, one after the other
        everybody = passwd(look)
        if everybody.ok:
            return _by_name(everybody.out).get(name, ())
    # a directory (LDAP, SSSD) mostly lists nobody, but knows whom it is asked for
    return _by_name(passwd(look, name).out).get(name, ())


def is_person(uid: int) -> bool:
    """Whether a person may have this number: not the system's own accounts, not nobody."""
    return PEOPLE_FROM <= uid <= PEOPLE_TO or uid >= DIRECTORY_FROM


def has_group(look: Look, name: str) -> bool:
    """Whether there is a group of this name; no account of that name can then be made."""
    return look.ask(["getent", "group", name]).ok


def without_password(look: Look) -> list[str]:
    """All people of this host, where it is certain that none of them has a password (shadow(5))."""
    found = [fields[0] for fields in _accounts(look) if is_person(int(fields[2]))]
    text = look.read("/etc/shadow").decode("utf-8", "replace")
    rows = (line.split(":") for line in text.splitlines())
    hashes = {row[0]: row[1] for row in rows if len(row) > 1}
    # what stands first in the field of a locked one; a directory keeps them elsewhere
    locked = all(hashes.get(name, "?")[:1] in ("!", "*", "") for name in found)
    return found if locked and _files_alone(look) else []


def services(look: Look) -> list[str]:
    """Logins of the system's own accounts, as far as the host lists them."""
    return [fields[0] for fields in _accounts(look) if not is_person(int(fields[2]))]


def people(look: Look) -> list[str]:
    """Logins of persons, the oldest first, as far as the host lists them."""
    found = [
        (int(fields[2]), fields[0])
        for fields in _accounts(look)
        if PEOPLE_FROM <= int(fields[2]) <= PEOPLE_TO
        and not fields[6].endswith(("/nologin", "/false"))
    ]
    return [name for _, name in sorted(found)]


def passwd(look: Look, *names: str) -> Completed:
    """The accounts of these names, or all, as getent(1) lists them.

    Asked once for one state of the files, where nobody else knows accounts (nsswitch.conf(5)).
    """
    files = ("/etc/passwd", _SWITCH) if _files_alone(look) else ()
    return look.ask(["getent", "passwd", *names], of=files)


def _files_alone(look: Look) -> bool:
    """Whether nobody but this host's own files knows accounts."""
    switch = look.read(_SWITCH).decode("utf-8", "replace").splitlines()
    found = (line.split()[1:] for line in switch if line.startswith("passwd:"))
    return set(next(found, ["files"])) <= _LISTED


def _accounts(look: Look) -> Iterable[Sequence[str]]:
    return _by_name(passwd(look).out).values()


@lru_cache(maxsize=16)
def _by_name(listed: str) -> Mapping[str, Sequence[str]]:
    rows = (tuple(line.split(":")) for line in listed.splitlines())
    found: dict[str, Sequence[str]] = {}
    for row in rows:
        if len(row) == 7 and row[2].isdigit() and row[3].isdigit():
            # of two lines the first one counts (getpwnam(3))
            found.setdefault(row[0], row)
    return found
