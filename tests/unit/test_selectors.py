"""Which key is in use is read from the signer's own files, and never guessed from a date."""

from __future__ import annotations

import pytest
from support.recorded import RecordedHost, Written

from mailwizard.model import Context
from mailwizard.platform.debian import TRIXIE
from mailwizard.render import render
from mailwizard.steps import selectors

FOLDER = TRIXIE.path("dkim-keys")
KEYS = [(name, "mw202610", f"{FOLDER}/{name}.mw202610.pem") for name in ("a.test", "b.test")]
NOBODY: list[selectors.Key] = []


def context(signer: str = "", made: tuple[str, ...] = ()) -> Context:
    """A host where this program signs with mw202610, and where these keys are."""
    files = {f"{FOLDER}/{name}.pem": Written(b"key") for name in made}
    keys = KEYS if signer == "amavis" else NOBODY
    if signer:
        text = render("amavis/signing.j2", keys=keys, signed=10028)
        files[TRIXIE.path("amavis-signing")] = Written(text.encode())
        signing = signer == "opendkim"
        options = {"user": "o", "port": 1, "fqdn": "f", "nameservers": [], "tables": FOLDER}
        text = render("opendkim/opendkim.conf.j2", **options, signing=signing)
        files[TRIXIE.path("opendkim.conf")] = Written(text.encode())
        # left over where somebody else signs now
        stale = KEYS if signing else [("a.test", "stale", "/x")]
        files[f"{FOLDER}/KeyTable"] = Written(render("opendkim/KeyTable.j2", keys=stale).encode())
    answers = {"postfix": {"domains": ["a.test", "b.test"]}, "authentication": {}}
    return Context("authentication", answers, RecordedHost(TRIXIE, files))


@pytest.mark.parametrize("signer", ["amavis", "opendkim"])
def test_the_signers_own_file_tells(signer: str) -> None:
    # the next key is there already and waits for its record
    seen = context(signer, ("a.test.mw202610", "a.test.mw202611"))
    assert selectors.in_use(seen.look) == "mw202610"
    assert selectors.default(seen) == "mw202610"


def test_without_a_signer_the_newest_key_or_the_month() -> None:
    assert selectors.default(context(made=("a.test.mw202609", "a.test.mw202610"))) == "mw202610"
    assert selectors.default(context()).startswith("mw20")


def test_every_key_of_our_domains_is_found() -> None:
    there = ("a.test.mw1", "a.test.mw2", "b.test.mw2", "c.test.mw2", "x.a.test.mw2")
    found = [(domain, name) for domain, name, _ in selectors.made(context(made=there))]
    assert found == [("a.test", "mw1"), ("a.test", "mw2"), ("b.test", "mw2")]


@pytest.mark.parametrize(
    ("signer", "selector", "refused"),
    [
        ("amavis", "mw202610", False),
        ("amavis", "mail", False),
        ("amavis", "mw202609", True),
        ("opendkim", "mw202609", True),
        ("", "mw202609", False),
    ],
)
def test_a_key_that_was_replaced_is_not_chosen_again(
    signer: str, selector: str, refused: bool
) -> None:
    seen = context(signer)
    assert isinstance(seen.look, RecordedHost)
    text = "# gone\nmw202608\nmw202609\n"
    seen.look.files[selectors.list_of_retired(seen.look)] = Written(text.encode())
    assert ("replaced by mw202610" in selectors.complaint(seen, selector)) == refused
