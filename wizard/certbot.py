"""certbot(1): its command lines, and what its output means to whoever reads it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mailwizard import firewalld, nftables, sanitise, ufw
from mailwizard.model import Look
from mailwizard.platform.firewalls import FIREWALLD, UFW, firewall_of
from mailwizard.probes.deadline import CannotAsk

NAME = "mailwizard"
FOLDER = "/etc/letsencrypt"
LIVE = f"{FOLDER}/live/{NAME}"
HOOK = f"{FOLDER}/renewal-hooks/deploy/{NAME}"
SETTINGS = f"{FOLDER}/renewal/{NAME}.conf"
PORT_80 = (
    "Stop that server, or give the folder that it serves as `webroot`: then it answers the "
    "authority, and may go on running."
)

NO_ADDRESS = (
    "Create an A record (AAAA for IPv6) for each, with this host's public address: `mailwizard "
    "dns` shows them. Wait a minute, then try again."
)
OWN_FIREWALL = (
    "This host's own firewall shuts port 80: `mailwizard apply -a ANSWERS firewall` opens it; then "
    "apply again."
)


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why there is no certificate; judged: an authority has looked at this host and said no."""

    said: str
    fix: str
    judged: bool = False


def certonly(
    names: Sequence[str], directory: str, email: str, webroot: str, *more: str
) -> list[str]:
    """Get or replace our certificate; nobody is asked anything."""
    how = ["--webroot", "--webroot-path", webroot] if webroot else ["--standalone"]
    who = ["--email", email, "--no-eff-email"] if email else ["--register-unsafely-without-email"]
    domains = [word for name in names for word in ("--domain", name)]
    return [
        *("certbot", "certonly", "--non-interactive", "--agree-tos"),
        *("--cert-name", NAME, "--server", directory, "--key-type", "ecdsa"),
        *who,
        *how,
        *domains,
        *more,
    ]


def rehearsal(directory: str) -> list[str]:
    """A renewal tried without keeping its result.

    With the directory: certbot would rehearse with Let's Encrypt, whoever gave the certificate.
    """
    renew = ["certbot", "renew", "--cert-name", NAME, "--dry-run", "--no-random-sleep-on-renew"]
    return [*renew, "--server", directory]


def settings(look: Look) -> Mapping[str, str]:
    """What certbot wrote down for the renewal of our certificate."""
    rows = look.read(SETTINGS).decode("utf-8", "replace").splitlines()
    pairs = (row.partition(" = ") for row in rows if not row.startswith("#"))
    return {name.strip(): value.strip().rstrip(",") for name, equals, value in pairs if equals}


def who_holds_port_80(look: Look) -> str:
    """The program that certbot's own server would collide with, and its package; empty if none."""
    from mailwizard.probes.listening import listeners, package_of

    try:
        # on loopback too: nobody else can then listen on all addresses
        found = [one for one in listeners(look) if one.port == 80]
    except CannotAsk:
        return ""
    # certbot itself, while its timer renews a certificate
    found = [one for one in found if not one.held_by(["certbot"])]
    if not found:
        return ""
    package = package_of(look, found[0].pid) if found[0].pid else ""
    return f"{found[0].program or 'an unknown program'}{f' (package {package})' * bool(package)}"


def refusal(look: Look, output: str, directory: str) -> Refusal:
    """What is wrong, in a sentence, and who can do what about it."""
    text = sanitise.clean(output)
    if problems := re.findall(r"Domain: +(\S+)\s+Type: +(\S+)\s+Detail: +([^\n]+)", text):
        return _unproved(look, problems)
    if "Could not bind TCP port 80" in text:
        return Refusal("port 80 is held by another program", PORT_80)
    if "Another instance of Certbot" in text:
        return Refusal("certbot is at work already", "Wait until it has ended, then try again.")
    if "rateLimited" in text:
        return Refusal(f"the authority wants a pause: {_reason(text)}", "Wait, then try again.")
    if "CERTIFICATE_VERIFY_FAILED" in text:
        return Refusal(
            f"{directory} cannot prove who it is: its certificate is of no authority that this "
            "host trusts",
            "For an authority of your own: put its CA certificate into this host's store (on "
            "Debian: into /usr/local/share/ca-certificates, then update-ca-certificates).",
        )
    if re.search(r"ConnectionError|Requesting |Max retries|[Tt]imed? ?out", text):
        return Refusal(
            f"{directory} cannot be reached: {_network(text)}",
            "Is the address right, and can this host reach it? Try: curl " + directory,
        )
    return Refusal(_reason(text), "All of it is in /var/log/letsencrypt/letsencrypt.log.")


