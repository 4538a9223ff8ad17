"""Mail goes out through a provider's relay, and nobody but that relay is told the password."""

from __future__ import annotations

import json
import re
import secrets
import time
from collections.abc import Iterator, Sequence
from email.message import EmailMessage

import pytest
from lab import fakes, tree
from lab.fakes import Connection, FakePeer
from lab.host import Host
from lab.internet import Internet
from lab.mailhosts import MailHost
from support.applied import ANSWERS, DOMAIN, FQDN, LOGIN, PASSWORD, UNFILTERED, Prepared, answers
from support.clocks import HUNG, until
from support.leaks import holders, watched
from support.program import NOT_OURS, STATE, Program

SECRET = "/root/relay-password"
TABLES = ("/etc/postfix/sasl_passwd", "/etc/postfix/sasl_passwd.db")
# every printable character, and some that ASCII does not have
ODD = " !\"#$%&'()*+,-./09:;<=>?@AZ[\\]^_`az{|}~ äß€漢"


@pytest.fixture
def host(prepared: Prepared, internet: Internet, suite: str) -> Iterator[Host]:
    """Give a host that sends directly, and trusts the lab's certificates."""
    with prepared.applied_host(suite, UNFILTERED) as host:
        internet.trust(host)
        internet.relay.clear()
        yield host


def relay_user(internet: Internet, name: str, password: str) -> str:
    """Make an account at the relay and give its user name."""
    make = ["saslpasswd2", "-p", "-c", "-u", "relay.test", name]
    internet.relay.host.run(make, input=password)
    return f"{name}@relay.test"


def answer(host: Host, hop: str, user: str, password: str, more: str = "") -> None:
    """Answer the relay's questions."""
    host.put(password, SECRET, mode=0o600)
    login = f'username = "{user}"\npassword = {{ file = "{SECRET}" }}\n' if user else ""
    host.put(f'{answers(host, UNFILTERED)}\n[relay]\nhost = "{hop}"\n{login}{more}', ANSWERS)


def send(host: Host, subject: str, login: str = "alice", to: str = "somebody@other.test") -> None:
    message = f"Subject: {subject}\nTo: {to}\n\nhello\n"
    host.run(["sendmail", "-i", "--", to], input=message, user=login)


def arrives(relay: MailHost, subject: str) -> EmailMessage:
    """Wait for the relay's copy of a message."""
    return relay.wait_for(lambda message: message["Subject"] == subject)


def probes(program: Program) -> dict[str, dict[str, object]]:
    """Give what each check of the relay says."""
    found = json.loads(program("check", "--json", "relay").stdout)["checks"]
    return {check["id"]: check for check in found}


def waits(host: Host, timeout: float = HUNG) -> str:
    """Give why the one message in the queue was put off."""
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        queue = host.run(["postqueue", "-j"]).stdout
        if reason := re.search(r'"delay_reason": "([^"]*)"', queue):
            return reason[1]
        time.sleep(0.1)
    raise AssertionError(f"nothing was put off: {queue}")


def over(talks: Sequence[Connection]) -> bool:
    """Tell whether somebody came and has gone again."""
    return bool(talks) and all(talk.socket.fileno() == -1 for talk in talks)


def logged_since(internet: Internet, mark: int) -> str:
    """Give what the relay wrote to its log since."""
    return internet.relay.host.get("/var/log/mail.log").decode()[mark:]


@pytest.mark.parametrize("port", [587, 465])
def test_mail_goes_through_the_relay_and_back(host: Host, internet: Internet, port: int) -> None:
    program, relay = Program(host), internet.relay
    before = host.tree(("/etc",), NOT_OURS)
    answer(host, f"{relay.name}:{port}", relay.user, relay.password)
    done = program.apply("relay")
    assert done.status == 0, done.stdout[-4000:] + done.stderr
    send(host, "through the relay")
    got = arrives(relay, "through the relay")
    received = str(got.get_all("Received", [])[0])
    assert "with ESMTPSA" in received
    assert f"from {FQDN} " in received
    assert "alice.liddell@example.test" in got["From"]
    log = host.run("journalctl -q -t postfix/smtp -t postfix/relay-smtps/smtp").stdout
    assert "Verified TLS connection established to smtp.relay.test" in log
    assert ("postfix/relay-smtps/smtp" in log) == (port == 465)
    for path in TABLES:
        assert host.run(["stat", "-c%a %U:%G", path]).stdout == "600 root:root\n"
    checks = probes(program)
    assert {check["outcome"] for check in checks.values()} <= {"pass", "unknown"}, checks
    assert (
        checks["OUT-03"]["outcome"] == checks[f"OUT-04:[{relay.name}]:{port}"]["outcome"] == "pass"
    )
    assert program("plan", "-a", ANSWERS, "relay").status == 0
    assert program.states()["relay"] == "verified"
    undone = program("undo", "relay", "--yes")
    assert undone.status == 0, undone.stderr
    assert tree.diff(before, host.tree(("/etc",), NOT_OURS), times=False) == {}
    relay.clear()
    internet.other.clear()
    send(host, "directly again")
    arrives(internet.other, "directly again")
    assert relay.received() == []


