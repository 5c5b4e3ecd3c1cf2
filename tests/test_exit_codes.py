"""How a command ends when it is interrupted, or when nobody reads what it says."""

import os
import signal
import subprocess
import time

from .peers import ROOT
from .projects import COMMAND


def test_a_reader_that_has_seen_enough_is_no_error() -> None:
    """A closed pipe ends the command with 0 and without a word."""
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run([COMMAND, "list"], cwd=ROOT, stdout=writer, stderr=subprocess.PIPE, check=False)
    os.close(writer)
    assert (done.returncode, done.stderr) == (0, b"")


def test_an_interrupted_command_ends_with_130() -> None:
    """Ctrl-C while the command waits for Secrets on standard input."""
    command = [COMMAND, "seal", "prod", "-f", "-"]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, cwd=ROOT, stdin=pipe, stdout=pipe, stderr=pipe) as process:
        time.sleep(2)  # until it reads
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=20) == 130
        assert process.stderr is not None
        assert b"Traceback" not in process.stderr.read()


def test_a_closed_standard_output_gives_no_traceback() -> None:
    """As a shell closes it with >&-: a listing goes nowhere, and plain values are refused."""
    for arguments, code in ((["list"], 0), (["render", "prod", "--decrypt"], 2)):
        shell = ["sh", "-c", 'exec "$0" "$@" >&-', COMMAND, *arguments]
        done = subprocess.run(shell, cwd=ROOT, stderr=subprocess.PIPE, check=False)
        assert (done.returncode, b"Traceback" in done.stderr) == (code, False)
