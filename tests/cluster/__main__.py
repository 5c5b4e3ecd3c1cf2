"""`make cluster`: run the test cluster for a person until Ctrl-C."""

import signal
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from ..peers import path_of
from .controlplane import PEERS, Cluster


def main() -> int:
    """Print how to reach the cluster once all of it is ready, and stop it when a signal asks for that."""
    if missing := [name for name in PEERS if path_of(name) is None]:
        print(f"missing: {', '.join(missing)}; make tools builds what Go can build", file=sys.stderr)
        return 1
    # A shell starts what it puts in the background with SIGINT ignored.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda signum, _: sys.exit(128 + signum))
    start = time.monotonic()
    try:
        with TemporaryDirectory(prefix="ksecret-cluster-") as folder:
            print("the cluster starts …", file=sys.stderr)
            with Cluster(Path(folder)) as cluster:
                seconds = time.monotonic() - start
                print(f"ready after {seconds:.0f} s; logs are in {folder}; Ctrl-C stops it", file=sys.stderr)
                print(f"export KUBECONFIG={cluster.kubeconfig}", flush=True)
                signal.pause()
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
