"""Runs the full-screen face over a fake engine, for the tests in a real terminal."""

from __future__ import annotations

import sys
import threading

from mailwizard import streams
from mailwizard.tui import run_tui
from tui.fake_engine import FakeEngine

if __name__ == "__main__":
    engine = FakeEngine(packages_in_place=True)
    if "hold" in sys.argv:
        engine.hold = threading.Event()
    if "crash" in sys.argv:
        engine.apply_raises = KeyError("canary77")
    code = run_tui(engine, host="mail.example.org")
    streams.settle()
    raise SystemExit(code)
