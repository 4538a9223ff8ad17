"""Hosts that several tests have, one after the other, and the program in them, started once.

A test borrows one, and puts all back itself: that is what it proves. What it had done to the host
before, to see it come back, is put back here. When the host is then as it was at first the next
test has it too, else it is gone, as after a test that failed.
"""

from __future__ import annotations

import json
import select
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from lab import tree
from lab.host import Host
from support.bare import inside
from support.undone import comparable

STATE, PRISTINE = "/var/lib/mailwizard", "/root/pristine"
UNITS = "postfix postfix@- dovecot amavis opendkim opendmarc"
REST = f"""
until ! systemctl show -P ActiveState {UNITS} | grep -q ing; do sleep 0.1; done
hostname
debconf-show postfix | sort
# as its package brings it, amavis fails on a host without a full name
systemctl show -p Id,ActiveState,UnitFileState {UNITS} | sed 's/=failed/=inactive/'
"""
# each path of the input as it was at first
PUT_BACK = f"""
while read -r path; do
    rm -rf "$path"
    if test -e "{PRISTINE}$path" || test -L "{PRISTINE}$path"; then
        cp -a "{PRISTINE}$path" "$path"
    fi
done
rm -rf {STATE} /home/carol
systemctl daemon-reload
"""
Whole = tuple[dict[str, tree.TreeEntry], str]


def whole(host: Host) -> Whole:
    """All that an undo brings back: names, bytes, modes, owners, times of /etc; name, units."""
    return comparable(host.tree()), host.run(REST).stdout


@dataclass(frozen=True)
class Ended:
    """How a run of the program ended, and all that it said."""

    code: int
    said: str


class Warm:
    """Runs of the program on a host, each a fork of one process that has started already."""

    def __init__(self, host: Host) -> None:
        self._process = host.popen(inside("killing.py", "serve"))

    def __call__(self, *words: str, probes: bool = False, timeout: float = 300) -> Ended:
        """One run to its end; without probes nothing is asked at its gates."""
        wish, answer = self._process.stdin, self._process.stdout
        assert wish
        assert answer
        wish.write(json.dumps([probes, *words]).encode() + b"\n")
        wish.flush()
        ready, _, _ = select.select([answer], [], [], timeout)
        assert ready, f"no end within {timeout} s: {words}"
        code, said = json.loads(answer.readline())
        return Ended(code, said)

    def close(self) -> None:
        self._process.communicate()


class Keeper:
    """Lends one host as often as it comes back sound; `make` makes another one."""

    def __init__(self, make: Callable[[], Host]) -> None:
        self._make = make
        self._kept: tuple[Host, Warm, Whole] | None = None

    @contextmanager
    def lent(self) -> Iterator[tuple[Host, Warm]]:
        """The host for one test."""
        host, run, first = self._kept or self._new()
        self._kept = None
        try:
            yield host, run
            sound = _put_back(host, first)
        except BaseException:
            _end(host, run)
            raise
        if sound:
            self._kept = host, run, first
        else:
            _end(host, run)

    def close(self) -> None:
        if self._kept:
            _end(*self._kept[:2])

    def _new(self) -> tuple[Host, Warm, Whole]:
        host = self._make()
        host.run(f"mkdir {PRISTINE} && cp -a /etc {PRISTINE}/etc")
        return host, Warm(host), whole(host)


def _put_back(host: Host, first: Whole) -> bool:
    """Put back what a test had made of the host, and tell whether that is all."""
    paths = tree.diff(first[0], comparable(host.tree()))
    host.run(PUT_BACK, input="".join(f"{path}\n" for path in paths), check=False)
    if whole(host)[1] != first[1]:
        host.run(["systemctl", "restart", "postfix", "dovecot"], check=False)
    files, rest = whole(host)
    differing = tree.diff(first[0], files)
    if differing or rest != first[1]:
        print(f"not kept: {differing}\n{rest}")
        return False
    return True


def _end(host: Host, run: Warm) -> None:
    host.close()
    run.close()
