"""certbot(1): its command lines, and what its output means to whoever reads it."""

from __future__ import annotations

import http.client
import re
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mailwizard import firewalld, nftables, sanitise, ufw
from mailwizard.model import Look
from mailwizard.platform import facts
from mailwizard.platform.firewalls import FIREWALLD, UFW, firewall_of
from mailwizard.probes.addresses import on_interfaces
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

CHALLENGES = "/.well-known/acme-challenge"
DOTS = (
    "Many web servers' settings deny all names that begin with a dot. Before that rule, in the "
    "server of {name}: `location ^~ /.well-known/acme-challenge/ {{ allow all; }}` (nginx; read "
    "anew with: systemctl reload nginx); for others their manual says how."
)
# a choice that a person would be asked for (certbot/display/util.py)
_ASKED = re.compile(
    r"Missing command line flag or config entry for this setting:\s*\n(.+?)\s*(?:\n|$)"
    r"(?:Choices: (.+?)\s*(?:\n|$))?\s*(?:\(You can set this with the (\S+) flag\))?"
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


def looks_after(look: Look, path: str) -> bool:
    """Whether a file is one of those that certbot renews, or a link to one."""
    state = look.state(path)
    target = state.target_from(path) if state.kind == "link" else path
    inside = (f"{FOLDER}/live/", f"{FOLDER}/archive/")
    return path.startswith(inside) or target.startswith(inside)


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
    if asked := _ASKED.search(text):
        question, choices, flag = asked.groups()
        return _unanswered(question, choices or "", flag or "", directory)
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


def _unanswered(question: str, choices: str, flag: str, directory: str) -> Refusal:
    """Nobody is there to be asked: where the answer can be written down beforehand."""
    said = f'certbot asks "{question}"{f" ({choices})" * bool(choices)}, and nobody may answer here'
    if "account" in question.lower():
        server = re.sub(r"^https?://", "", directory)
        fix = (
            "Several accounts with this authority are on this host. Their numbers are the names "
            f"in {FOLDER}/accounts/{server}; write the one to be used into {FOLDER}/cli.ini: "
            "account = NUMBER. Then apply again."
        )
    else:
        setting = f"{flag.lstrip('-')} = …" if flag else "the setting that it names"
        fix = f"Write the answer into {FOLDER}/cli.ini ({setting}), then apply again."
    return Refusal(said, fix)


def own_answer(look: Look, name: str) -> tuple[int, str]:
    """What this host's own web server says when asked for a challenge by that name, and who it is.

    404 is right of a file that is not there; 0 where nobody answers.
    """
    connection = http.client.HTTPConnection("127.0.0.1", 80, timeout=5)
    try:
        made_up = f"{CHALLENGES}/{secrets.token_hex(8)}"
        connection.request("GET", made_up, headers={"Host": name})
        return connection.getresponse().status, who_holds_port_80(look)
    except (OSError, http.client.HTTPException):
        return 0, ""
    finally:
        connection.close()


def denied_here(look: Look, name: str) -> Refusal | None:
    """That this host's own web server would not show the authority what it asks for."""
    status, who = own_answer(look, name)
    if status not in (401, 403):
        return None
    said = f"{status} from this host's own {who or 'web server'} for http://{name}{CHALLENGES}/"
    return Refusal(said, DOTS.format(name=name), judged=True)


def _unproved(look: Look, problems: Sequence[tuple[str, str, str]]) -> Refusal:
    said, fix = [], []
    own = set(on_interfaces(look))
    for name, kind, detail in problems:
        # our own side first: who else could change it?
        here = kind == "unauthorized" and own.intersection(facts.resolved(look, name))
        if here and (denied := denied_here(look, name)):
            return denied
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
