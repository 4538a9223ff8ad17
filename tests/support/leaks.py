"""Where a secret must not be seen: what ran, what was logged, what was written."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from lab.host import Host
from support.program import STATE

# the command line of every process, again and again; how many times is told after each look
WATCH = """
echo $$ >/run/watcher
looks=0
while :; do
    cat /proc/[0-9]*/cmdline
    looks=$((looks + 1))
    echo $looks >/run/looks.new
    mv /run/looks.new /run/looks
    sleep 0.1
done >/run/seen 2>/dev/null
"""
# What would end between two looks lasts until a whole one was taken: this is found first in the
# program's search path.
LASTING = """
echo 0 >/run/looks
for name in postmap chpasswd; do
    slow=/usr/local/sbin/$name
    cat >$slow <<END
#!/bin/sh
read -r before </run/looks
until read -r now </run/looks && [ \\$now -ge \\$((before + 2)) ]; do sleep 0.05; done
exec $(command -v $name) "\\$@"
END
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
