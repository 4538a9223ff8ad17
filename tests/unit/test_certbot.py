"""What certbot(1) says, in our words; and what is taken away when its certificate is given up."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from support import programs
from support.recorded import RecordedHost, Written
from support.toys import ToyHost

from mailwizard import certbot
from mailwizard.changes import AcmeCertificate
from mailwizard.errors import ProofFailed
from mailwizard.model import Completed, Host, Look
from mailwizard.probes.certificate import inspect
from mailwizard.subjects import AcmeLineage, acme

DIRECTORY = "https://acme.example.org/directory"
FORUM = "\nAsk for help or search for solutions at https://community.letsencrypt.org. See the log"
PROBLEM = """\
Certbot failed to authenticate some domains (authenticator: standalone). The Certificate \
Authority reported these problems:
  Domain: {name}
  Type:   {kind}
  Detail: {detail}

Hint: The Certificate Authority failed to download the challenge files.

Some challenges have failed."""
POOL = """\
An unexpected error occurred:
requests.exceptions.{}: HTTPSConnectionPool(host='acme.example.org', port=443): """
# as certbot 2.1 and 4.0 said it
SAID: dict[str, tuple[str, str, bool]] = {
    PROBLEM.format(
        name="mail.example.org",
        kind="connection",
        detail="198.51.100.7: Fetching http://mail.example.org/.well-known/acme-challenge/x: "
        "Timeout during connect (likely firewall problem)",
    ): (
        "on port 80 (198.51.100.7: Timeout during connect (likely firewall problem))",
        "In the DNS mail.example.org leads to 198.18.0.10.",
        True,
    ),
    PROBLEM.format(
        name="mail.example.org",
        kind="connection",
        detail='Get "http://mail.example.org:80/.well-known/acme-challenge/x": dial tcp '
        "[fd00::1]:80: connect: connection refused",
    ): ("(dial tcp [fd00::1]:80: connect: connection refused)", "port 80", True),
    PROBLEM.format(
        name="no.example.org", kind="dns", detail="DNS problem: NXDOMAIN looking up A"
    ): (
        "finds no address of no.example.org in the DNS (DNS problem: NXDOMAIN looking up A)",
        "In the DNS no.example.org leads to no address.",
        True,
    ),
    PROBLEM.format(name="mail.example.org", kind="unauthorized", detail="198.51.100.7: 404"): (
        "another server answers on port 80 of mail.example.org",
        "`mailwizard dns`",
        True,
    ),
    PROBLEM.format(name="odd.example.org", kind="caa", detail="CAA record prevents issuance"): (
        "the DNS forbids this authority to certify odd.example.org (CAA record)",
        "This host's resolver does not say where odd.example.org leads.",
        True,
    ),
    "Could not bind TCP port 80 because it is already in use by another process": (
        "port 80 is held by another program",
        "`webroot`",
        False,
    ),
    "Another instance of Certbot is already running.": ("at work already", "Wait", False),
    "An unexpected error occurred:\nacme.messages.Error: urn:ietf:params:acme:error:rateLimited :: "
    "There were too many requests :: too many certificates already issued for example.org": (
        "the authority wants a pause: acme.messages.Error: urn:ietf:params:acme:error:rateLimited",
        "Wait",
        False,
    ),
    POOL.format("SSLError") + "Max retries exceeded with url: /dir (Caused by SSLError("
    "SSLCertVerificationError(1, '[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed')))": (
        f"{DIRECTORY} cannot prove who it is",
        "update-ca-certificates",
        False,
    ),
    POOL.format("ConnectionError") + "Max retries exceeded with url: /dir (Caused by "
    "NameResolutionError('Failed to resolve'))": (
        f"{DIRECTORY} cannot be reached: its name is not in the DNS",
        f"curl {DIRECTORY}",
        False,
    ),
    "An unexpected error occurred:\nValueError: Requesting acme.example.org/dir: "
    "Connection refused": (f"{DIRECTORY} cannot be reached: connection refused", "curl", False),
    POOL.format("ReadTimeout") + "Read timed out.": (
        f"{DIRECTORY} cannot be reached: no answer in time",
        "curl",
        False,
    ),
    "An unexpected error occurred:\nacme.errors.ClientError: <Response [404]>": (
        "acme.errors.ClientError: <Response [404]>",
        "/var/log/letsencrypt/letsencrypt.log",
        False,
    ),
    "An unexpected error occurred:\nMissing command line flag or config entry for this setting:\n"
    "Please choose an account\nChoices: ['a@2024 (1)', 'b@2025 (2)']\n": (
        "certbot asks \"Please choose an account\" (['a@2024 (1)', 'b@2025 (2)']), and nobody may",
        "the one to be used into /etc/letsencrypt/cli.ini: account = NUMBER",
        False,
    ),
    "Missing command line flag or config entry for this setting:\nWhat would you like to do?\n"
    "Choices: ['keep', 'renew']\n\n(You can set this with the --reinstall flag)\n": (
        'certbot asks "What would you like to do?"',
        "into /etc/letsencrypt/cli.ini (reinstall = …)",
        False,
    ),
    "": ("certbot does not say why", "letsencrypt.log", False),
}


@pytest.mark.parametrize("output", SAID)
def test_a_refusal_is_told_in_a_sentence(output: str, monkeypatch: pytest.MonkeyPatch) -> None:
    look = RecordedHost()
    known = {"mail.example.org": ("198.18.0.10",), "no.example.org": ()}
    monkeypatch.setattr(certbot, "leads_to", lambda _look, name: known.get(name))
    said, fix, judged = SAID[output]
    found = certbot.refusal(look, f"Saving debug log to x\n{output}{FORUM}", DIRECTORY)
    if output:
        assert said in found.said
    assert fix in found.fix
    assert found.judged is judged
    assert "\n" not in found.said
    assert "acme-challenge" not in found.said


UFW = "### tuple ### allow tcp {} 0.0.0.0/0 any 0.0.0.0/0 in\n"
NFT = """\
table inet mailwizard {{
	chain input {{
		type filter hook input priority 0; policy drop;
		tcp dport {{ 25, {} }} accept
	}}
}}
"""
FIREWALLD = "public (active)\n  services: smtp ssh\n  ports: {}/tcp\n"
UNIT = "systemctl show -p UnitFileState,ActiveState firewalld.service"


@pytest.mark.parametrize(("port", "kind", "told"), [
    (443, "connection", True), (80, "connection", False), (443, "dns", False)
])  # fmt: skip
@pytest.mark.parametrize("wall", ["ufw", "nft", "firewalld"])
def test_a_firewall_of_this_host_that_shuts_the_authority_out_is_told(
    wall: str, port: int, kind: str, told: bool
) -> None:
    look = RecordedHost()
    if wall == "ufw":
        look.files["/etc/ufw/ufw.conf"] = Written(b"ENABLED=yes\n")
        look.files["/etc/ufw/user.rules"] = Written(UFW.format(port).encode())
    elif wall == "nft":
        look.answers["nft -s list ruleset"] = Completed((), 0, NFT.format(port))
    else:
        look.answers[UNIT] = Completed((), 0, "ActiveState=active\n")
        look.answers["firewall-cmd --zone=public --list-all"] = Completed(
            (), 0, FIREWALLD.format(port)
        )
    output = PROBLEM.format(name="mail.example.org", kind=kind, detail="timeout")
    found = certbot.refusal(look, output, DIRECTORY)
    assert found.fix.endswith(certbot.OWN_FIREWALL) is told


def test_control_characters_of_the_authority_are_inert() -> None:
    output = PROBLEM.format(name="x", kind="connection", detail="\x1b]52;c;eA==\x07")
    assert "\x1b" not in certbot.refusal(RecordedHost(), output, DIRECTORY).said


def test_the_rehearsal_of_a_renewal_asks_who_gave_the_certificate() -> None:
    assert certbot.rehearsal(DIRECTORY)[-2:] == ["--server", DIRECTORY]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('LISTEN 0 5 0.0.0.0:80 0.0.0.0:* users:(("nginx",pid=7,fd=3))', "nginx"),
        ("LISTEN 0 5 [::]:80 [::]:*", "an unknown program"),
        ('LISTEN 0 5 127.0.0.1:80 0.0.0.0:* users:(("nginx",pid=7,fd=3))', "nginx"),
        ('LISTEN 0 5 *:80 *:* users:(("certbot",pid=7,fd=3))', ""),
        ('LISTEN 0 5 0.0.0.0:8080 0.0.0.0:* users:(("nginx",pid=7,fd=3))', ""),
    ],
)
def test_who_holds_port_80(line: str, said: str) -> None:
    look = RecordedHost()
    look.answers["ss -Hltnp"] = Completed(("ss",), 0, f"{line}\n")
    assert certbot.who_holds_port_80(look) == said
    change = AcmeCertificate(("mail.example.org",), DIRECTORY, "")
    if said:
        with pytest.raises(ProofFailed, match=f"port 80 is held by {said}"):
            change.apply(look)
        assert look.ran == []


@pytest.mark.parametrize(
    ("own", "public", "asked"),
    [((), (), False), ((), None, False), ((), ("192.0.2.7",), True), (None, (), True)],
)
def test_no_authority_is_asked_for_a_name_that_has_no_address(
    own: tuple[str, ...] | None,
    public: tuple[str, ...] | None,
    asked: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def leads_to(_look: Look, name: str, *, public: bool = False) -> tuple[str, ...] | None:
        return ("192.0.2.7",) if name == "mail.example.org" else seen[public]

    seen = {False: own, True: public}
    monkeypatch.setattr(certbot, "leads_to", leads_to)
    look = RecordedHost(programs={**programs.EVERYWHERE})
    change = AcmeCertificate(("mail.example.org", "imap.example.org"), DIRECTORY, "")
    if asked:
        change.apply(look)
    else:
        with pytest.raises(ProofFailed, match=r"no address in the DNS for imap\.example\.org$"):
            change.apply(look)
    assert bool(look.ran) is asked


@pytest.mark.parametrize(
    ("given", "changed", "due"),
    [
        ({}, {}, False),
        ({}, {"directory": "https://other.example/dir"}, True),
        ({}, {"webroot": "/srv/web"}, True),
        ({"webroot": "/srv/web"}, {}, False),
        ({"webroot": "/srv/web"}, {"webroot": "/srv/other"}, True),
        ({"webroot": "/srv/web"}, {"webroot": ""}, True),
        ({}, {"names": ("mail.example.org", "imap.example.org")}, True),
        ({"names": ("mail.example.org", "imap.example.org")}, {"names": ("b.example",)}, True),
    ],
)
def test_a_certificate_for_others_or_renewed_otherwise_is_got_anew(
    given: dict[str, Any], changed: dict[str, Any], due: bool
) -> None:
    look = RecordedHost(programs={**programs.EVERYWHERE})
    change = replace(AcmeCertificate(("mail.example.org",), DIRECTORY, ""), **given)
    assert change.needed(look)
    change.apply(look)
    assert replace(change, **changed).needed(look) is due


@pytest.mark.parametrize(
    ("days", "left", "due"),
    [(90, 60, False), (90, 8, False), (90, 6, True), (6, 5, False), (6, 1, True), (1, 0.9, False)],
)
def test_short_lived_certificates_are_not_got_again_and_again(
    days: float, left: float, due: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    look = RecordedHost(programs={**programs.EVERYWHERE})
    change = AcmeCertificate(("mail.example.org",), DIRECTORY, "")
    change.apply(look)
    end = time.time() + left * 86400
    facts = replace(inspect(look, f"{certbot.LIVE}/fullchain.pem"), ends=end)
    facts = replace(facts, begins=end - days * 86400)
    monkeypatch.setattr("mailwizard.probes.certificate.inspect", lambda *_: facts)
    assert change.needed(look) is due


class WithCertbot(ToyHost):
    """certbot deletes as it does: the certificate goes, the folders and the account stay."""

    folder = Path()

    def run(self, argv: Sequence[str], **options: object) -> Completed:
        assert argv[:2] == ["certbot", "delete"]
        self.ran.append(tuple(argv))
        for path in self.folder.glob(f"*/{argv[-1]}*"):
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink()
        return Completed(tuple(argv), 0)


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> WithCertbot:
    monkeypatch.setattr(acme, "FOLDER", str(tmp_path / "le"))
    own = tuple(f"{tmp_path}/le/{name}" for name in ("accounts/", "csr/", "live/README"))
    monkeypatch.setattr(acme, "_ITS_OWN", own)
    made = WithCertbot(tmp_path)
    made.folder = tmp_path / "le"
    put(made.folder, {"cli.ini": ""})
    return made


def put(folder: Path, files: Mapping[str, str]) -> None:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)


def there(host: WithCertbot) -> set[str]:
    return {str(path.relative_to(host.folder)) for path in host.folder.rglob("*")}


OURS = {
    **dict.fromkeys(("live/mailwizard/cert.pem", "archive/mailwizard/cert1.pem"), "x"),
    **dict.fromkeys(("renewal/mailwizard.conf", "live/README", "csr/0000_csr.pem"), "x"),
    "accounts/acme.example.org/directory/4711/private_key.json": "x",
}


def test_undo_takes_away_what_certbot_made_and_nobody_elses_file(host: WithCertbot) -> None:
    subject = AcmeLineage("mailwizard")
    before = subject.capture(host)
    put(host.folder, OURS | {"renewal-hooks/deploy/mine": "by hand"})
    after = subject.capture(host)
    assert subject.parts(before) != subject.parts(after)
    restore(subject, host, before, after)
    kept = {"cli.ini", "renewal-hooks", "renewal-hooks/deploy", "renewal-hooks/deploy/mine"}
    assert there(host) == kept
    restore(subject, host, before, None)
    assert there(host) == kept
    assert len(host.ran) == 1


def test_other_certificates_keep_their_account(host: WithCertbot) -> None:
    subject = AcmeLineage("mailwizard")
    before = subject.capture(host)
    put(host.folder, OURS | {"renewal/web.conf": "x", "live/web/cert.pem": "x"})
    restore(subject, host, before, None)
    assert {"live/web/cert.pem", "renewal/web.conf", "live/README"} <= there(host)
    assert any("private_key" in name for name in there(host))
    assert not any("mailwizard" in name for name in there(host))


def test_one_that_was_there_before_stays(host: WithCertbot) -> None:
    put(host.folder, OURS)
    subject = AcmeLineage("mailwizard")
    before, files = subject.capture(host), there(host)
    # what certbot leaves of an authority that it could not reach
    (host.folder / "accounts/away.example.org/directory").mkdir(parents=True)
    restore(subject, host, before, before)
    assert (there(host), host.ran) == (files, [])


def restore(
    subject: AcmeLineage, host: Host, before: dict[str, object], after: dict[str, object] | None
) -> None:
    subject.restore(host, before, after)


@pytest.mark.parametrize(("status", "told"), [(403, True), (401, True), (404, False), (0, False)])
@pytest.mark.parametrize("here", [True, False])
def test_our_own_web_server_is_asked_before_a_stranger_is_blamed(
    status: int, told: bool, here: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(certbot, "own_answer", lambda *_: (status, "nginx (package nginx-light)"))
    look = RecordedHost()
    leads = "198.18.0.10 STREAM mail.example.org\n"
    look.answers["getent ahosts mail.example.org"] = Completed((), 0, leads)
    links = [{"ifname": "eth0", "addr_info": [{"local": "198.18.0.10" if here else "198.18.0.9"}]}]
    look.answers["ip -j addr show scope global"] = Completed((), 0, json.dumps(links))
    said = PROBLEM.format(name="mail.example.org", kind="unauthorized", detail="198.51.100.7: 403")
    found = certbot.refusal(look, said, DIRECTORY)
    own = "from this host's own nginx (package nginx-light) for http://mail.example.org/"
    assert (own in found.said) is (told and here)
    assert ("router" in found.fix) is not (told and here)
