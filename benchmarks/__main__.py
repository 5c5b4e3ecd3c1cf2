"""python -m benchmarks [SUBJECT…]: run them and print a table; whatever it says, the exit code is 0."""

import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from . import building, checking, importing, reading, recovery, sealing, starting, tools
from .measure import Line

SUBJECTS = {
    "sealing": sealing.lines,
    "reading": reading.lines,
    "building": building.lines,
    "checking": checking.lines,
    "importing": importing.lines,
    "starting": starting.lines,
    "recovery": recovery.lines,
}
ROW = "{:<76} {:>8} {:>8} {:>7} {:>9} {:>5} {:>6} {:>11}"


def main() -> None:
    """Print each line as soon as it is measured."""
    names = sys.argv[1:] or list(SUBJECTS)
    if unknown := sorted(set(names) - SUBJECTS.keys()):
        raise SystemExit(f"no such benchmark: {', '.join(unknown)}; there are {', '.join(SUBJECTS)}")
    programs = tools.install()
    print(
        ROW.format("medians of runs in turn", "ours", "peer", "ratio", "bound", "", "pairs", "peak memory"), flush=True
    )
    for name in names:
        with TemporaryDirectory(prefix=f"ksecret-{name}-") as folder:
            try:
                for line in SUBJECTS[name](programs, Path(folder)):
                    print(_row(line), flush=True)
            except tools.MissingPeer as missing:
                print(f"{name}: {missing}")


def _row(line: Line) -> str:
    """Times in milliseconds; the ratio is ours to the peer's, or the peer's to ours where the bound is `>=`."""
    return ROW.format(
        line.subject,
        f"{line.ours.seconds * 1000:,.0f} ms",
        f"{line.peer.seconds * 1000:,.0f} ms",
        f"{line.ratio:.2f}",
        str(line.bound or ""),
        line.verdict,
        line.pairs,
        f"{line.ours.mebibytes:,.0f}/{line.peer.mebibytes:,.0f} MiB",
    )


if __name__ == "__main__":
    main()
