"""What mail of a host is worth elsewhere: fetched at a foreign host and judged there."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from lab.internet import Internet

JUDGE = Path(__file__).parent / "judge.py"
PLACE = "/root/judge.py"


@dataclass(frozen=True)
class Worth:
    """The results of DKIM (domain and whether it held), SPF and DMARC at the foreign host."""

    signed: list[tuple[str, bool]]
    spf: str
    dmarc: str
    author: str
    raw: bytes


def worth(internet: Internet, subject: str) -> Worth:
    """Wait for the message, and judge it as it came."""
    internet.foreign.wait_for(lambda message: subject in str(message["subject"]))
    raw = next(data for data in internet.foreign.raw() if subject.encode() in data)
    return judged(internet, raw)


def judged(internet: Internet, raw: bytes) -> Worth:
    """Judge a message by what the foreign host looks up itself."""
    host = internet.foreign.host
    host.put(JUDGE, PLACE)
    host.put(raw, "/root/message")
    done = host.run(f"/usr/bin/python3 {PLACE} </root/message")
    found = json.loads(done.stdout)
    signed = [(domain, held) for domain, held in found["signed"]]
    spf, dmarc, author = (str(found[name]) for name in ("spf", "dmarc", "author"))
    return Worth(signed, spf, dmarc, author, raw)
