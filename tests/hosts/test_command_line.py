"""Every command as it is typed: what it prints, how it ends, and that a refusal touches nothing."""

from __future__ import annotations

import json
import re
import tomllib
from collections import Counter
from collections.abc import Iterator

import pytest
from lab import images
from lab.host import Host
from lab.internet import Internet
from support import suites
from support.applied import ANSWERS, CHECKOUT, FQDN, LAUNCHER, Prepared, answers
from support.program import STATE, Program, helps, put_checkout, untouched

from mailwizard.steps import STEPS

ALL = [step.id for step in STEPS]
WANTED = [step.id for step in STEPS if not step.optional or step.proposed]
OS_RELEASE = "printf %s '{text}' >/run/os-release\nmount --bind /run/os-release /usr/lib/os-release"
READABLE = "/tmp/answers.toml"
GOING_AWAY = """
import fcntl, os, pty, struct, sys, termios
pid, terminal = pty.fork()
if pid == 0:
    os.execve(sys.argv[2], sys.argv[2:], os.environ | {"TERM": "xterm"})
fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
said = b""
while sys.argv[1].encode() not in said:
    said += os.read(terminal, 65536)
os.close(terminal)
print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
"""


@pytest.fixture(scope="module", params=suites.grouped("commands"))
def program(request: pytest.FixtureRequest, prepared: Prepared) -> Iterator[Program]:
    """Give the program on a host where it never ran; the tests leave it like that."""
    net = prepared.internet.network
    with Host(prepared.ready(request.param), net=net) as host:
        prepared.internet.register(host, FQDN)
        host.put(answers(host), ANSWERS)
        host.put(answers(host), READABLE)
        yield Program(host)


@pytest.fixture
def unchanged(program: Program) -> Iterator[Program]:
    """Give the program, and assert at the end that nothing on the host is changed."""
    with untouched(program.host, "/etc", STATE):
        yield program


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("frob", "there is no command 'frob'"),
        ("aply -a x", "did you mean 'apply'?"),
        ("plan", "which answer file? It is given with -a FILE"),
        ("apply --yes", "`mailwizard answers > answers.toml`"),
        (f"plan -a {ANSWERS} --frob", "not understood: --frob"),
        (f"plan -a {ANSWERS} aliasses", "there is no step 'aliasses'"),
        (f"apply -a {ANSWERS} --yes aliasses", "Steps are: hostname, postfix, aliases"),
        ("check frob", "there is no step 'frob'"),
        (f"plan -a {ANSWERS} relay", "the step 'relay' is left out\nWrite what it needs"),
        (f"apply -a {ANSWERS} --yes relay postfix", "the step 'relay' is left out"),
        ("undo", "name the steps to undo, or --all"),
        ("undo frob", "there is no step 'frob'"),
        ("undo --all aliases", "name the steps to undo, or --all"),
        ("export", "--format sh, or --format answers"),
        ("export --format pdf", "invalid choice: 'pdf'"),
        ("--state", "--state"),
        ("apply -a /root/nothing.toml --yes", "/root/nothing.toml cannot be read: No such file"),
        ("apply -a /etc --yes", "/etc is not a plain file"),
        (f"apply -a {ANSWERS}", "nobody is there to confirm this\nAdd --yes"),
        ("undo --all", "nobody is there to confirm this\nAdd --yes"),
        ("", "Without one: mailwizard apply -a ANSWERS --yes"),
        ("--plain", "Without one: mailwizard apply -a ANSWERS --yes"),
        ("check", "has not set up anything on this host yet\nFirst: mailwizard (it asks)"),
        ("dns", "has not set up anything on this host yet"),
        ("export --format answers", "has not set up anything on this host yet"),
        ("export --format sh", "has not set up anything on this host yet"),
    ],
)
def test_wrong_usage_says_what_is_right(unchanged: Program, words: str, said: str) -> None:
    helps(unchanged(*words.split()), 2, said)


def test_help_and_version_need_nobody(unchanged: Program) -> None:
    usage = unchanged("--help").stdout
    for user in (None, "alice"):
        assert unchanged("--version", user=user).stdout == "mailwizard 0.1.0\n"
        for words in (["--help"], ["apply", "--help"], ["check", "-h"]):
            assert unchanged(*words, user=user).stdout == usage
    assert all(len(line) <= 80 for line in usage.splitlines())


