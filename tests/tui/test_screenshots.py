"""Every screen as a picture: made with UPDATE_SCREENSHOTS=1, otherwise held to what it was."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
from textual.app import App

from mailwizard.tui.app import WizardApp
from tui.walks import HOST, SHOTS

FOLDER = Path(__file__).resolve().parents[2] / "screenshots"
_IDS = re.compile(r"terminal-\d+")


async def picture(name: str) -> str:
    shot = SHOTS[name]
    engine = shot.engine()
    app: App[None] = WizardApp(engine, host=HOST, clock=lambda: 0.0)
    async with app.run_test(size=shot.size) as pilot:
        await shot.walk(pilot)
        await pilot.pause()
        svg = app.export_screenshot(title="mailwizard")
        for held in (engine.hold, engine.prepare_hold):
            if held is not None:
                held.set()
    # A picture in a README must not fetch a font from somebody else's server.
    svg = re.sub(r"@font-face \{[^}]*\}", "", svg)
    return re.sub(r"[ \t]+$", "", svg, flags=re.MULTILINE) + "\n"


@pytest.mark.asyncio
@pytest.mark.parametrize("name", sorted(SHOTS))
async def test_looks_as_it_did(name: str) -> None:
    svg = await picture(name)
    path = FOLDER / f"{name}.svg"
    if os.environ.get("UPDATE_SCREENSHOTS"):
        FOLDER.mkdir(exist_ok=True)
        path.write_text(svg, encoding="utf-8")
    assert path.exists(), "run the tests once with UPDATE_SCREENSHOTS=1 and look at the pictures"
    then = path.read_text(encoding="utf-8")
    assert _IDS.sub("terminal", svg) == _IDS.sub("terminal", then)


def test_no_picture_is_left_over() -> None:
    assert {path.stem for path in FOLDER.glob("*.svg")} == set(SHOTS)


def test_the_readme_shows_every_picture() -> None:
    shown = re.findall(r"\(screenshots/([\w-]+)\.svg\)", (FOLDER.parent / "README.md").read_text())
    assert set(shown) == set(SHOTS)
