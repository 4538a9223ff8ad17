"""Where a secret must not be seen: what ran, what was logged, what was written."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from lab.host import Host
from support.program import STATE

# the command line of every process, again and again
WATCH = (
    "echo $$ >/run/watcher; "
    "while :; do cat /proc/[0-9]*/cmdline; sleep 0.02; done >/run/seen 2>/dev/null"
)
# What would end between two looks lasts: this is found first in the program's search path.
LASTING = """
for name in postmap chpasswd; do
    real=$(command -v $name) slow=/usr/local/sbin/$name
    printf '#!/bin/sh\\nsleep 0.2\\nexec %s "$@"\\n' "$real" >$slow
    chmod 0755 $slow
done
"""
PLACES = (STATE, "/var/log", "/var/spool", "/tmp", "/run/seen", "/etc", "/home", "/root")


@contextmanager
def watched(host: Host) -> Iterator[None]:
    """Write down the command line of every process that runs meanwhile."""
    host.run(LASTING)
    watcher = host.popen(WATCH)
    try:
        yield
    finally:
        host.run("kill $(cat /run/watcher); rm /usr/local/sbin/postmap /usr/local/sbin/chpasswd")
        watcher.wait(10)


def holders(host: Host, secret: str) -> dict[str, str]:
    """Each file that holds the secret, with its mode and owner; the journal and processes too."""
    grep = ["grep", "-rlF", "-D", "skip", "--", secret, *PLACES]
    paths = host.run(grep, check=False).stdout.splitlines()
    found = {path: host.run(["stat", "-c%a %U", path]).stdout.strip() for path in paths}
    if secret in host.run("journalctl -q -o export --no-pager").stdout:
        found["(the journal)"] = ""
    if secret in host.run("cat /proc/[0-9]*/environ 2>/dev/null", check=False).stdout:
        found["(the environment of a process)"] = ""
    return found
