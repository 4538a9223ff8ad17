"""What systemd-nspawn leaves behind of a machine that was killed, and how it is removed."""

from pathlib import Path

from lab import shell

# Since systemd 257 the second is a mount, and nspawn refuses to boot a name that it finds there.
FOLDERS = tuple(Path("/run/systemd/nspawn", name) for name in ("propagate", "unix-export"))


def remove(pattern: str) -> None:
    """Remove what is left of all machines whose names fit a pattern."""
    for left in (path for folder in FOLDERS for path in folder.glob(pattern)):
        if left.is_mount():
            shell.run(["umount", "--lazy", str(left)])
        left.rmdir()