def _unproved(look: Look, problems: Sequence[tuple[str, str, str]]) -> Refusal:
    said, fix = [], []
    for name, kind, detail in problems:
        what = {
            "caa": f"the DNS forbids this authority to certify {name} (CAA record)",
            "dns": f"the authority finds no address of {name} in the DNS",
            "connection": f"the authority could not reach {name} on port 80",
            "unauthorized": f"another server answers on port 80 of {name}",
        }.get(kind, f"the authority is not convinced of {name}")
        said.append(f"{what} ({_short(detail)})")
        fix.append(_led(look, name))
    fix.append(
        "Each name must lead to this host in the DNS (see `mailwizard dns`), and port 80 must "
        "reach it from outside: look at firewall and router."
    )
    if any(kind == "connection" for _, kind, _ in problems) and _shut_here(look):
        fix.append(OWN_FIREWALL)
    return Refusal("; ".join(said), " ".join(fix), judged=True)


def leads_to(look: Look, name: str, *, public: bool = False) -> tuple[str, ...] | None:
    """The name's addresses in the DNS, whatever /etc/hosts says; None where nobody answers."""
    # slow to load, and seldom needed
    from mailwizard.probes.dns import resolver_of, upstream_of
    from mailwizard.probes.zones import Where

    try:
        asked = resolver_of(look, Where().public[0]) if public else upstream_of(look)
        return asked.addresses(name)
    except CannotAsk:
        return None


def nameless(look: Look, names: Sequence[str]) -> list[str]:
    """Those that have no address in the DNS, as this host's resolver and a public one see it."""
    # a resolver of a network's own may not know what the world knows
    return [n for n in names if leads_to(look, n) == () and not leads_to(look, n, public=True)]


def _led(look: Look, name: str) -> str:
    found = leads_to(look, name)
    if found is None:
        return f"This host's resolver does not say where {name} leads."
    return f"In the DNS {name} leads to {', '.join(found) or 'no address'}."


def _shut_here(look: Look) -> bool:
    """Whether this host's own firewall shuts port 80, as far as its rules tell."""
    kind = firewall_of(look)
    if kind == UFW:
        return ufw.shuts(look, 80)
    if kind == FIREWALLD:
        return firewalld.shuts(look, 80, "http")
    return nftables.shuts(nftables.listing(look), 80)


def _short(detail: str) -> str:
    """Without the address that was fetched: it is long, and new each time."""
    bare = re.sub(r'(?:Get |Fetching )?"?https?://\S+"?:? *', "", detail).strip(' ":')
    return bare or detail


def _network(text: str) -> str:
    if "NameResolution" in text or "Name or service" in text:
        return "its name is not in the DNS"
    for words in ("Connection refused", "No route to host", "Network is unreachable"):
        if words in text:
            return words.lower()
    return "no answer in time" if re.search(r"[Tt]imed? ?out", text) else _reason(text)


def _reason(text: str) -> str:
    """The line that tells most: the one before certbot's advertisement of its forum."""
    told = [line.strip() for line in text.splitlines()]
    ends = [number for number, line in enumerate(told) if line.startswith("Ask for help")]
    before = [line for line in told[: ends[0] if ends else None] if line and set(line) != {"-"}]
    return before[-1][:300] if before else "certbot does not say why"
