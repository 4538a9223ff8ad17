"""What a host borrows from the build machine to reach packages, read at run time."""

import configparser
import io
import os
import re
from pathlib import Path

from lab import shell
from lab.errors import LabError

BUNDLE = Path("/etc/ssl/certs/ca-certificates.crt")
FETCHING = re.compile(r"Acquire::(https?|ftp|Check-|Retries|Proxy|Queue-Mode)", re.IGNORECASE)


def resolvers() -> list[str]:
    """Give the name servers that also answer from behind the lab's bridge."""
    for path in ("/etc/resolv.conf", "/run/systemd/resolve/resolv.conf"):
        lines = Path(path).read_text().splitlines() if Path(path).exists() else []
        found = [words[1] for line in lines if (words := line.split())[:1] == ["nameserver"]]
        outside = [server for server in found if not server.startswith(("127.", "::1"))]
        if outside:
            return outside
    raise LabError("no name server that hosts of the lab could ask: only loopback ones are set")


def apt_options() -> list[str]:
    """Give the build machine's apt settings that say how to fetch, as lines of apt.conf."""
    if not Path("/usr/bin/apt-config").exists():
        return []
    dump = shell.run(["apt-config", "dump"]).stdout.splitlines()
    return [line for line in dump if FETCHING.match(line) and not line.endswith(' "";')]


def pip_conf() -> str:
    """Merge the build machine's pip settings, without those that point at its own files."""
    merged: dict[str, str] = {}
    for path in ("/etc/pip.conf", "~/.pip/pip.conf", "~/.config/pip/pip.conf"):
        parser = configparser.RawConfigParser()
        parser.read(Path(path).expanduser())
        merged |= dict(parser.items("global")) if parser.has_section("global") else {}
    for name, value in os.environ.items():
        if name.startswith("PIP_") and name != "PIP_CONFIG_FILE":
            merged[name[4:].lower().replace("_", "-")] = value
    kept = configparser.RawConfigParser()
    kept["global"] = {}
    for name, value in merged.items():
        words = [word for word in value.split() if not word.startswith(("/", "file:"))]
        if name == "cert":
            words = [str(BUNDLE)]
        if words:
            kept["global"][name] = " ".join(words)
    out = io.StringIO()
    kept.write(out)
    return out.getvalue()


def files() -> dict[str, bytes]:
    """Give the files to put into a host so that apt-get and pip work in it."""
    lines = [*apt_options(), 'Acquire::Languages "none";']
    found = {"/etc/apt/apt.conf.d/99fetch": ("\n".join(lines) + "\n").encode()}
    found["/etc/pip.conf"] = pip_conf().encode()
    borrowed = [*Path("/etc/apt/auth.conf.d").glob("*.conf"), BUNDLE]
    borrowed += Path("/usr/local/share/ca-certificates").glob("*.crt")
    for path in borrowed:
        if path.is_file():
            found[str(path)] = path.read_bytes()
    return found
