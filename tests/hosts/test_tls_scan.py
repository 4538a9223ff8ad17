"""testssl.sh looks at every port that speaks TLS from another host, and finds nothing of ours."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import pytest
from lab.host import Host
from lab.internet import Internet
from support import laptop as laptops
from support import suites
from support.applied import FQDN, UNFILTERED, Prepared
from support.laptop import Laptop

# protocols, cipher categories, forward secrecy, order, certificate, every known hole
ALL = ("-p", "-s", "-f", "-P", "-S", "-U")
# 25 and 587 have the settings of 465: what may differ there is the protocols that they let in,
# and what they do between STARTTLS and TLS
DIFFERENT = ("-t", "smtp", "-p", "-P", "-S", "--SI")
PORTS = {465: ALL, 993: ALL, 25: DIFFERENT, 587: DIFFERENT}
QUIET = ("--quiet", "--color", "0", "--warnings", "off", "--ip", "one", "--nodns", "min")
# Each finding that is left, and why it is no fault of this server.
LEFT = {
    "cert_extlifeSpan": "398 days is a rule for public authorities (CA/B Baseline Requirements "
    "6.3.2); mail programs take 825 days of a private one",
    "cert_revocation": "a private authority of one server has nobody to ask: who does not trust "
    "it any more takes it out of the mail program",
    "engine_problem": "about the scanning host's own OpenSSL: it has no GOST",
    "sessionresumption_ID": "testssl.sh gives up on this check of its own where the answer is late",
    "sessionresumption_ticket": "testssl.sh hangs up before TLS 1.3 sends its tickets (s_client at "
    "the end of its input), so that it has none to come back with",
}
# What shows that the scan took place, and what it must say.
ASKED = {
    **dict.fromkeys(("SSLv2", "SSLv3", "TLS1", "TLS1_1"), "not offered"),
    "TLS1_2": "offered",
    "TLS1_3": "offered with final",
    "cert_chain_of_trust": "passed.",
    "cert_trust": "Ok via SAN",
}
ASKED_OF_ALL = {
    "FS": "offered",
    "cipherlist_OBSOLETED": "not offered",
    "cipherlist_STRONG_FS": "offered",
    **dict.fromkeys(("heartbleed", "CCS", "LUCKY13", "FREAK", "SWEET32"), "not vulnerable"),
    "secure_renego": "supported",
}
suite = suites.one_host_each("clients")


@dataclass(frozen=True)
class Scan:
    """What testssl.sh wrote down about one port."""

    findings: list[dict[str, str]]
    seconds: float

    @property
    def bad(self) -> dict[str, str]:
        """Everything that is neither right nor a plain fact, what could not be asked included."""
        rest = (one for one in self.findings if one["severity"] not in {"OK", "INFO"})
        return {one["id"]: f"{one['severity']}: {one['finding']}" for one in rest}

    def said(self, name: str) -> str:
        return next((one["finding"] for one in self.findings if one["id"] == name), "(not asked)")


@pytest.fixture(scope="module")
def server(prepared: Prepared, suite: str) -> Iterator[Host]:
    """Give a host with every step applied."""
    with prepared.applied_host(suite, UNFILTERED) as host:
        yield host


@pytest.fixture(scope="module")
def laptop(internet: Internet, server: Host) -> Iterator[Laptop]:
    """Give a host to scan from, which trusts the server's authority."""
    with Host(laptops.layer(internet), net=internet.network, hostname="laptop") as host:
        made = Laptop(host)
        made.trust(server)
        yield made


@pytest.fixture(scope="module")
def scans(laptop: Laptop, suite: str) -> dict[int, Scan]:
    """Scan all ports; side by side, because testssl.sh spends half of its time waiting."""
    begun = time.monotonic()
    with ThreadPoolExecutor(2) as pool:
        found = dict(zip(PORTS, pool.map(lambda port: scan(laptop, port), PORTS), strict=True))
    each = ", ".join(f"{port}: {one.seconds:.0f} s" for port, one in found.items())
    print(f"\n{suite}: {time.monotonic() - begun:.0f} s for testssl.sh ({each})")
    return found


def scan(laptop: Laptop, port: int, options: tuple[str, ...] = ()) -> Scan:
    begun, report = time.monotonic(), f"/root/{port}.json"
    where = ["--add-ca", laptops.IMPORTED, "--jsonfile", report, "--overwrite"]
    argv = ["testssl", *QUIET, *where, *(options or PORTS[port]), f"{FQDN}:{port}"]
    # its status is the number of findings
    laptop.host.run(argv, check=False, timeout=900)
    return Scan(json.loads(laptop.host.get(report)), time.monotonic() - begun)


@pytest.mark.parametrize("port", PORTS)
def test_nothing_is_found_that_is_ours(scans: dict[int, Scan], port: int) -> None:
    found = scans[port]
    assert {name: said for name, said in found.bad.items() if name not in LEFT} == {}
    for name, said in (ASKED | (ASKED_OF_ALL if PORTS[port] is ALL else {})).items():
        assert said in found.said(name), f"{name}: {found.said(name)}"
    if port != 993 and PORTS[port] is DIFFERENT:
        assert "not vulnerable" in found.said("starttls_injection")


def test_every_finding_that_is_left_is_still_found(scans: dict[int, Scan]) -> None:
    found = {name for one in scans.values() for name in one.bad}
    # these depend on who is faster
    assert set(LEFT) - found <= {"sessionresumption_ID", "sessionresumption_ticket"}


def test_the_scan_sees_a_weak_server(server: Host, laptop: Laptop) -> None:
    weak = "smtpd_tls_exclude_ciphers= smtpd_tls_ciphers=medium"
    weak += " smtpd_tls_protocols='>=TLSv1' tls_config_name="
    kept = server.get("/etc/postfix/main.cf")
    server.run(f"postconf -e {weak} && postfix reload")
    try:
        found = scan(laptop, 25, ("-t", "smtp", "-s")).bad
    finally:
        server.put(kept, "/etc/postfix/main.cf")
        server.run("postfix reload")
    assert "cipherlist_OBSOLETED" in found, found
