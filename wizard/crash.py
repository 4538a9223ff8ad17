"""A crash of the wizard itself is a report, not a loss (R30)."""

from __future__ import annotations

import platform
import sys
import traceback
from datetime import UTC, datetime

from mailwizard import __version__
from mailwizard.host import LocalHost
from mailwizard.sanitise import clean


def report(host: LocalHost, error: BaseException) -> str:
    """Write versions and the traceback, without the values of variables; the file's path."""
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    path = f"{host.state_dir}/crash-{stamp}.txt"
    frames = "".join(traceback.format_tb(error.__traceback__))
    text = (
        f"mailwizard {__version__}, Python {platform.python_version()}, "
        f"{host.platform.id} {host.platform.version}\n"
        f"arguments: {len(sys.argv) - 1}\n\n{frames}{type(error).__name__}: {error}\n"
    )
    host.write(path, clean(host.without_secrets(text)).encode(), mode=0o600)
    return path
