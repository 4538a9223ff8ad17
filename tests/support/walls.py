"""The firewalls' programs, as far as a recorded host needs them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from support.programs import Program

from mailwizard import nftables, ufw
from mailwizard.model import Completed

if TYPE_CHECKING:
    from support.recorded import RecordedLook


def nft(look: RecordedLook, argv: Sequence[str], stdin: str) -> Completed:
    """List what is in force."""
    return Completed(tuple(argv), 0, look.memory.get("nft", "").lstrip("\n"))


def unshare(look: RecordedLook, argv: Sequence[str], stdin: str) -> Completed:
    """A script makes what it says: this is no parser of rules."""
    return Completed(tuple(argv), 0, _listed(stdin))


def _listed(script: str) -> str:
    """As `nft list ruleset` shows it: no comments, and a jump in the chain that it is added to."""
    tables: dict[str, list[str]] = {}
    inside: list[str] = []
    for line in script.splitlines():
        if line.startswith("table ") and line.endswith("{"):
            inside = tables.setdefault(line, [])
        elif line.startswith(("add rule ", "insert rule ")):
            _, _, family, table, chain, *_ = line.split()
            rules = tables[f"table {family} {table} {{"]
            rules.insert(
                rules.index(f"\tchain {chain} {{") + 2, f"\t\t{line[line.index('jump') :]}"
            )
        elif line.startswith("\t") and not line.lstrip().startswith("#"):
            inside.append(line)
    return "".join("\n".join([head, *lines, "}\n"]) for head, lines in tables.items())


def shell(look: RecordedLook, argv: Sequence[str], stdin: str) -> Completed:
    """Load rules, or bring the old ones back."""
    if "nft -f" in argv[2] and "forget" in argv[2]:
        others = "".join(
            map(nftables.without_ours, nftables.tables(look.memory.get("nft", "")).values())
        )
        look.memory["nft"] = _listed(others + stdin)
    return Completed(tuple(argv), 0)


def systemctl(look: RecordedLook, argv: Sequence[str], stdin: str) -> Completed:
    """Enable units."""
    shown = ("systemctl", "show", "-p", "UnitFileState", "--", argv[-1])
    if argv[1] == "enable":
        look.answers[" ".join(shown)] = Completed(shown, 0, "UnitFileState=enabled\n")
    if argv[1] == "start":
        look.memory[argv[-1]] = "active"
    return Completed(tuple(argv), 0)


def ufw_program(look: RecordedLook, argv: Sequence[str], stdin: str) -> Completed:
    """Add a rule to the files, or take one out."""
    words = [word for word in argv[1:] if word not in ("--force", "delete")]
    if words[0] == "allow":
        _, _, protocol, _, source, _, _, _, port, *_ = words
        for path, everybody in zip(ufw.FILES, ("0.0.0.0/0", "::/0"), strict=True):
            whom = everybody if source == "any" else source
            if (":" in whom) == (":" in everybody):
                rule = f"### tuple ### allow {protocol} {port} {everybody} any {whom} in"
                if "delete" in argv:
                    _strike(look, path, rule)
                else:
                    _append(look, path, f"{rule} comment={ufw.MARK.encode().hex()}\n")
    return Completed(tuple(argv), 0)


def firewall_cmd(look: RecordedLook, argv: Sequence[str], stdin: str) -> Completed:
    """One zone, now and permanently."""
    unit = "firewalld.service"
    known = look.answers[f"systemctl show -p UnitFileState,ActiveState {unit}"].out
    if "=active" not in known and look.memory.get(unit) != "active":
        return Completed(tuple(argv), 252)
    place = " ".join(word for word in argv if word.startswith(("--zone=", "--perm")))
    if "--list-all" in argv:
        return Completed(tuple(argv), 0, look.memory.get(place, ""))
    for word in argv:
        kind, _, value = word.removeprefix("--add-").partition("=")
        if word.startswith("--add-"):
            line = value if kind == "rich-rule" else f"{kind}s: {value}"
            look.memory[place] = f"{look.memory.get(place, '')}  {line}\n"
    return Completed(tuple(argv), 0)


def _append(look: RecordedLook, path: str, text: str) -> None:
    file = look.files[path]
    look.files[path] = type(file)(file.data + text.encode(), file.mode)


def _strike(look: RecordedLook, path: str, row: str) -> None:
    file = look.files[path]
    rows = file.data.decode().splitlines(keepends=True)
    kept = "".join(each for each in rows if each.partition(" comment=")[0].rstrip() != row)
    look.files[path] = type(file)(kept.encode(), file.mode)


WALLS: dict[str, Program] = {
    "nft": nft,
    "unshare": unshare,
    "sh": shell,
    "systemctl": systemctl,
    "systemd-run": systemctl,
    "ufw": ufw_program,
    "firewall-cmd": firewall_cmd,
}