def test_passwords_that_are_not_used_any_more_are_taken_away(
    host: Host, internet: Internet
) -> None:
    program, relay = Program(host), internet.relay
    before = host.tree(("/etc",), NOT_OURS)
    answer(host, f"{relay.name}:465", relay.user, relay.password)
    assert program.apply("relay").status == 0
    assert host.run("postconf -M relay-smtps/unix").stdout.strip()
    # a relay that knows this host by its address
    answer(host, f"{relay.name}:25", "", "")
    done = program.apply("relay")
    assert "remove the passwords in" in done.stdout, done.stdout[-3000:] + done.stderr
    assert not any(host.exists(path) for path in TABLES)
    assert not host.run("postconf -M relay-smtps/unix", check=False).stdout.strip()
    assert program("plan", "-a", ANSWERS, "relay").status == 0
    undone = program("undo", "relay", "--yes")
    assert undone.status == 0, undone.stderr
    assert tree.diff(before, host.tree(("/etc",), NOT_OURS), times=False) == {}


def test_any_password_is_taken_byte_for_byte(host: Host, internet: Internet) -> None:
    user = relay_user(internet, "odd", ODD)
    answer(host, internet.relay.name, user, ODD)
    program = Program(host)
    done = program.apply("relay")
    assert done.status == 0, done.stdout[-4000:] + done.stderr
    send(host, "odd password")
    arrives(internet.relay, "odd password")
    # a changed password is noticed, one that Postfix would cut is refused, and nothing is lost
    host.put(ODD + " ", SECRET, mode=0o600)
    refused = program.apply("relay")
    assert refused.status != 0
    assert "a blank at its end" in " ".join((refused.stdout + refused.stderr).split())
    assert ODD.encode() in host.get(TABLES[0])
    host.put("another", SECRET, mode=0o600)
    assert program("plan", "-a", ANSWERS, "relay").status == 10


def test_a_wrong_password_is_told_and_the_mail_waits(host: Host, internet: Internet) -> None:
    answer(host, internet.relay.name, internet.relay.user, "not this one")
    program = Program(host)
    done = program.apply("relay")
    assert done.status == 1, done.stdout[-3000:]
    check = probes(program)["OUT-03"]
    assert check["outcome"] == "fail"
    assert "refuses the login of customer@relay.test: 535" in str(check["said"])
    assert "password" in str(check["fix"])
    send(host, "kept back")
    assert "SASL authentication failed" in waits(host)
    assert internet.relay.received() == []
    host.put(internet.relay.password, SECRET, mode=0o600)
    done = program.apply("relay")
    assert done.status == 0, done.stdout[-3000:]
    host.run(["postqueue", "-f"])
    arrives(internet.relay, "kept back")


def test_a_relay_that_cannot_prove_its_name_hears_no_password(
    host: Host, internet: Internet
) -> None:
    internet.dns.point("wrong.relay.test", internet.relay.address)
    internet.dns.point(internet.relay.name, internet.relay.address, internet.relay.address6)
    for port in (587, 465):
        mark = len(internet.relay.host.get("/var/log/mail.log").decode())
        answer(host, f"wrong.relay.test:{port}", internet.relay.user, internet.relay.password)
        program = Program(host)
        assert program.apply("relay").status == 1
        checks = probes(program)
        assert checks["OUT-03"]["outcome"] == "fail"
        assert "does not prove wrong.relay.test" in str(checks["OUT-03"]["said"])
        assert checks[f"OUT-04:[wrong.relay.test]:{port}"]["outcome"] == "fail"
        send(host, "not to anybody")
        assert "not verified" in waits(host)
        heard = logged_since(internet, mark)
        assert "disconnect from" in heard
        assert "auth=" not in heard
        host.run("postsuper -d ALL")


