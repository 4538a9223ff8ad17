"""The small internet of the lab answers as the real one does, and as a test tells it to."""

from ipaddress import ip_address

import pytest
from lab.fixtures import FreshHost
from lab.internet import Internet

MESSAGE = "Subject: a test\r\n\r\nfirst\r\n.dot\r\n"


def test_all_hosts_come_up_and_have_their_names(internet: Internet) -> None:
    internet.start_all()
    for mailhost in (internet.foreign, internet.other, internet.relay):
        assert mailhost.host.state() == "running"
        reverse = ip_address(mailhost.address6).reverse_pointer
        assert internet.dns.ask(reverse, "PTR") == [f"{mailhost.name}."]


def test_names_change_while_the_server_runs(internet: Internet, fresh_host: FreshHost) -> None:
    host = fresh_host()
    internet.register(host, "mail.example.test", mx="example.test")
    assert internet.dns.ask("example.test", "MX") == ["10 mail.example.test."]
    assert host.address6 in host.run("getent ahosts mail.example.test").stdout
    found = host.run(["getent", "hosts", host.address]).stdout.split()
    assert found == [host.address, "mail.example.test"]
    long = "v=DKIM1; p=" + "A" * 400
    internet.dns.set("s._domainkey.example.test", "TXT", long)
    answer = internet.dns.ask("s._domainkey.example.test", "TXT")
    assert answer[0].replace('" "', "").strip('"') == long
    internet.dns.remove("example.test", "MX")
    assert internet.dns.ask("example.test", "MX") == []


def test_names_of_the_outside_world_resolve(internet: Internet, fresh_host: FreshHost) -> None:
    host = fresh_host()
    update = "apt-get update -q -o Acquire::Retries=0 -o APT::Update::Error-Mode=any"
    # the world outside is not the lab's: an answer that is lost there is asked for again
    host.run(f"{update} || {{ sleep 5; {update}; }} || {{ sleep 20; {update}; }}", timeout=200)


def test_any_name_can_be_made_to_fail(internet: Internet, fresh_host: FreshHost) -> None:
    host = internet.dns.host
    for name in ("strict.test", "deep.foreign.test"):
        internet.dns.servfail(name)
        answer = host.run(["dig", f"@{internet.dns.address}", name, "TXT"]).stdout
        assert "status: SERVFAIL" in answer
    internet.dns.heal()
    assert internet.dns.ask("strict.test", "TXT") == ['"v=spf1 -all"']
    internet.dns.stop()
    try:
        assert not fresh_host().run("getent hosts mx.foreign.test", check=False).ok
    finally:
        internet.dns.start()
    assert internet.dns.ask("strict.test", "TXT") == ['"v=spf1 -all"']


def test_questions_to_public_resolvers_are_answered_by_the_lab(internet: Internet) -> None:
    host = internet.other.host
    asked = "dig +short +time=3 +tries=1 @8.8.8.8 strict.test TXT"
    assert host.run(asked).stdout == '"v=spf1 -all"\n'


@pytest.mark.parametrize("family", ["address", "address6"])
@pytest.mark.parametrize("tls", [False, True])
def test_mail_travels(internet: Internet, family: str, tls: bool) -> None:
    internet.other.clear()
    to = getattr(internet.other, family)
    sent = internet.foreign.send("a@foreign.test", "b@other.test", MESSAGE, to=to, tls=tls)
    assert sent.ok, sent.answers
    got = internet.other.wait_for()
    assert got["Subject"] == "a test"
    assert got.get_payload() == "first\n.dot\n"
    assert f"[{'IPv6:' if ':' in to else ''}{getattr(internet.foreign, family)}]" in got["Received"]
    assert ("TLS" in got["Received"]) == tls


def test_mail_is_refused_as_agreed(internet: Internet) -> None:
    codes = {"refused": 550, "later": 450}
    for name, code in codes.items():
        to = internet.other.address
        sent = internet.foreign.send("a@foreign.test", f"{name}@other.test", MESSAGE, to=to)
        assert sent.code == code
        assert not sent.ok
    to = internet.other.address
    assert internet.foreign.send("a@foreign.test", "x@strict.test", MESSAGE, to=to).code == 554


def test_each_foreign_address_is_what_it_is_called(internet: Internet) -> None:
    foreign, dns = internet.foreign, internet.dns
    listed = ".".join(reversed(foreign.blocklisted_address.split(".")))
    assert dns.ask(f"{listed}.zen.spamhaus.org", "A") == ["127.0.0.2"]
    spf = dns.ask("foreign.test", "TXT")[0]
    assert f"ip4:{foreign.address} " in spf
    assert f"ip4:{foreign.outside_spf_address} " not in spf
    source = foreign.outside_spf_address
    internet.other.clear()
    foreign.send("a@foreign.test", "b@other.test", MESSAGE, to=internet.other.host, source=source)
    assert source in internet.other.wait_for()["Received"]


def test_the_relay_takes_mail_from_its_customer_only(
    internet: Internet, fresh_host: FreshHost
) -> None:
    relay = internet.relay
    steps = ["EHLO x", "STARTTLS", "EHLO x", "MAIL FROM:<a@foreign.test>"]
    steps += ["RCPT TO:<b@other.test>"]
    assert internet.foreign.dialogue(relay.address, 587, steps)[-1].startswith("554")
    offered = internet.foreign.dialogue(relay.address6, 465, ["EHLO x"], tls=True)[-1]
    assert "250-AUTH PLAIN LOGIN" in offered
    host = fresh_host()
    internet.trust(host)
    internet.other.clear()
    done = internet.foreign.submit(relay, "a@foreign.test", "b@other.test", MESSAGE)
    assert done.ok, done.answers
    assert internet.other.wait_for()["Subject"] == "a test"
    assert relay.wait_for()["Subject"] == "a test"


def test_the_authority_gives_certificates(internet: Internet, fresh_host: FreshHost) -> None:
    host = fresh_host()
    internet.register(host, "mail.example.test")
    internet.trust(host)
    host.run("apt-get update && apt-get install -y --no-install-recommends certbot", timeout=300)
    bundle = {"REQUESTS_CA_BUNDLE": "/etc/ssl/certs/ca-certificates.crt"}
    argv = [
        "certbot",
        "certonly",
        "--standalone",
        "-n",
        "--agree-tos",
        "-m",
        "a@example.test",
        "--server",
    ]
    host.run([*argv, internet.acme.directory, "-d", "mail.example.test"], env=bundle)
    chain = host.get("/etc/letsencrypt/live/mail.example.test/chain.pem")
    assert chain.startswith(b"-----BEGIN CERTIFICATE")
    assert internet.acme.root().startswith(b"-----BEGIN CERTIFICATE")
