"""Changes of a zone sent to the server where it is edited (RFC 2136), signed, all or nothing."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import dns.exception
import dns.name
import dns.query
import dns.rcode
import dns.rdataclass
import dns.rdataset
import dns.rdatatype
import dns.tsig
import dns.update

from mailwizard.errors import WizardError
from mailwizard.probes.deadline import CannotAsk, Deadline
from mailwizard.probes.nameserver import absolute, ask
from mailwizard.tsig import Key
from mailwizard.zoneedits import Edit, Primary, RecordSet

SECONDS = 8.0


class UpdateRefused(WizardError):
    """The zone is as it was; the message says who has to change what."""


def fetch(primary: Primary, owner: str, kind: str) -> RecordSet:
    """What the zone holds now; raises UpdateRefused where that cannot be asked."""
    try:
        clock = Deadline(SECONDS)
        heard = ask(
            primary.address, absolute(owner), kind, clock, port=primary.port, recursive=False
        )
    except CannotAsk as trouble:
        raise UpdateRefused(
            f"{primary.zone}: its server {primary.address} cannot be asked: {trouble}",
            hint="Name the server that takes updates with --server ADDRESS.",
        ) from trouble
    if heard.aliases:
        raise UpdateRefused(
            f"{owner} is an alias (CNAME {heard.aliases[0].target}), and nothing may stand beside",
            hint="Somebody else put it there: take it away first, or choose another name.",
        )
    values = tuple(sorted(one.to_text() for one in heard.records))
    return RecordSet(owner, kind, heard.ttl, values)


def send(primary: Primary, key: Key, edits: Sequence[Edit], seen: Collection[RecordSet]) -> None:
    """Make all edits of a zone or none, and only if it is still as it was seen."""
    update = dns.update.UpdateMessage(
        absolute(primary.zone), keyring=key.ring(), keyname=key.name, keyalgorithm=key.algorithm
    )
    for one in seen:
        name, rdatas = absolute(one.owner), one.rdatas
        if rdatas:
            update.present(name, dns.rdataset.from_rdata_list(0, rdatas))
        else:
            update.absent(name, one.type)
    for edit in edits:
        name = absolute(edit.owner)
        for value in edit.drops:
            update.delete(name, dns.rdata.from_text("IN", edit.type, value))
        for value in edit.adds:
            update.add(name, edit.ttl, dns.rdata.from_text("IN", edit.type, value))
    code = _exchange(update, primary, key)
    if code is not dns.rcode.NOERROR:
        said, hint = _refusal(code, primary, key)
        raise UpdateRefused(f"{primary.zone}: {said}", hint=hint)


def _exchange(update: dns.update.UpdateMessage, primary: Primary, key: Key) -> dns.rcode.Rcode:
    name = key.name.to_text(omit_final_dot=True)
    where = f"{primary.zone}: {primary.address}"
    try:
        return dns.query.tcp(update, primary.address, timeout=SECONDS, port=primary.port).rcode()
    except dns.tsig.PeerBadKey as error:
        hint = "Whoever runs the server has to know it by that name, with the same algorithm."
        raise UpdateRefused(f"{where} does not know the key {name}", hint=hint) from error
    except (dns.tsig.PeerBadSignature, dns.tsig.BadSignature) as error:
        hint = "Get the key anew from whoever runs the server; its algorithm counts too."
        raise UpdateRefused(f"{where} has another secret for the key {name}", hint=hint) from error
    except dns.tsig.PeerBadTime as error:
        hint = "Set the clocks (timedatectl): signatures hold for five minutes."
        raise UpdateRefused(f"{where} has another time than this host", hint=hint) from error
    except (dns.exception.DNSException, OSError, EOFError) as error:
        hint = "Updates go over TCP port 53; a firewall may be between. Look before you try again."
        raise UpdateRefused(f"{where} did not answer the update", hint=hint) from error


def _refusal(code: dns.rcode.Rcode, primary: Primary, key: Key) -> tuple[str, str]:
    """What is wrong, and who has to do what (RFC 2136, 2.2)."""
    server, name = primary.address, key.name.to_text(omit_final_dot=True)
    if code in {dns.rcode.YXDOMAIN, dns.rcode.YXRRSET, dns.rcode.NXRRSET, dns.rcode.NXDOMAIN}:
        return "somebody else changed it meanwhile; nothing was changed", "Look again: run it anew."
    if code in {dns.rcode.NOTAUTH, dns.rcode.NOTZONE}:
        hint = "Name the server where the zone is edited with --server ADDRESS."
        return f"{server} is not where this zone is edited", hint
    if code is dns.rcode.REFUSED:
        hint = "Whoever runs the server must allow it (BIND: update-policy)."
        return f"{server} does not let the key {name} change this", hint
    if code is dns.rcode.NOTIMP:
        return f"{server} takes no updates", "Enter the records by hand: `mailwizard dns --zone`."
    hint = "The server's log says why; nothing was changed."
    return f"{server} answers {dns.rcode.to_text(code)}", hint
