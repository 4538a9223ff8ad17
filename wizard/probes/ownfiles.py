"""Certificate files of the administrator's own, looked into before anything is changed for them."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from itertools import pairwise

from mailwizard import sanitise
from mailwizard.model import FileState, Look
from mailwizard.probes.certificate import (
    Facts,
    describe,
    holds,
    private,
    public_key,
    refused_by_postfix,
    resolved,
)
from mailwizard.probes.deadline import CannotAsk, Trouble
from mailwizard.probes.trust import certificates

Complaints = Iterator[tuple[str, str]]
_EXCHANGED = "are chain and key exchanged?"
_ORDER = "right is: this server's certificate, then that of its issuer, and so on"


def given(look: Look, chain: str, key: str, names: Sequence[str]) -> Complaints:
    """(question, what is wrong and what would be right) for a chain and a key in PEM files.

    What only openssl(1) could tell is left out where it is not installed: the same is proved
    again before a daemon is told.
    """
    found = [*_chain_file(look, chain), *_key_file(look, key)]
    found = found or [
        (question, f"{said}; write it anew: {cure}")
        for question, said, cure in refused_by_postfix(look, chain, key)
    ]
    if found:
        yield from found
        return
    try:
        every = [describe(look, chain, der) for der in certificates(look.read(chain))]
    except CannotAsk as trouble:
        if trouble.kind is Trouble.GARBLED:
            yield "chain", trouble.sentence
        return
    public = public_key(look, key)
    if not public:
        yield "key", f"{key} is damaged: openssl cannot read it; take it from where it was made"
        return
    ours = next((facts for facts in every if facts.public_key == public), None)
    if ours is None:
        said = f"does not belong to the certificate in {chain} ({_called(every[0])})"
        yield "key", f"{key} {said}; take chain and key from the same place"
    yield from _order(chain, every, ours)
    for facts in every:
        yield from _dates(chain, facts)
    yield from _names(chain, ours or every[0], names)


def _chain_file(look: Look, path: str) -> Complaints:
    _, data = _file(look, path)
    if isinstance(data, str):
        yield "chain", data
    elif not certificates(data):
        if b"PRIVATE KEY-----" in data:
            yield "chain", f"{path} holds a private key and no certificate; {_EXCHANGED}"
        elif data[:1] == b"\x30":
            turn = f"openssl x509 -inform der -in {path} -out {path}.pem"
            yield "chain", f"{path} is in DER form; PEM is needed: {turn}"
        else:
            yield "chain", f"{path} holds no certificate; a PEM file with the chain is needed"


def _key_file(look: Look, path: str) -> Complaints:
    state, data = _file(look, path)
    if isinstance(data, str):
        yield "key", data
    elif b"ENCRYPTED" in data:
        yield (
            "key",
            (
                f"{path} is encrypted, and nobody is there to type its password when a daemon "
                f"starts; take it off: openssl pkey -in {path} -out NEW"
            ),
        )
    elif b"PRIVATE KEY-----" not in data:
        more = f"; {_EXCHANGED}" if certificates(data) else "; a PEM file is needed"
        yield "key", f"{path} holds no private key{more}"
    elif not private(state):
        yield (
            "key",
            (
                f"{path} has mode {state.mode:04o} and belongs to user {state.uid}, so others can "
                f"read or change it; right is: chown root {path}; chmod 0600 {path}"
            ),
        )


def _file(look: Look, path: str) -> tuple[FileState, bytes | str]:
    """The file, or what is wrong with it."""
    try:
        state, data = resolved(look, path), look.read(path)
    except OSError as error:
        why = f"{path} cannot be read ({error.strerror}); root must be able to"
        return FileState("other"), why
    if state.kind == "absent":
        return state, f"{path} is not there; the full path of a file is needed"
    if state.kind != "file":
        return state, f"{path} is no file; the full path of a file is needed"
    return state, data


def _order(chain: str, every: Sequence[Facts], ours: Facts | None) -> Complaints:
    if ours is not None and ours is not every[0]:
        said = f"this server's certificate is number {every.index(ours) + 1} in {chain}"
        yield "chain", f"{said}; {_ORDER}"
        return
    for one, following in pairwise(every):
        if one.issuer != following.subject:
            said = f"in {chain} {_called(one)} is followed by {_called(following)}"
            yield "chain", f"{said}, which did not issue it; {_ORDER}"
            return


def _dates(chain: str, facts: Facts) -> Complaints:
    now = time.time()
    if facts.ends <= now:
        said = f"expired on {_day(facts.ends)}; have it made anew"
    elif facts.begins > now:
        said = f"is not valid before {_day(facts.begins)}; wait, or set this host's clock right"
    else:
        return
    yield "chain", f"the certificate of {_called(facts)} in {chain} {said}"


def _names(chain: str, facts: Facts, names: Sequence[str]) -> Complaints:
    missing = [name for name in names if not holds(facts.names, name)]
    if missing:
        there = sanitise.clean(", ".join(facts.names), limit=1) or "none"
        yield (
            "names",
            (
                f"{', '.join(missing)} is not in the certificate of {chain}, which holds: {there}; "
                "give only names that it holds, or have one made with all of them"
            ),
        )


def _called(facts: Facts) -> str:
    return sanitise.clean(facts.subject or ", ".join(facts.names) or "no name", limit=1)


def _day(seconds: float) -> str:
    return time.strftime("%Y-%m-%d", time.gmtime(seconds))
