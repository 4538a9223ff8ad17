"""Accounts that are made: any password works, none is seen, and nobody's own is changed."""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping

from lab.fixtures import FreshHost
from lab.host import Host
from lab.internet import Internet
from support.applied import (
    ANSWERS,
    DOMAIN,
    FQDN,
    LOGIN,
    PASSWORD,
    SECRET,
    UNFILTERED,
    Prepared,
    answers,
)
from support.leaks import holders, watched
from support.program import STATE, Program, helps, started, untouched

# every printable character of ASCII, and some that it does not have
ODD = " " + "".join(map(chr, range(33, 127))) + " äß€漢"
# Logs in on each port as a mail program does, and sends; $1 login, $2 password's file.
CLIENT = f"""
import base64, imaplib, smtplib, ssl, sys
from pathlib import Path
login, word = sys.argv[1], Path(sys.argv[2]).read_text()
name = "{FQDN}"
trust = ssl.create_default_context(cafile="/etc/ssl/mailwizard/ca.pem")
plain = b"\\0".join((b"", login.encode(), word.encode()))
with imaplib.IMAP4_SSL(name, ssl_context=trust) as imap:
    imap.authenticate("PLAIN", lambda _: plain)
    print(imap.select("INBOX")[0])
for port in (465, 587):
    kind = smtplib.SMTP_SSL if port == 465 else smtplib.SMTP
    with kind(name, port, **({{"context": trust}} if port == 465 else {{}})) as smtp:
        if port == 587:
            smtp.starttls(context=trust)
        smtp.ehlo()
        print(smtp.docmd("AUTH", "PLAIN " + base64.b64encode(plain).decode())[0])
        smtp.sendmail(f"{{login}}@{DOMAIN}", f"{{login}}@{DOMAIN}", "Subject: x\\n\\nhello")
"""


def people(host: Host, **places: str) -> str:
    """The answers of every prepared host, with these accounts."""
    head, _, _ = answers(host).partition("[dovecot]")
    rows = [
        f'{{ login = "{name}", password = {{ file = "{path}" }} }}' for name, path in places.items()
    ]
    return f"{head}[dovecot]\nusers = [{', '.join(rows)}]\n\n{UNFILTERED}"


def relay(internet: Internet, user: str) -> str:
    """The answers for the lab's relay."""
    account = f'username = "{user}"\npassword = {{ file = "/root/password" }}\n'
    return f'\n[relay]\nhost = "{internet.relay.name}"\n{account}'


def hashed(host: Host, login: str) -> str:
    return host.run(["getent", "shadow", login]).stdout.split(":")[1]


def said(program: Program) -> Mapping[str, Mapping[str, str]]:
    """Give each check of reading and sending."""
    found = json.loads(program("check", "--json", "dovecot", "submission").stdout)["checks"]
    return {one["id"]: one for one in found}


