"""Root file systems as stacks of folders."""

import os
from dataclasses import dataclass
from pathlib import Path

from lab import shell


@dataclass(frozen=True)
class Identity:
    """What a host calls itself and where it stands in the network."""

    hostname: str
    fqdn: str
    offset: int


@dataclass(frozen=True)
class Layer:
    """A root file system from which any number of hosts can be booted; it never changes."""

    name: str
    folders: tuple[Path, ...]
    suite: str
    identity: Identity | None = None

    def mount(self, upper: Path, work: Path, at: Path) -> None:
        """Mount a writable view of the layer."""
        # redirect_dir lets a folder of a lower layer be renamed, as on any real disk.
        options = (
            f"lowerdir={':'.join(map(str, self.folders))},upperdir={upper},workdir={work},"
            "redirect_dir=on,metacopy=off"
        )
        # The newer system call, which mount prefers since Debian 13, takes 255 letters an option.
        classic = os.environ | {"LIBMOUNT_FORCE_MOUNT2": "always"}
        argv = ["mount", "-t", "overlay", "mailwizard-lab", "-o", options, str(at)]
        shell.run(argv, env=classic)

    def above(self, upper: Path, name: str, identity: Identity | None = None) -> "Layer":
        """Give the layer that has one more folder on top."""
        return Layer(name, (upper, *self.folders), self.suite, identity)
