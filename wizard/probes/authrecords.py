"""What the DNS says of our mail, and of the keys that sign it. No answer is not a wrong answer."""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass

from mailwizard.model import Host, Result
from mailwizard.probes.dkimcheck import public_half, tags, twice
from mailwizard.probes.dns import DnsQuestion, Resolver
from mailwizard.probes.verdict import failed, passed, warned

ZONE = "Whoever runs the zone: publish the record that `mailwizard dns` shows."
# RFC 8301 3.2 in octets of the DER: 1024 bits are 162, 2048 are 294
_SHORT, _OLD = 162, 294


@dataclass(frozen=True, slots=True)
class KeyPublished(DnsQuestion):
    """The key record is there once, can be read, is the key here, and long enough (RFC 6376 3.6.1).

    What DKIM-01, DKIM-03, DKIM-09 and DKIM-11 ask is asked here, too.
    """

    domain: str
    selector: str
    path: str

    @property
    def id(self) -> str:
        return f"DKIM-02:{self.domain}"

    @property
    def title(self) -> str:
        return f"The DNS has the key of {self.domain}"

    @property
    def by_hand(self) -> str:
        return f"dig +short TXT {self.selector}._domainkey.{self.domain}"

    def _judge(self, host: Host, resolver: Resolver) -> Result:
        name = f"{self.selector}._domainkey.{self.domain}"
        own, found = public_half(host, self.path), resolver.texts(name)
        expected = f"one TXT record, p={own[:20]}…"
        if not found:
            return failed(f"{name} does not exist", expected, ZONE)
        if len(found) > 1:
            fix = "Whoever runs the zone: leave only the one that `mailwizard dns` shows."
            return failed(f"{name} has {len(found)} TXT records", expected, fix)
        said = tags(found[0])
        if flaw := unreadable(found[0]):
            return failed(f"{name} cannot be used: {flaw}", expected, ZONE)
        if said.get("k", "rsa") == "ed25519":
            fix = "Whoever runs the zone: publish the RSA key here, Ed25519 under another selector."
            return failed(f"{name} is an Ed25519 key alone", "RSA, which everybody verifies", fix)
        if said["p"] != own:
            return failed(
                f"{name} is the key of somebody else, not of this host",
                expected,
                "Does another host sign with it? Then the administrator chooses another selector "
                f"here, and a key of its own is made. Else whoever runs the zone replaces {name} "
                "by the record that `mailwizard dns` shows.",
            )
        return _key_fit(said, name)


def unreadable(text: str) -> str:
    """Why verifiers cannot use this key record; empty when they can (RFC 6376 3.6.1)."""
    said = tags(text)
    if "v" in said and (not re.match(r"\s*v\s*=", text) or said["v"] != "DKIM1"):
        return f"v=DKIM1 does not stand first: {text[:60]}"
    if name := twice(text):
        return f"{name}= stands twice"
    if odd := [part for part in text.rstrip().removesuffix(";").split(";") if "=" not in part]:
        return f"{odd[0].strip() or 'nothing'} between semicolons is no tag"
    if not said.get("p"):
        return f"it holds no key: {text[:60]}"
    try:
        base64.b64decode(said["p"], validate=True)
    except ValueError:
        return "p= is not whole"
    if (kind := said.get("k", "rsa")) not in ("rsa", "ed25519"):
        return f"k={kind} is no kind of key"
    if "h" in said and "sha256" not in said["h"].split(":"):
        return f"h={said['h']} does not let sha256 be used"
    if not {"*", "email"} & set(said.get("s", "*").split(":")):
        return f"s={said['s']} is not for mail"
    return ""


def _key_fit(said: dict[str, str], name: str) -> Result:
    size = len(base64.b64decode(said["p"]))
    if size < _SHORT:
        fix = "The administrator: choose another selector; a new key of 2048 bits is made."
        return failed(f"{name} is shorter than 1024 bits", "2048 bits (RFC 8301)", fix)
    if size < _OLD:
        fix = "The administrator: choose another selector; a new key of 2048 bits is made."
        return warned(f"{name} is shorter than 2048 bits", "2048 bits (RFC 8301)", fix)
    if "y" in said.get("t", "").split(":"):
        fix = "Whoever runs the zone: take t=y out."
        return warned(f"{name} says that it is a test (t=y)", "no t=y", fix)
    return passed(f"{name} is the public half of the key here")
