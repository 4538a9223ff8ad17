"""Of many names some get a message, and no more however many there are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from support.recorded import RecordedLook

from mailwizard import probes
from mailwizard.model import Completed, Context, SecretRef
from mailwizard.probes.sampling import LIVE, WIDEST, sampled, spread
from mailwizard.steps import aliases, submission

PEOPLE = [f"person{n}" for n in range(50)]
LISTED = "".join(f"{name}:x:{n}:1::/home:/bin/sh\n" for n, name in enumerate(PEOPLE, 1000))


def context(names: int, domains: int, senders: int = 0) -> Context:
    table = {f"name{n}": [PEOPLE[n % 50]] for n in range(names)}
    table |= {"list": PEOPLE[:3], "all": PEOPLE, "chain": ["list"]}
    written = {f"login{n}": f"w{n}@elsewhere.test" for n in range(senders)}
    answers: dict[str, dict[str, Any]] = {
        "hostname": {"fqdn": "mail.example.test"},
        "postfix": {"domains": ["example.test", *(f"d{n}.test" for n in range(1, domains))]},
        "aliases": {"root": PEOPLE[0], "aliases": table, "senders": written},
        "dovecot": {"users": [{"login": PEOPLE[1], "password": SecretRef(env="PW")}]},
    }
    look = RecordedLook(answers={"getent passwd": Completed((), 0, LISTED)})
    return Context("aliases", answers, look)


def test_few_are_all_tried_and_of_many_one_of_each_kind() -> None:
    few = {f"n{n}": "kind" for n in range(LIVE)}
    assert sampled(few) == list(few)
    many = {f"n{n}": "common" for n in range(1000)} | {"odd": "odd", "strange": "strange"}
    chosen = sampled(many)
    assert {"odd", "strange", "n0"} <= set(chosen)
    assert len(chosen) <= LIVE
    assert sampled(many) == chosen


@pytest.mark.parametrize(
    ("names", "most", "kept"),
    [("abc", 3, "abc"), ("abcde", 3, "ace"), ("abcde", 1, "a"), ("abcde", 0, "")],
)
def test_a_spread_goes_from_first_to_last(names: Sequence[str], most: int, kept: str) -> None:
    assert "".join(spread(names, most)) == kept


def test_ten_times_the_names_are_no_more_messages() -> None:
    asked = [list(aliases.probe(context(n, 1, n))) for n in (2_000, 20_000)]
    assert [one.id for one in asked[0]][:2] == ["OUT-07", "SMTP-11"]
    for found in asked:
        sent = [one for one in found if isinstance(one, probes.DeliversTo)]
        rewritten = [one for one in found if isinstance(one, probes.SenderRewritten)]
        assert (len(sent) <= LIVE, len(rewritten) <= LIVE) == (True, True)
        assert {"root", "postmaster", "abuse", "list", "chain"} <= {one.name for one in sent}
        assert max(len(one.logins) for one in sent) <= WIDEST
    graph, mapped = asked[1][0], next(o for o in asked[1] if isinstance(o, probes.SendersMapped))
    assert isinstance(graph, probes.AliasGraph)
    assert len(graph.ends) == 20_003
    assert len(mapped.senders) == 20_000


def test_a_name_is_somebodys_once_however_many_domains_there_are() -> None:
    one, many = (submission.owners(context(100, domains)) for domains in (1, 200))
    assert one == many
    assert one["name7"] == ["person7"]


def test_an_address_elsewhere_is_its_writers_alone() -> None:
    made = context(0, 2)
    written = {"person3": "list@d1.test", "person4": "list@elsewhere.test"}
    theirs = {**made.answers["aliases"], "senders": written}
    found = submission.owners(replace(made, answers={**made.answers, "aliases": theirs}))
    assert found["list@elsewhere.test"] == ["person4"]
    assert "person3" in found["list@d1.test"]
    assert set(PEOPLE[:3]) <= set(found["list@d1.test"])


def test_aliases_to_write_under_are_a_few_in_different_domains() -> None:
    found = submission.aliased(context(5_000, 10), [PEOPLE[1]])
    assert 1 < len(found) <= LIVE
    assert {login for login, _ in found} == {PEOPLE[1]}
    assert len({address.partition("@")[2] for _, address in found}) > 1