def test_the_example_answers_are_an_answer_file(unchanged: Program) -> None:
    done = unchanged("answers", user="alice")
    assert done.status == 0
    assert list(tomllib.loads(done.stdout)) == ["system", *ALL]
    unchanged.host.put(done.stdout, "/var/tmp/example.toml")
    helps(unchanged("plan", "-a", "/var/tmp/example.toml"), 2, "hostname.fqdn: no answer was given")


def test_an_ordinary_user_may_look(unchanged: Program) -> None:
    planned = unchanged("plan", "-a", READABLE, user="alice")
    assert planned.status == 10, planned.stderr
    assert unchanged("status", user="alice").status == 0
    helps(unchanged("plan", "-a", ANSWERS, user="alice"), 2, "Permission denied", "Use sudo")


@pytest.mark.parametrize("words", [f"apply --yes -a {READABLE}", "check", "undo --all --yes"])
def test_an_ordinary_user_changes_nothing(unchanged: Program, words: str) -> None:
    helps(unchanged(*words.split(), user="alice"), 3, "must run as root\n", "sudo")


def test_an_ordinary_user_is_not_shown_the_state_of_root(unchanged: Program) -> None:
    unchanged.host.run(["mkdir", "-m", "700", STATE])
    try:
        for word in ("status", "dns"):
            said = f"{STATE} can be read by root alone"
            helps(unchanged(word, user="alice"), 3, said, "sudo")
        assert unchanged("plan", "-a", READABLE, user="alice").status == 10
    finally:
        unchanged.host.run(["rmdir", STATE])


def test_plan_shows_each_change_and_makes_none(program: Program) -> None:
    # the first start of its kind leaves bytecode of what it loads
    program("plan", "-a", ANSWERS)
    with untouched(program.host, "/etc", "/var/lib", "/opt", "/usr/local"):
        done = program("plan", "-a", ANSWERS)
        some = program("plan", "-a", ANSWERS, "hostname")
        planned = program.plan()
    assert (done.status, some.status) == (10, 10)
    for text in ("hostname: 2 of 2 changes to make.", f"+{program.host.address}", "smtpd_relay"):
        assert text in done.stdout
    assert "postfix:" not in some.stdout
    assert "\x1b" not in done.stdout
    assert planned["packages"] == []
    assert [step["id"] for step in planned["steps"]] == WANTED
    for change in (change for step in planned["steps"] for change in step["changes"]):
        assert set(change) == {"title", "needed", "preview", "is_diff", "edited_by_hand"}


def test_nobody_is_hurt_when_the_reader_goes(unchanged: Program) -> None:
    script = f"set -o pipefail; {LAUNCHER} plan -a {ANSWERS} | head -n 1"
    done = unchanged.host.run(["bash", "-c", script], check=False)
    assert done.stdout == "hostname: 2 of 2 changes to make.\n"
    assert done.stderr == ""
    for streams in (">&-", ">&- 2>&-", ">/dev/full", "<&-"):
        line = f"{LAUNCHER} plan -a {ANSWERS} {streams}"
        closed = unchanged.host.run(["bash", "-c", line], check=False)
        assert "Traceback" not in closed.stderr, (streams, closed.stderr)
        assert "Exception ignored" not in closed.stderr, (streams, closed.stderr)


def test_an_error_that_nobody_can_read_keeps_its_exit_code(unchanged: Program) -> None:
    for streams in ("2>/dev/full", "2>&-", ">&- 2>&-"):
        done = unchanged.host.run(f"{LAUNCHER} frob {streams}", check=False)
        assert done.status == 2, (streams, done)


@pytest.mark.parametrize(("face", "shown"), [([], "Begin"), (["--plain"], "Number")])
def test_a_terminal_that_goes_away_is_a_hang_up(
    program: Program, face: list[str], shown: str
) -> None:
    argv = ["python3", "-c", GOING_AWAY, shown, LAUNCHER, *face]
    assert program.host.run(argv, timeout=60).stdout == "129\n"


