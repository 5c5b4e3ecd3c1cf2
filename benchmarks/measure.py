"""Two ways to do one job, run in turn and compared pair by pair, so that a busy machine slows both."""

import os
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import NamedTuple

LEAST_PAIRS = 4  # an even number: each side was the first as often
NOWHERE = Path(os.devnull)
_SPAWN = Path(__file__).with_name("spawn.py")


class Usage(NamedTuple):
    """What a job took: its time, and the memory of its largest process."""

    seconds: float
    mebibytes: float


Job = Callable[[], Usage]


def run(
    *command: str | Path,
    folder: Path,
    variables: Mapping[str, str] | None = None,
    given: Path = NOWHERE,
    output: Path = NOWHERE,
) -> Usage:
    """Run a command that must succeed; `given` is its standard input and `output` gets its standard output."""
    with TemporaryDirectory(prefix="ksecret-run-") as temporary, given.open("rb") as stdin, output.open("wb") as stdout:
        report = Path(temporary, "report")
        spawning = (sys.executable, "-I", "-S", _SPAWN, report, *command)
        done = subprocess.run(
            spawning, cwd=folder, env=variables, stdin=stdin, stdout=stdout, stderr=subprocess.PIPE, check=False
        )
        if done.returncode != 0:
            raise SystemExit(f"{' '.join(map(str, command))}: exit {done.returncode}\n{done.stderr.decode()}")
        seconds, kibibytes = report.read_text().split()
    return Usage(float(seconds), int(kibibytes) / 1024)


class Bound(NamedTuple):
    """What the ratio of peer to ours (`faster`) must reach, or that of ours to peer must not exceed."""

    factor: float
    faster: bool = False

    def __str__(self) -> str:
        return f"{'>=' if self.faster else '<='} {self.factor:g}"


class Line(NamedTuple):
    """One line of the report: medians of the pairs of a job and its peer."""

    subject: str
    ours: Usage
    peer: Usage
    pairs: int
    ratio: float
    bound: Bound | None

    @property
    def verdict(self) -> str:
        """Whether the bound holds."""
        if self.bound is None:
            return ""
        holds = self.ratio >= self.bound.factor if self.bound.faster else self.ratio <= self.bound.factor
        return "ok" if holds else "OVER"


def compare(subject: str, ours: Job, peer: Job, bound: Bound | None = None, seconds: float = 10) -> Line:
    """Run both in turn for so long; the first of a pair is the other one each time."""
    pairs: list[tuple[Usage, Usage]] = []
    end = perf_counter() + seconds
    while len(pairs) < LEAST_PAIRS or perf_counter() < end:
        if len(pairs) % 2:
            pairs.append((ours(), peer()))
        else:
            second = peer()
            pairs.append((ours(), second))
    ratios = [(b / a if bound and bound.faster else a / b) for (a, _), (b, _) in pairs]
    mine, others = zip(*pairs, strict=True)
    return Line(
        subject=subject,
        ours=_median(mine),
        peer=_median(others),
        pairs=len(pairs),
        ratio=median(ratios),
        bound=bound,
    )


def _median(usages: Sequence[Usage]) -> Usage:
    return Usage(median(usage.seconds for usage in usages), median(usage.mebibytes for usage in usages))
