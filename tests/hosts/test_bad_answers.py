"""Wrong answers are refused by name and reason; hostile ones do nothing at all (R18)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from lab import images
from lab.host import Host
from support.applied import ANSWERS, DOMAIN, FQDN, PYTHON, UNSCANNED, Prepared, answers
from support.program import STATE, Program, arrives, helps, untouched

from mailwizard.steps import STEPS

HERE = "/root/these.toml"
GOOD = f'[hostname]\nfqdn = "{FQDN}"\naddress6 = ""\n[aliases]\nroot = "alice"\n'
USER = '[dovecot]\nusers = [{{ login = "carol", password = {} }}]'
HOSTILE = [
    *("a;reboot", "$(reboot)", "`reboot`", "|reboot", "a&b", ">/etc/passwd", "</etc/passwd", "*"),
    *("a?b", "[a]", "~root", "#a", "a!b", "100%", "a'b", 'a"b', "a\nb", "a\rb", "a\0b", "a\tb"),
    *("-oProxyCommand=x", "{{7*7}}", "{% raw %}", "${x}", "$myhostname", "%u", "../../etc/passwd"),
    *("/etc/passwd", ":include:/etc/passwd", "a\\b", "a,b", "a:b", "a b", "a\u202eb", "a\u200bb"),
    *("\x1b[31mred", "\u0430lice", "x" * 20_000, "", " ", ".", "..", "a..b", "@", "a@b@c", "[::1]"),
]
# names of aliases that the mail standards allow, however odd they look (RFC 5322, 3.2.3)
ODD_NAMES = ["a&b", "~root", "a.b", "a-b", "_a", "UPPER", "007"]


@pytest.fixture(scope="module")
def program(prepared: Prepared) -> Iterator[Program]:
    net = prepared.internet.network
    with Host(prepared.ready("trixie"), net=net) as host:
        prepared.internet.register(host, FQDN)
        host.put(answers(host), ANSWERS)
        yield Program(host)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (GOOD + 'sender = "x"', ["aliases.sender: there is no such key; did you mean 'senders'?"]),
        (GOOD + '[postfx]\ndomains = ["x.org"]', ["postfx: there is no such step", "'postfix'?"]),
        ('fqdn = "mail.example.org"', ["fqdn: stands outside of a table", "[hostname]"]),
        ("hostname = 3", ["hostname: must be a table: a line [hostname]"]),
        (GOOD + "[postfix]\ndomains = 3", ["postfix.domains: "]),
        (GOOD + '[postfix]\nmessage_size = "big"', ["postfix.message_size: 'big'"]),
        (GOOD + "[postfix]\nmessage_size = 1000", ["postfix.message_size: "]),
        (GOOD + "[postfix]\nenabled = false", ["postfix.enabled: this step cannot be left out"]),
        (GOOD + '[postfix]\nnetworks = ["0.0.0.0/0"]', ["postfix.networks: ", "everybody could"]),
        (GOOD + '[postfix]\nnetworks = ["8.8.8.0/24"]', ["postfix.networks: ", "hosts of others"]),
        (GOOD + '[postfix]\ndomains = ["localhost"]', ["postfix.domains: 'localhost'"]),
        (GOOD.replace(FQDN, "mail"), ["hostname.fqdn: 'mail' has only one label"]),
        (GOOD.replace(FQDN, "192.0.2.1"), ["hostname.fqdn: '192.0.2.1' is an IP address"]),
        (GOOD.replace(FQDN, "mail_1.example.org"), ["hostname.fqdn: ", "contains '_'"]),
        (GOOD.replace('address6 = ""', 'address6 = "192.0.2.1"'), ["hostname.address6: ", "IPv4"]),
        (GOOD.replace('address6 = ""', 'address = "127.0.0.1"'), ["hostname.address: 127.0.0.1"]),
        (GOOD.replace("alice", "mallory"), ["aliases.root: there is no login 'mallory'", "alice"]),
        (GOOD + 'aliases = { a = "nobody-here" }', ["aliases.aliases: a leads to 'nobody-here'"]),
        (GOOD + 'aliases = { a = "b", b = "a" }', ["aliases.aliases: a leads back to itself"]),
        (GOOD + 'aliases = { a = "|id" }', ["aliases.aliases: ", "would run a program"]),
        (GOOD + 'aliases = { a = "/etc/x" }', ["aliases.aliases: ", "append mail to a file"]),
        (GOOD + 'aliases = { a = ":include:/x" }', ["aliases.aliases: ", "edits that file"]),
        (GOOD + 'senders = { mallory = "a@b.org" }', ["aliases.senders: there is no login"]),
        (GOOD + 'senders = { alice = "a@b@c.org" }', ["aliases.senders: ", "two @"]),
        (
            GOOD + f'senders = {{ alice = "bob@{DOMAIN}" }}',
            ["aliases.senders: mail to 'bob' goes one way", "bob = bob, alice"],
        ),
        (GOOD.replace("alice", "root"), ["aliases.root: root's mail needs a person", "alice"]),
        (
            GOOD + '[dovecot]\nprotocols = ["imaps"]',
            ["protocols: 'imaps'", "did you mean 'imap'?"],
        ),
        (GOOD + '[dovecot]\nusers = ["carol"]', ["dovecot.users: ", "a table is right: login = "]),
        (GOOD + USER.format('"a secret"'), ["dovecot.users: password: a secret never stands in"]),
        (
            GOOD + USER.format('{ env = "A B" }'),
            ["users: password: 'A B' contains a blank"],
        ),
        (GOOD + '[certificates]\nsource = "self"', ["certificates.source: 'self'", '"acme"']),
        (GOOD + '[certificates]\nnames = ["mail"]', ["certificates.names: 'mail' has only one"]),
        (GOOD + '[certificates]\nsource = "files"', ["certificates.chain: is needed", "key: is"]),
        (GOOD + "[submission]\nports = [25]", ["submission.ports: '25'", "465 or 587 is right"]),
        (GOOD + "[submission]\nports = []", ["submission.ports: the list is too short"]),
        (GOOD + '[submission]\nsender_login_match = "no"', ["true or false without quotes"]),
        (GOOD + "[relay]\nenabled = true", ["relay.host: is needed", "leave the step out"]),
        (GOOD + '[relay]\nhost = "a.test"\npassword = "x"', ["relay.password: a secret never"]),
        (GOOD + '[relay]\nhost = "a.test"\nusername = "u"', ["relay.password: is needed for"]),
        (GOOD + '[protection]\nheader_checks = ["REJECT"]', ["protection.header_checks: "]),
        (GOOD + '[protection]\nheader_checks = ["/(/ REJECT"]', ["'/(/ REJECT': "]),
        (GOOD + '[protection]\nblocklists = ["zen"]', ["protection.blocklists: 'zen' has only"]),
        ("\ufeff" + GOOD, ["begins with a byte order mark", "UTF-8 without BOM"]),
        (GOOD + GOOD, ["line 6", "may stand only once"]),
        (GOOD + "x y", ["line 6", 'A line is: key = "value"']),
        (GOOD.replace(f'"{FQDN}"', FQDN), ["line 2", "A text stands in quotes"]),
        ("", ["hostname.fqdn: no answer was given", '[hostname], for example: fqdn = "mail.ex']),
    ],
)
def test_wrong_answers_name_the_key(program: Program, text: str, said: list[str]) -> None:
    program.host.put(text, HERE)
    with untouched(program.host, "/etc", STATE):
        helps(program.apply(answers=HERE), 2, *said)


def test_binary_files_and_huge_ones_are_refused(program: Program) -> None:
    with untouched(program.host, "/etc", STATE):
        program.host.put(GOOD.encode() + b"\xff", HERE)
        helps(program.apply(answers=HERE), 2, "line 6 is not UTF-8 text")
        helps(program.apply(answers="/dev/zero"), 2, "is not a plain file")
        program.host.put("#" * 2_000_000, HERE)
        helps(program.apply(answers=HERE), 2, "larger than 1 MiB")
        program.host.run(["mkfifo", "/run/fifo"])
        helps(program.apply(answers="/run/fifo", timeout=10), 2, "is not a plain file")


def everywhere(value: str) -> str:
    """Write one value into every field that there is; JSON's strings are TOML's, but for DEL."""
    text = json.dumps(value)
    secret = f"{{ file = {text} }}"
    return (
        f"[hostname]\nfqdn = {text}\naddress = {text}\naddress6 = {text}\n"
        f"[postfix]\ndomains = [{text}]\nnetworks = [{text}]\nmessage_size = {text}\n"
        f"[aliases]\nroot = {text}\naliases = {{ {text} = {text} }}\n"
        f"senders = {{ alice = {text} }}\n"
        f"[dovecot]\nprotocols = [{text}]\nusers = [{{ login = {text}, password = {secret} }}]\n"
        f"[certificates]\nsource = {text}\nnames = [{text}]\ndirectory = {text}\n"
        f"staging = {text}\nemail = {text}\nwebroot = {text}\nchain = {text}\nkey = {text}\n"
        f"[submission]\nports = [{text}]\nsender_login_match = {text}\n"
        f"[relay]\nhost = {text}\nusername = {text}\npassword = {secret}\n"
        f"senders = {{ {text} = {{ host = {text}, username = {text}, password = {secret} }} }}\n"
        f"[protection]\nresolver = {text}\nblocklists = [{text}]\ngreylist = {text}\n"
        f"header_checks = [{text}]\nhelo_checks = {text}\nwatch_first = {text}\n"
        f"[amavis]\nspam = {text}\nvirus = {text}\nunscanned = {text}\n"
        f"[authentication]\nselector = {text}\nsigner = {text}\nspf_policy = {text}\n"
        f"dmarc_policy = {text}\ndmarc_reports = {text}\n[opendmarc]\nreject = {text}\n"
        f"[firewall]\nservices = [{text}]\nlan = [{text}]\n"
    )


KEYS = {f"{step.id}.{question.name}" for step in STEPS for question in step.questions}
# a relay's user name is whatever the provider writes; none does any harm (test_relay_answers.py)
FREE = "relay.username"
# What of it is right where it stands. Whether there is a login a..b, only the host could tell.
HARMLESS = {
    "": {
        *("hostname.address", "hostname.address6", "relay.host", "certificates.email"),
        "authentication.dmarc_reports",
        *(f"certificates.{name}" for name in ("staging", "webroot", "chain", "key")),
    },
    "/etc/passwd": {
        *(f"certificates.{name}" for name in ("webroot", "chain", "key")),
        "relay.password",
    },
    "[::1]": {"postfix.networks", "firewall.lan"},
    "a..b": {"aliases.root"},
    "a&b": {"aliases.aliases"},
    "~root": {"aliases.aliases"},
}
# one process for all files: each is still read, checked and refused by the whole program
PLAN_ALL = """
import contextlib, io, json, sys
from mailwizard.cli import main
heard = []
for number in range(int(sys.argv[1])):
    with contextlib.redirect_stderr(io.StringIO()) as said:
        code = main(["plan", "-a", f"/run/hostile/{number}.toml"])
    heard.append([code, said.getvalue()])
