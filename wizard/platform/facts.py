"""What the host says of itself: its name and its people."""

from __future__ import annotations

from collections.abc import Iterator

from mailwizard.fields import HostName
from mailwizard.model import Completed, Look

PEOPLE_FROM, PEOPLE_TO = 1000, 59999
# above what is kept for the system a directory numbers its people (Debian policy 9.2.2)
DIRECTORY_FROM = 65536


def full_name(look: Look) -> str | None:
    """The host's full name, when it has one that can be used."""
    try:
        name: str = HostName().check(look.ask(["hostname", "-f"]).out.strip())
    except ValueError:
        return None
    return name


def resolved(look: Look, name: str) -> list[str]:
    """The addresses that this host's resolver knows for a name."""
    rows = look.ask(["getent", "ahosts", name], timeout=10).out.splitlines()
    return sorted({row.split()[0] for row in rows if row.split()})


def has_ipv6(look: Look) -> bool:
    """Whether the kernel knows IPv6 at all, with or without an address."""
    return look.state("/proc/net/if_inet6").kind != "absent"


def has_login(look: Look, name: str) -> bool:
    """Whether there is this login, a person's or one of the system's own."""
    return bool(_named(look, name))


def has_person(look: Look, name: str) -> bool:
    """Whether there is this login, and a person's number belongs to it."""
    return any(is_person(int(fields[2])) for fields in _named(look, name))


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
    files = ("/etc/passwd", "/etc/nsswitch.conf") if _files_alone(look) else ()
    return look.ask(["getent", "passwd", *names], of=files)


def _files_alone(look: Look) -> bool:
    switch = look.read("/etc/nsswitch.conf").decode("utf-8", "replace").splitlines()
    sources = next((line.split()[1:] for line in switch if line.startswith("passwd:")), ["files"])
    return {*sources} <= {"files", "systemd"}


def _named(look: Look, name: str) -> list[list[str]]:
    found = [fields for fields in _accounts(look) if fields[0] == name]
    if found or _files_alone(look):
        return found
    # a directory (LDAP, SSSD) mostly lists nobody, but knows whom it is asked for
    return [fields for fields in _accounts(look, name) if fields[0] == name]


def _accounts(look: Look, *names: str) -> Iterator[list[str]]:
    for line in passwd(look, *names).out.splitlines():
        fields = line.split(":")
        if len(fields) == 7 and fields[2].isdigit():
            yield fields
