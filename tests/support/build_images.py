"""Makes every layer that is kept between runs, so that no test on real hosts waits for one."""

from __future__ import annotations

import ctypes
import signal
import sys

from lab import images
from lab.internet import Internet
from support import laptop
from support.bare import launched
from support.firewalls import with_firewalls

PR_SET_PDEATHSIG = 1  # prctl(2)


def main() -> None:
    # What is at work is then ended too: shell.run sees to that. A run that is killed tells nobody.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    with Internet() as internet:
        for suite in images.SUITES:
            with_firewalls(suite, internet)
            launched(suite, internet)
        laptop.layer(internet)


if __name__ == "__main__":
    main()
