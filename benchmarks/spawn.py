"""python spawn.py REPORT COMMAND…: run a command, write into REPORT its seconds and its peak memory in kibibytes.

A small process of its own: Linux counts what a parent holds when it starts a child as the child's own peak.
"""

import os
import sys
from time import perf_counter

report, *command = sys.argv[1:]
start = perf_counter()
process = os.posix_spawn(command[0], command, os.environ)
_, status, usage = os.wait4(process, 0)  # of the process and of all that it waited for
seconds = perf_counter() - start
with open(report, "w") as file:
    file.write(f"{seconds} {usage.ru_maxrss}")
sys.exit(os.waitstatus_to_exitcode(status))
