"""Runs on a foreign mail host: what a message proves there, by libraries the product has not.

In: the message as it lies in the mailbox. Out, as JSON: the result of each signature (dkimpy), of
SPF (pyspf) for the client that the host's own trace names, and of DMARC, evaluated here (RFC 9989).
"""

import email
import email.utils
import json
import re
import sys
from collections.abc import Iterator
from email.message import Message
from typing import Any

import dkim  # type: ignore[import-not-found]
import spf  # type: ignore[import-not-found]


def get_txt(name: str | bytes, **_: object) -> bytes | None:
    found: bytes | None = dkim.dnsplug.get_txt(name.encode() if isinstance(name, str) else name)
    return found


def record(domain: str) -> dict[str, str] | None:
    text = (get_txt(f"_dmarc.{domain}.") or b"").decode()
    if not text.startswith("v=DMARC1"):
        return None
    parts = (part.partition("=") for part in text.split(";"))
    return {name.strip(): value.strip() for name, equals, value in parts if equals}


def walk(domain: str) -> list[tuple[str, dict[str, str]]]:
    labels = domain.split(".")
    above = [".".join(labels[at:]) for at in range(len(labels))]
    return [(name, tags) for name in above if (tags := record(name))]


def organization(domain: str) -> str:
    found = walk(domain)
    return found[-1][0] if found else domain


def aligned(one: str, author: str, strict: bool) -> bool:
    if strict:
        return one == author
    return organization(one) == organization(author)


def signatures(message: bytes) -> Iterator[tuple[str, bool]]:
    heads = message.partition(b"\r\n\r\n")[0].decode("latin-1")
    fields = re.sub(r"\r\n[ \t]+", " ", heads).split("\r\n")
    own = [field for field in fields if field.lower().startswith("dkim-signature:")]
    for at, field in enumerate(own):
        tags = dict(
            part.split("=", 1) for part in field.partition(":")[2].split(";") if "=" in part
        )
        (domain,) = (value.strip() for name, value in tags.items() if name.strip() == "d")
        try:
            held = dkim.DKIM(message).verify(at, dnsfunc=get_txt)
        except dkim.DKIMException:
            held = False
        yield domain.lower(), bool(held)


def trace(parsed: Message) -> tuple[str, str, str]:
    """Who brought it, under what name, for whom: the foreign host's own first Received."""
    text = " ".join(str(parsed["Received"]).split())
    found = re.match(r"from (\S+) \(\S+ \[(?:IPv6:)?([^\]]+)\]\)", text)
    assert found, text
    return found[1], found[2], (parsed["Return-Path"] or "").strip("<>")


def judged(raw: bytes) -> dict[str, Any]:
    message = raw.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
    parsed = email.message_from_bytes(raw)
    helo, address, sender = trace(parsed)
    signed = list(signatures(message))
    result, why = spf.check2(i=address, s=sender, h=helo)
    author = email.utils.parseaddr(parsed["From"])[1].rpartition("@")[2].lower()
    found = walk(author)
    policy = found[0][1] if found and found[0][0] == author else found[-1][1] if found else None
    mine = {"policy": "", "dmarc": "none"}
    if policy:
        by_dkim = [d for d, ok in signed if ok and aligned(d, author, policy.get("adkim") == "s")]
        from_spf = (sender.rpartition("@")[2] or helo).lower()
        by_spf = result == "pass" and aligned(from_spf, author, policy.get("aspf") == "s")
        mine = {"policy": policy["p"], "dmarc": "pass" if by_dkim or by_spf else "fail"}
    return {"signed": signed, "spf": result, "why": why, "author": author, **mine}


print(json.dumps(judged(sys.stdin.buffer.read())))
