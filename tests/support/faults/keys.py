"""Faults of the signing keys' age and order."""

from __future__ import annotations

from support.applied import DOMAIN
from support.faults.fault import Fault

FOLDER = "/etc/mailwizard/dkim"
BEFORE = f"{FOLDER}/{DOMAIN}.mw200001.pem"

FAULTS = (
    Fault(
        "the key signs for more than a year",
        {f"DKIM-10:{DOMAIN}": "warn: 400 days old"},
        f"touch -d '400 days ago' {FOLDER}/{DOMAIN}.*.pem",
        f"touch {FOLDER}/{DOMAIN}.*.pem",
    ),
    Fault(
        "the record of the key before was taken out too early",
        {f"DKIM-10:{DOMAIN}": "warn: mw200001._domainkey.* is not published any more"},
        f"openssl genrsa -traditional -out {BEFORE} 2048 2>/dev/null; "
        f"touch -d '9 days ago' {BEFORE}",
        f"rm {BEFORE}",
    ),
)
