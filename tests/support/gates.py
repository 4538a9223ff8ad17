"""A gate before a real program: whoever calls it waits there, once, until a test lets him go on."""

from __future__ import annotations

from dataclasses import dataclass

from lab.host import Host

# `sent`: so many bytes of its output have been handed on by then.
SCRIPT = """#!/bin/bash
set -o pipefail
name=${{0##*/}}
PATH=/usr/sbin:/usr/bin:/sbin:/bin
real=$(command -v "$name")
case "${{DPKG_MAINTSCRIPT_NAME:-}} $*" in {calls}) ;; *) exec "$real" "$@" ;; esac
mkdir /run/gate.$name/taken 2>/dev/null || exec "$real" "$@"
rm "$0"
hold() {{ : >/run/gate.$name/reached; read -r </run/gate.$name/opened; }}
[ {sent} -gt 0 ] || {{ hold; exec "$real" "$@"; }}
"$real" "$@" | {{ head -c {sent}; hold; cat; }}
"""
# by itself apt lets dpkg and its scripts see nothing in /usr/local (apt.conf(5))
PATHS = 'DPkg::Path "/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin";\n'


@dataclass(frozen=True)
class Gate:
    """It is closed from the start, and gone as soon as somebody waits there."""

    host: Host
    name: str

    def reached(self, timeout: float = 300) -> None:
        """Return when somebody waits."""
        self.host.run(["cat", f"/run/gate.{self.name}/reached"], timeout=timeout)

    def open(self) -> None:
        """Let him go on."""
        self.host.run(f"echo >/run/gate.{self.name}/opened")


def gate(host: Host, program: str, calls: str = "*", *, sent: int = 0) -> Gate:
    """A gate for calls of this form: a pattern of sh for `[maintainer script] argument...`."""
    folder = f"/run/gate.{program}"
    host.run(f"mkdir -p {folder} && mkfifo {folder}/reached {folder}/opened")
    host.put(PATHS, "/etc/apt/apt.conf.d/98gates")
    host.put(SCRIPT.format(calls=calls, sent=sent), f"/usr/local/sbin/{program}", mode=0o755)
    return Gate(host, program)
