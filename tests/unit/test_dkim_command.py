"""`mailwizard dkim`: its options, and what it shows."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tui import fake_keys

from mailwizard import cli
from mailwizard.dkim import command
from mailwizard.dnsdesk.command import given_key
from mailwizard.errors import BadUsage
from mailwizard.model import SecretRef


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("dkim --wait 5", "for `dkim rotate` alone"),
        ("dkim status --key FILE", "for `dkim rotate` alone"),
        ("dkim rotate --key FILE", "for --publish alone"),
        ("dkim rotate --publish", "needs one key"),
        ("dkim rotate --publish --key FILE --json", "shows and asks"),
        ("dkim rotate --publish --key FILE --server nowhere", "no IP address"),
        ("dkim rotate --wait 1e9", "at most a week"),
        ("dkim turn", "turn"),
    ],
)
def test_options_that_do_not_fit(words: str, said: str) -> None:
    with pytest.raises(BadUsage, match=said):
        command.check(cli.parser().parse_args(words.split()))


@pytest.mark.parametrize(
    "words", ["dkim", "dkim --json", "dkim rotate", "dkim rotate --wait --publish --key-env KEY"]
)
def test_options_that_fit(words: str) -> None:
    command.check(cli.parser().parse_args(words.split()))


def test_a_key_is_found_from_any_folder_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    words = ["dns", "--publish", "--key"]
    given = [given_key(cli.parser().parse_args([*words, key])) for key in ("k", "./k", "/root/k")]
    assert [ref.file for ref in given] == [f"{tmp_path}/k", f"{tmp_path}/k", "/root/k"]
    by_name = cli.parser().parse_args(["dkim", "rotate", "--publish", "--key-env", "KEY"])
    assert given_key(by_name) == SecretRef(env="KEY")


def test_where_the_keys_stand_is_said_in_words(capsys: pytest.CaptureFixture[str]) -> None:
    assert command.say(fake_keys.WAITING, as_json=False) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "ok mw202511._domainkey.example.org: active; signs; 371 days old" in said
    assert "wait mw202611._domainkey.example.org: pending" in said
    assert "In the zone example.org: mw202611._domainkey 3600 IN TXT" in said
    assert "then: mailwizard dkim rotate" in said


def test_where_the_keys_stand_is_said_to_programs(capsys: pytest.CaptureFixture[str]) -> None:
    command.say(fake_keys.WAITING, as_json=True)
    told = json.loads(capsys.readouterr().out)
    assert (told["stage"], told["old"], told["new"]) == ("pending", "mw202511", "mw202611")
    assert [key["state"] for key in told["keys"]] == ["active", "pending"]
    assert told["records"][0]["value"] == fake_keys.KEY
    command.say(fake_keys.AFTER, as_json=True)
    told = json.loads(capsys.readouterr().out)
    assert (told["stage"], told["until"][:10]) == ("retiring", "2026-12-22")
