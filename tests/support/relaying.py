"""What a stranger tries with a server that may be an open relay (SMTP-06), from another host."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from lab.host import Host
from lab.internet import Internet
from support.applied import DOMAIN, FQDN

VICTIM = "victim@other.test"
AT_ONCE = 6


def tries(address: str) -> list[tuple[str, str]]:
    """Name every pair of nmap's smtp-open-relay, and senders of the host's own domain."""
    literal = f"[IPv6:{address}]" if ":" in address else f"[{address}]"
    away, name = VICTIM, "victim%other.test"
    inside = f"antispam@{literal}"
    pairs = [("", away), ("antispam@other.test", away), (f"antispam@{FQDN}", away), (inside, away)]
    recipients = [
        *(f"{name}@{literal}", f"{name}@{FQDN}", f'"{away}"', f'"{name}"'),
        *(f"{away}@{literal}", f'"{away}"@{literal}', f"{away}@{FQDN}"),
        *(f"@{literal}:{away}", f"@{FQDN}:{away}"),
        *("other.test!victim", f"other.test!victim@{literal}", f"other.test!victim@{FQDN}"),
    ]
    pairs += [(inside, recipient) for recipient in recipients]
    return [*pairs, (f"alice@{DOMAIN}", away), (f"postmaster@{DOMAIN}", away)]


def answers_to(
    internet: Internet, address: str, pairs: list[tuple[str, str]], port: int = 25
) -> list[str]:
    """Try to relay from the foreign host; give the answer to each RCPT."""
    steps: list[str | bytes] = ["EHLO mx.foreign.test"]
    for sender, recipient in pairs:
        steps += ["RSET", f"MAIL FROM:<{sender}>", f"RCPT TO:<{recipient}>"]
    heard = internet.foreign.dialogue(address, port, steps)
    assert len(heard) == len(steps) + 1, heard
    return heard[4::3]


def taken(internet: Internet, host: Host, ports: tuple[int, ...] = (25,)) -> list[str]:
    """Everything that the host does not refuse for good, in both address families."""
    tried = [
        (address, port, tries(address)[start : start + AT_ONCE])
        for address in (host.address, host.address6)
        for port in ports
        for start in range(0, len(tries(address)), AT_ONCE)
    ]
    with ThreadPoolExecutor(2 * AT_ONCE) as pool:
        heard = list(pool.map(lambda each: answers_to(internet, each[0], each[2], each[1]), tried))
    return [
        f"[{address}]:{port} {pair}: {answer}"
        for (address, port, pairs), answers in zip(tried, heard, strict=True)
        for pair, answer in zip(pairs, answers, strict=True)
        if not answer.startswith("5")
    ]