def test_a_relay_without_encryption_hears_no_password(host: Host, internet: Internet) -> None:
    address, _ = internet.network.add_address(internet.network.take())
    internet.dns.point("stripped.relay.test", address)
    said: dict[str, str | bytes] = {
        "EHLO": "250-stripped.relay.test\r\n250 AUTH PLAIN LOGIN",
        "AUTH": "235 thank you",
        "MAIL": "250 ok",
        "RCPT": "250 ok",
        "DATA": "354 go on",
        "QUIT": "221 bye",
    }
    steps = (fakes.say("220 stripped.relay.test ESMTP"), fakes.replies(said))
    with FakePeer(*steps, address=address, port=587) as peer:
        answer(host, "stripped.relay.test", "somebody", "never to be heard")
        program = Program(host)
        assert program.apply("relay").status == 1
        check = probes(program)["OUT-03"]
        assert check["outcome"] == "fail"
        assert "offers no encryption" in str(check["said"])
        send(host, "not in the clear")
        assert "TLS is required" in waits(host)
        assert any("EHLO" in heard for heard in peer.heard)
        assert not any("AUTH" in heard or "MAIL" in heard for heard in peer.heard)
        # nor when somebody has taken the policy away
        host.run("postconf -X smtp_tls_policy_maps && postfix reload")
        check = probes(program)["OUT-04:[stripped.relay.test]:587"]
        assert check["outcome"] == "fail"
        before = len(peer.connections)
        host.run("postqueue -f")
        until(lambda: over(peer.connections[before:]), every=0.1)
        assert not any("AUTH" in heard for heard in peer.heard)


def test_senders_have_relays_of_their_own(host: Host, internet: Internet) -> None:
    user = relay_user(internet, "bob", "bobs own")
    host.put("bobs own", "/root/bob", mode=0o600)
    place = '{ file = "/root/bob" }'
    account = f'{{ host = "{internet.relay.name}:465", username = "{user}", password = {place} }}'
    more = f'[relay.senders]\n"bob@{DOMAIN}" = {account}\n'
    answer(host, internet.relay.name, internet.relay.user, internet.relay.password, more)
    program = Program(host)
    done = program.apply("relay")
    assert done.status == 0, done.stdout[-4000:] + done.stderr
    mark = len(internet.relay.host.get("/var/log/mail.log").decode())
    for login in ("alice", "bob"):
        send(host, f"of {login}", login)
        arrives(internet.relay, f"of {login}")
    names = re.findall(r"sasl_username=(\S+)", logged_since(internet, mark))
    assert names == [internet.relay.user, user]
    log = host.run("journalctl -q -t postfix/relay-smtps/smtp").stdout
    assert f"[{internet.relay.address}]:465" in log or ":465, " in log
    assert probes(program)[f"OUT-03:bob@{DOMAIN}"]["outcome"] == "pass"


def test_the_exported_script_asks_for_the_password(
    host: Host, internet: Internet, prepared: Prepared, suite: str
) -> None:
    program, relay = Program(host), internet.relay
    answer(host, f"{relay.name}:465", relay.user, relay.password)
    assert program.apply("relay").status == 0
    script = program("export", "--format", "sh").stdout
    with Host(prepared.ready(suite), net=internet.network) as other:
        internet.trust(other)
        other.put(script, "/root/replay.sh")
        run = ["bash", "/root/replay.sh"]
        known = {f"PASSWORD_{LOGIN}": PASSWORD}
        refused = other.run(run, env=known, check=False, timeout=300)
        assert refused.status == 3
        assert "set RELAY_PASSWORD in the environment" in refused.stderr
        assert not other.exists(TABLES[0])
        done = other.run(run, env={"RELAY_PASSWORD": relay.password, **known}, timeout=300)
        assert done.status == 0, done.stdout + done.stderr
        assert relay.password not in done.stdout + done.stderr
        for path in (TABLES[0], "/etc/postfix/tls_policy"):
            assert other.get(path) == host.get(path)
        # on this host the relay came after steps that it stands before in the script
        there, here = (each.get("/etc/postfix/main.cf").splitlines() for each in (other, host))
        assert (set(there) - set(here), set(here) - set(there)) == (set(), set())
        assert other.run(["stat", "-c%a", *TABLES]).stdout == "600\n600\n"
        again = other.run(run, timeout=300).stdout
        assert re.findall(r"^(?:wrote|set|compiled|made) .*", again, re.MULTILINE) == []
        relay.clear()
        send(other, "from the other host")
        arrives(relay, "from the other host")


def test_a_password_is_nowhere_but_in_its_table(host: Host, internet: Internet) -> None:
    canary = f"canary-{secrets.token_hex(12)}"
    user = relay_user(internet, "canary", canary)
    program = Program(host)
    answer(host, internet.relay.name, user, canary)
    with watched(host):
        shown = program("plan", "-a", ANSWERS, "relay").stdout
        done = program.apply("relay")
        checked = program("check", "--json", "relay").stdout
        script = program("export", "--format", "sh").stdout
        host.put("another word", SECRET, mode=0o600)
        assert program.apply("relay").status == 1
    assert done.status == 0, done.stdout[-4000:]
    assert "RELAY_PASSWORD" in script
    assert f"{user}:••••••••" in shown
    for text in (shown, done.stdout, done.stderr, checked, script):
        assert canary not in text
    assert b"postmap" in host.get("/run/seen")
    # the table of before, for undo
    found = holders(host, canary)
    assert set(found.values()) <= {"600 root"}, found
    assert all(path.startswith(f"{STATE}/kept/") for path in found), found