def test_passwords_work_and_are_seen_nowhere(
    prepared: Prepared, fresh_host: FreshHost, internet: Internet, suite: str
) -> None:
    host = fresh_host(prepared.ready(suite))
    program = Program(host)
    internet.register(host, FQDN, mx=DOMAIN)
    internet.trust(host)
    own, canary = f"canary-{secrets.token_hex(12)}", f"canary-{secrets.token_hex(12)}"
    make = ["saslpasswd2", "-p", "-c", "-u", "relay.test", "canary"]
    internet.relay.host.run(make, input=canary)
    words = {"odd": ODD, "canary": own, "bob": "not the one he has", "password": canary}
    for name, word in words.items():
        host.put(word, f"/root/{name}", mode=0o600)
    host.run("chpasswd", input="bob:bobs own")
    before = hashed(host, "bob")
    text = people(host, odd="/root/odd", canary="/root/canary", bob="/root/bob")
    host.put(text + relay(internet, "canary@relay.test"), ANSWERS)
    with watched(host):
        # somebody who was there before keeps his password, and the administrator is told
        done = program.apply(timeout=300)
        assert (done.status, "Stopped at dovecot" in done.stdout) == (1, True), done.stdout[-3000:]
        told = said(program)["IMAP-13"]
        assert "does not take the password of bob" in told["said"]
        assert "was there before keeps its own password" in told["fix"]
        host.put("bobs own", "/root/bob", mode=0o600)
        done = program.apply(timeout=300)
        assert done.status == 0, done.stdout[-4000:]
        shown = program("plan", "-a", ANSWERS).stdout + program("check", "--json").stdout
        scripts = [program("export", "--format", kind).stdout for kind in ("sh", "answers")]
    assert hashed(host, "bob") == before
    for name in ("odd", "canary", "bob"):
        heard = host.run(["python3", "-", name, f"/root/{name}"], input=CLIENT).stdout
        assert heard.split() == ["OK", "235", "235"], (name, heard)
    # a second run has nothing to do and nothing to say
    then = started(host)
    again = program.apply(timeout=300)
    assert (again.status, started(host)) == (0, then), again.stdout[-3000:]
    for secret, place in ((own, "/root/canary"), (canary, "/root/password")):
        assert not any(secret in each for each in (done.stdout, done.stderr, shown, *scripts))
        tables = [f"/etc/postfix/sasl_passwd{end}" for end in ("", ".db") if secret == canary]
        found = holders(host, secret)
        assert found == dict.fromkeys([place, *tables], "600 root"), found
    assert "make_account canary" in scripts[0]
    assert hashed(host, "canary").startswith("$y$")


def test_the_only_person_on_a_host_owns_every_name_and_no_other(
    prepared: Prepared, suite: str
) -> None:
    with prepared.ready_host(suite) as host:
        host.run(f"userdel -r alice; userdel -r bob; useradd -m {LOGIN}", check=False)
        host.run("chpasswd", input=f"{LOGIN}:{PASSWORD}")
        head, _, rest = people(host, carol=SECRET).partition("[aliases]")
        account = rest.partition("[dovecot]")[2]
        host.put(f'{head}[aliases]\nroot = "{LOGIN}"\n\n[dovecot]{account}', ANSWERS)
        program = Program(host)
        done = program.apply(timeout=300)
        assert done.status == 0, done.stdout[-4000:] + done.stderr
        senders = said(program)["SUB-08"]
        assert senders["outcome"] == "pass", senders
        assert f"{LOGIN} as nobody-" in senders["said"]


def test_a_secret_that_cannot_be_read_is_refused_before_anything_is_changed(
    prepared: Prepared, fresh_host: FreshHost, internet: Internet, suite: str
) -> None:
    host = fresh_host(prepared.ready(suite))
    program, place = Program(host), "/root/password"
    wrong = {
        "rm -f $1": ("cannot be read: No such file", "mode 0600"),
        "chmod 644 $1": ("others can read", "chmod 0600"),
        "chown bob $1": ("belongs to user", "chown 0"),
        ": >$1": ("is not set or empty", "Put the secret there"),
        "printf 'one\\ntwo' >$1": ("more than one line", "one line"),
        "rm $1; ln -s /root/elsewhere $1": ("cannot be read", "not a link"),
    }
    users, account = people(host, dora=place), people(host) + relay(internet, "x")
    with untouched(host, "/etc", "/home", "/var/lib"):
        for number, (script, reasons) in enumerate(wrong.items()):
            host.put("right", place, mode=0o600)
            host.run(["sh", "-ec", script, "sh", place])
            key, text = ("relay.password", account) if number % 2 else ("dovecot.users", users)
            host.put(text, ANSWERS)
            helps(program.apply(), 2, key, *reasons)
    assert not host.exists(STATE)
    assert host.run("getent passwd dora", check=False).status == 2
    # what is made already needs its secret no more
    with prepared.applied_host(suite, UNFILTERED) as applied:
        applied.run(["rm", f"/root/{LOGIN}-password"])
        done = Program(applied).apply(timeout=300)
        assert done.status == 0, done.stdout[-3000:]
        assert "no password known here" in done.stdout
