"""Blocklists and header checks as they may be answered: filters that believe no error message."""

from __future__ import annotations

import pytest

from mailwizard import blocklists
from mailwizard.fields import Listing
from mailwizard.fields.protection import BlocklistField, HeaderCheck, HeaderChecks


@pytest.mark.parametrize(
    ("codes", "answer", "counts"),
    [
        ("127.0.0.[2..11]", "127.0.0.2", True),
        ("127.0.0.[2..11]", "127.0.0.11", True),
        ("127.0.0.[2..11]", "127.0.0.12", False),
        ("127.0.0.[2..11]", "127.255.255.254", False),
        ("127.0.0.[2;4..6]", "127.0.0.3", False),
        ("127.0.0.[2;4..6]", "127.0.0.5", True),
        ("127.0.[0;1].2", "127.0.1.2", True),
        ("127.0.0.2", "127.0.0.2", True),
    ],
)
def test_answers_count_as_postfix_counts_them(codes: str, answer: str, counts: bool) -> None:
    assert blocklists.counts(codes, answer) is counts


@pytest.mark.parametrize(
    "codes", ["", "127.0.0", "127.0.0.[2..", "127.0.0.2.", "127.0.0.[11..2]", "127.0.0.256", "x"]
)
def test_what_is_no_filter_is_an_error(codes: str) -> None:
    with pytest.raises(ValueError, match="number"):
        blocklists.counts(codes, "127.0.0.2")


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("Zen.Spamhaus.org", "zen.spamhaus.org=127.0.0.[2..11]"),
        ("zen.spamhaus.org=127.0.0.[2..11]", "zen.spamhaus.org=127.0.0.[2..11]"),
        ("key.zen.dq.spamhaus.net", "key.zen.dq.spamhaus.net=127.0.0.[2..11]"),
        ("dbl.spamhaus.org", "dbl.spamhaus.org=127.0.1.[2..99]"),
        ("bl.example.net", "bl.example.net=127.0.0.[2..254]"),
        ("bl.example.net = 127.0.0.3", "bl.example.net=127.0.0.3"),
    ],
)
def test_every_list_gets_a_filter(given: str, kept: str) -> None:
    assert BlocklistField().check(given) == kept
    assert BlocklistField().check(kept) == kept


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ("dnsbl.sorbs.net", "closed in June 2024"),
        ("cbl.abuseat.org", "part of zen"),
        ("pbl.spamhaus.org", "part of zen"),
        ("multi.surbl.org", "web pages"),
        ("zen.spamhaus.org=127.[0..255].[0..255].[2..254]", "error message"),
        ("zen.spamhaus.org=127.0.0.[1..11]", "127.0.0.1"),
        ("zen.spamhaus.org=10.0.0.1", "127.0.0.0/8"),
        ("zen.spamhaus.org=", "four numbers"),
        ("zen.spamhaus.org=127.0.0.2, permit", "four numbers"),
        ("zen.spamhaus.org permit", "blank"),
        ("127.0.0.1", "IP address"),
        ("$x.example.net", "programs act on"),
    ],
)
def test_what_would_refuse_or_let_in_everybody_is_not_a_list(given: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        BlocklistField().check(given)


def test_a_list_of_names_is_asked_for_senders() -> None:
    names, addresses = map(blocklists.blocklist, ("dbl.spamhaus.org", "zen.spamhaus.org"))
    assert names.restriction == "reject_rhsbl_sender dbl.spamhaus.org=127.0.1.[2..99]"
    assert addresses.restriction == "reject_rbl_client zen.spamhaus.org=127.0.0.[2..11]"
    assert names.test_entries == ("test.dbl.spamhaus.org", "dbltest.com.dbl.spamhaus.org")
    assert names.never_listed == "invalid.dbl.spamhaus.org"
    assert addresses.test_entries == ("2.0.0.127.zen.spamhaus.org",)
    assert addresses.never_listed == "1.0.0.127.zen.spamhaus.org"


def test_lists_as_a_person_types_them() -> None:
    kind = Listing(BlocklistField())
    found = kind.parse("zen.spamhaus.org, bl.example.net=127.0.0.[2;4]")
    assert found == ["zen.spamhaus.org=127.0.0.[2..11]", "bl.example.net=127.0.0.[2;4]"]
    assert kind.parse(kind.show(found)) == found


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("/^X-Mailer: x/ REJECT", "/^X-Mailer: x/ REJECT"),
        ("/^X-Mailer: x/i   discard", "/^X-Mailer: x/i DISCARD"),
        (r"/a\/b/ WARN look at ${1} and $2", r"/a\/b/ WARN look at ${1} and $2"),
        ("/a b/ HOLD for me", "/a b/ HOLD for me"),
    ],
)
def test_a_header_check_is_kept(given: str, kept: str) -> None:
    assert HeaderCheck().check(given) == kept
    assert HeaderCheck().check(kept) == kept


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ("^X-Mailer: x REJECT", "no such line"),
        ("/x/ IGNORE", "is not offered"),
        ("/x/ FILTER smtp:evil", "is not offered"),
        ("/x/ PREPEND X: y", "is not offered"),
        ("/x/ OK", "is not offered"),
        ("/x/", "no such line"),
        ("/x/ REJECT $name", "stands for a group"),
        ("/x/ REJECT a\n/y/ OK", "line break"),
        ("if /x/", "no such line"),
        ("", "nothing was given"),
    ],
)
def test_what_is_no_header_check_is_refused(given: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        HeaderCheck().check(given)


def test_header_checks_as_a_person_types_them() -> None:
    kind = HeaderChecks()
    found = kind.parse("/^A: b, c/ REJECT no; never ; /d/ HOLD")
    assert found == ["/^A: b, c/ REJECT no; never", "/d/ HOLD"]
    assert kind.parse(kind.show(found)) == found
    assert kind.parse(kind.display(found)) == found
    assert kind.example == ["/^X-Mailer: Spamware/ REJECT We do not want this"]
