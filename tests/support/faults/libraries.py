"""Faults of the libraries that the checks ask: nothing is known then, neither good nor bad."""

from __future__ import annotations

from support.applied import DOMAIN
from support.faults.fault import Fault

_PLACE = "cd /usr/lib/python3/dist-packages; "
_MENDED = f"{_PLACE}rm -rf dkim spf.py; mv /root/dkim /root/spf.py ."

GONE = Fault(
    "the libraries that the checks ask are not installed",
    {
        f"SUB-13:{DOMAIN}": "unknown: missing .python3-dkim",
        "SMTP-24": "unknown: missing .python3-dkim",
        f"SPF-05:{DOMAIN}": "unknown: missing .python3-spf",
        "SPF-06": "unknown: missing .python3-spf",
    },
    f"{_PLACE}mv dkim spf.py /root",
    _MENDED,
)
HANGING = Fault(
    "a library hangs, another dies",
    {
        f"SUB-13:{DOMAIN}": "unknown: ended by signal 9",
        f"SPF-05:{DOMAIN}": "unknown: no answer in time",
        "SPF-06": "unknown: no answer in time",
    },
    f"""{_PLACE}mv dkim spf.py /root; mkdir dkim
echo 'import os; verify = lambda *_, **__: os.kill(os.getpid(), 9)' >dkim/__init__.py
echo 'import time; check2 = lambda **_: time.sleep(99)' >spf.py""",
    _MENDED,
)
FAULTS = (
    GONE,
    HANGING,
    Fault(
        "the libraries answer nonsense",
        {
            f"SUB-13:{DOMAIN}": "unknown: TypeError: .* not callable",
            "SMTP-24": "unknown: makes no sense",
            f"SPF-05:{DOMAIN}": "unknown: makes no sense",
            "SPF-06": "unknown: makes no sense",
        },
        f"""{_PLACE}mv dkim spf.py /root; mkdir dkim
echo 'print(1); DKIMException, verify, sign = ValueError, None, lambda *_, **__: b""' \\
    >dkim/__init__.py
echo 'check2 = lambda **_: ("maybe", 250, "a result of no standard")' >spf.py""",
        _MENDED,
    ),
)
