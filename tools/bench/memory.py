"""The largest resident memory of a process and its descendants, sampled from outside: one instrument for every side."""

import os
import threading
from pathlib import Path

INTERVAL_SECS = 0.025


def status_bytes(process, key):
    try:
        for line in Path(f"/proc/{process}/status").read_text().splitlines():
            if line.startswith(key):
                return int(line.split()[1]) * 1024
    except (OSError, ValueError, IndexError):
        pass  # it has ended
    return 0


def tree_bytes(process):
    children = []
    try:
        for task in os.listdir(f"/proc/{process}/task"):
            children += Path(f"/proc/{process}/task/{task}/children").read_text().split()
    except OSError:
        pass  # it, or a thread of it, has ended
    return status_bytes(process, "VmRSS:") + sum(map(tree_bytes, children))


class Watch:
    """`with Watch(process) as watch: ...`, then `watch.peak_bytes`; 0 where the system has no /proc."""

    def __init__(self, process):
        self.process, self.peak_bytes = process, 0
        self.ended = threading.Event()
        self.thread = threading.Thread(target=self.run, daemon=True)

    def run(self):
        while not self.ended.is_set():
            # The system's own record covers what passes between two samples.
            now = max(tree_bytes(self.process), status_bytes(self.process, "VmHWM:"))
            self.peak_bytes = max(self.peak_bytes, now)
            self.ended.wait(INTERVAL_SECS)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.ended.set()
        self.thread.join()
