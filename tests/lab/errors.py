"""What can go wrong in the lab itself, as opposed to in the program under test."""


class LabError(Exception):
    """The lab could not do what a test asked of it; the message says why."""


class CommandFailed(LabError):
    """A command ended with a status other than 0, or not in time."""

    def __init__(self, argv: list[str], status: int | None, stdout: str, stderr: str) -> None:
        self.argv, self.status, self.stdout, self.stderr = argv, status, stdout, stderr
        ending = "did not end in time" if status is None else f"ended with status {status}"
        shown = " ".join(argv)
        parts = [shown[:400], ending, stdout[-3000:].strip(), stderr[-3000:].strip()]
        super().__init__("\n".join(part for part in parts if part))