print(json.dumps(heard))
"""


def test_hostile_answers_are_refused_in_every_field(program: Program) -> None:
    taken: dict[str, set[str]] = {}
    with untouched(program.host, "/etc", STATE, "/root"):
        folder = Path(f"{program.host.root}/var/tmp")
        for number, value in enumerate(HOSTILE):
            folder.joinpath(f"{number}.toml").write_text(everywhere(value), encoding="utf-8")
        argv = f"ln -s /var/tmp /run/hostile; {PYTHON} - {len(HOSTILE)}"
        heard = json.loads(program.host.run(argv, input=PLAN_ALL).stdout)
    for value, (code, said) in zip(HOSTILE, heard, strict=True):
        assert code == 2, value
        assert not {"\x1b", "\u202e", "\u200b", "\r", "\0"} & set(said), said
        assert max(map(len, said.splitlines())) < 400
        refused = {line.split(": ")[0] for line in said.removeprefix("mailwizard: ").splitlines()}
        if left := KEYS - refused - {FREE}:
            taken[value] = left
    assert taken == HARMLESS, taken


@pytest.mark.parametrize("suite", images.SUITES)
def test_odd_names_arrive_as_they_were_given(prepared: Prepared, suite: str) -> None:
    with prepared.ready_host(suite) as host:
        odd = "".join(f"{json.dumps(name)} = 'bob'\n" for name in ODD_NAMES)
        sender = "a~b&c_d+e@b\u00fccher.example.test"
        senders = f"[aliases.senders]\nalice = '{sender}'\n"
        host.put(f"{GOOD}[aliases.aliases]\n{odd}{senders}{UNSCANNED}", HERE)
        done = Program(host).apply(answers=HERE, timeout=200)
        assert done.status == 0, done.stdout[-3000:] + done.stderr
        for name in ODD_NAMES:
            found = host.run(["postalias", "-q", name.lower(), "/etc/aliases"]).stdout
            assert found == "bob\n", name
            host.run(["sendmail", name], input=f"Subject: for {name}.\n\nhello\n", user="alice")
        for name in ODD_NAMES:
            message = arrives(host, "bob", f"Subject: for {name}.")
            assert "a~b&c_d+e@xn--bcher-kva.example.test" in message
        canonical = ["postmap", "-q", "alice", "/etc/postfix/sender_canonical"]
        assert host.run(canonical).stdout == "a~b&c_d+e@xn--bcher-kva.example.test\n"