def test_without_systemd_nothing_begins(unchanged: Program) -> None:
    done = unchanged.apply(within="mount -t tmpfs none /run/systemd")
    helps(done, 3, "does not run systemd", "starts daemons")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('ID=ubuntu\nVERSION_ID="24.04"', "--unproven"),
        ('ID="opensuse-leap"\nVERSION_ID="15.6"', "--unproven"),
        ('ID="rhel"\nVERSION_ID="9.4"', "--unproven"),
        ('ID="rocky"\nVERSION_ID="9.4"', "--unproven"),
        ('ID=arch\nPRETTY_NAME="Arch Linux"', "Arch Linux, which is not supported\nSupported:"),
        ('ID=debian\nVERSION_ID="11"\nPRETTY_NAME="Debian 11"', "Supported: Debian 13"),
        ("", "not supported\nSupported: Debian 13, Debian 12."),
    ],
)
def test_other_systems_are_refused(unchanged: Program, text: str, said: str) -> None:
    helps(unchanged.apply(within=OS_RELEASE.format(text=text)), 3, said)


@pytest.mark.parametrize(
    ("folder", "within", "code", "said"),
    [
        ("/etc/passwd", "", 3, "/etc/passwd is not a folder"),
        ("/etc/passwd/below", "", 3, "/etc/passwd is not a folder"),
        ("/mnt/s", "mount -t tmpfs -o ro none /mnt", 1, "/mnt/s cannot be written: read-only file"),
        ("/mnt/s", "mount -t tmpfs -o size=8k none /mnt", 1, "cannot be written: no space left"),
        ("/mnt/s", "mount -t tmpfs -o size=24k none /mnt", 1, "cannot be written: no space left"),
    ],
)
def test_a_state_folder_that_cannot_be_kept(
    unchanged: Program, folder: str, within: str, code: int, said: str
) -> None:
    helps(unchanged.apply("--state", folder, within=within), code, said)
    if code == 3:
        helps(unchanged("status", "--state", folder, within=within), code, said)


def test_a_new_host_has_a_state_of_nothing(unchanged: Program) -> None:
    shown = unchanged("status").stdout.splitlines()[0]
    assert shown.split(maxsplit=2) == ["-", "hostname", "not set up yet"]
    rows = json.loads(unchanged("status", "--json").stdout)["steps"]
    states = {step: "pending" if step in WANTED else "skipped" for step in ALL}
    assert rows == [{"id": step, "state": state, "since": ""} for step, state in states.items()]


@pytest.mark.parametrize("suite", images.SUITES)
def test_a_host_without_python_is_told_what_is_missing(internet: Internet, suite: str) -> None:
    with Host(images.base(suite), net=internet.network) as host:
        host.run("useradd -m -s /bin/bash alice")
        put_checkout(host)
        with untouched(host, "/etc", "/usr", "/var/lib", "/home", "/root", "/opt"):
            for user in (None, "alice"):
                usage = host.run([LAUNCHER, "--help"], user=user).stdout
                assert usage.startswith("usage: mailwizard")
                version = host.run([LAUNCHER, "--version"], user=user).stdout
                assert version == "mailwizard 0.1.0\n"
            said = helps(host.run([LAUNCHER, "check"], user="alice", check=False), 3, "Python 3.11")
            assert f"sudo {LAUNCHER}" in said


def begun(trace: str) -> Counter[str]:
    """Give which programs a traced run of the launcher began, and how often."""
    words = [line.lstrip("+ ").split()[0] for line in trace.splitlines() if line.startswith("+")]
    functions = re.findall(r"^(\w+)\(\)", (CHECKOUT / "mailwizard").read_text(), re.MULTILINE)
    own = {*functions, "[", "echo", "exec", "printf", "return", "set", "shift", "umask"}
    return Counter(word for word in words if word not in own and "=" not in word)


@pytest.mark.parametrize("suite", images.SUITES)
def test_the_second_start_makes_nothing_anew(prepared: Prepared, suite: str) -> None:
    """It reads what the environment would be made from, by one program each, and that is all."""
    reads = ("readlink", "sha256sum", "id")
    with Host(prepared.ready(suite), net=prepared.internet.network) as host:
        for user in (None, "alice"):
            host.run([LAUNCHER, "--version"], user=user)
            with untouched(host, "/etc", "/usr", "/var/lib", "/home", "/root", "/opt"):
                done = host.run(["sh", "-x", LAUNCHER, "--version"], user=user)
            assert done.stdout == "mailwizard 0.1.0\n"
            assert begun(done.stderr) <= Counter(reads), done.stderr
            assert "+ exec /usr/local/lib/mailwizard/env-" in done.stderr
