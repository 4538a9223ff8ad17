"""Dovecot's way is barred: a port is another's, a file is broken; nobody loses what he has."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from lab import tree
from lab.host import Host
from lab.internet import Internet
from support import suites
from support.applied import ANSWERS, UNFILTERED, Prepared, answers
from support.program import Program, started

OTHER = "* OK another server"
# a server that an administrator has forgotten, in the place of e.g. courier-imap-ssl
LISTENER = f"""
import socketserver

class Greet(socketserver.BaseRequestHandler):
    def handle(self):
        self.request.sendall(b"{OTHER}\\r\\n")

class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True

Server(("0.0.0.0", 993), Greet).serve_forever()
"""
BROKEN = "/etc/dovecot/conf.d/50-foreign.conf"
suite = suites.one_host_each("clients")


@pytest.fixture(scope="module")
def host(prepared: Prepared, suite: str) -> Iterator[Host]:
    """Give a host on which another server has port 993 before the program ever ran."""
    with prepared.ready_host(suite) as made:
        made.put(answers(made, UNFILTERED), ANSWERS)
        made.put(LISTENER, "/root/other.py")
        take_port(made)
        yield made


def take_port(host: Host) -> None:
    host.run("systemctl stop dovecot; systemd-run -q --unit=other-imap python3 /root/other.py")
    host.run("until ss -Hltn 'sport = :993' | grep -q .; do sleep 0.05; done")


def greeting(internet: Internet, host: Host, port: int = 993) -> str:
    """Give what the server says first, to the foreign host."""
    tls = port == 993 and not host.run("systemctl is-active -q other-imap", check=False).ok
    heard = internet.foreign.dialogue(host.address, port, [], protocol="line", tls=tls)
    return heard[0]


def words(text: str) -> str:
    return " ".join(text.split())


def test_a_taken_port_is_said_before_anything_is_done(host: Host, internet: Internet) -> None:
    done = Program(host).apply()
    assert done.status == 1
    said = words(done.stdout)
    assert "It is: port 993 is held by python3" in said
    assert "`systemctl disable --now other-imap.service`" in said
    assert done.stdout.endswith("Stopped at hostname: the steps after it were not begun.\n")
    assert greeting(internet, host) == OTHER
    host.run("systemctl stop other-imap")
    done = Program(host).apply(timeout=300)
    assert done.status == 0, done.stdout[-3000:] + done.stderr
    assert greeting(internet, host).startswith("* OK [CAPABILITY")


def test_a_port_taken_later_is_named_with_its_holder(host: Host, internet: Internet) -> None:
    take_port(host)
    try:
        done = Program(host).apply("dovecot")
        assert done.status == 1
        pid = host.run("systemctl show -p MainPID --value other-imap").stdout.strip()
        said = words(done.stdout)
        who = f"port 993 is held by python3 (pid {pid}) of other-imap.service"
        assert f"FAIL dovecot.service does not start: {who}" in said
        assert "`systemctl disable --now other-imap.service` if it is not needed" in said
        assert greeting(internet, host) == OTHER
    finally:
        host.run("systemctl stop other-imap")
    done = Program(host).apply("dovecot")
    assert done.status == 0, done.stdout[-3000:] + done.stderr
    assert greeting(internet, host).startswith("* OK [CAPABILITY")


def test_a_broken_file_of_somebody_else_ends_no_running_server(
    host: Host, internet: Internet
) -> None:
    before = started(host, ("dovecot",))
    kept = host.tree(("/etc/dovecot", "/etc/postfix"))
    host.put("protocol this {\n  is not = {\n", BROKEN)
    more = '[dovecot]\nprotocols = ["imap", "lmtp"]\n'
    chosen = answers(host, UNFILTERED).replace("[dovecot]\n", more)
    host.put(chosen, ANSWERS)
    done = Program(host).apply("dovecot")
    assert done.status == 1
    said = words(done.stdout)
    assert "FAIL `doveconf -n` is not content" in said
    assert re.search(rf"{BROKEN}:? line \d", said)
    assert "The previous configuration was put back." in said
    assert "not put back" not in said
    assert started(host, ("dovecot",)) == before
    assert greeting(internet, host).startswith("* OK [CAPABILITY")
    host.run(["rm", BROKEN])
    assert tree.diff(kept, host.tree(("/etc/dovecot", "/etc/postfix")), times=False) == {}
    done = Program(host).apply("dovecot")
    assert done.status == 0, done.stdout[-3000:] + done.stderr
    assert started(host, ("dovecot",)) != before
