"""What a part of the campaign counts, and its row of the table."""

import dataclasses
import threading
import time

HEADS = ["part", "runs", "refused in one line", "answered, with a warning", "answered", "crashes", "hangs over 60 s", "silent wrong results"]
HEADS += ["lost", "left behind", "most memory MiB", "minutes"]
FAULTS = ("crash", "hang", "wrong", "lost", "left")


class Tally:
    """Counts of one part; what is a fault is kept in words, with the seed that makes it again."""

    def __init__(self, name):
        self.name, self.counts, self.faults = name, {}, []
        self.memory_mib = 0.0
        self.began, self.lock = time.monotonic(), threading.Lock()
        self.minutes = 0.0

    def add(self, kind, words=""):
        with self.lock:
            self.counts[kind] = self.counts.get(kind, 0) + 1
            if kind in FAULTS:
                self.faults.append(f"{self.name}: {kind}: {words}")
                print(self.faults[-1], flush=True)

    def finish(self):
        self.minutes = (time.monotonic() - self.began) / 60
        return self

    def row(self):
        counts = self.counts
        runs = sum(count for kind, count in counts.items() if kind not in ("lost", "left"))
        cells = [self.name, runs, *(counts.get(kind, 0) for kind in ("refused", "warned", "answered", *FAULTS))]
        cells += [f"{self.memory_mib:.0f}" if self.memory_mib else "", f"{self.minutes:.1f}"]
        return "| " + " | ".join(str(cell) for cell in cells) + " |"


def table(tallies):
    return "\n".join(["| " + " | ".join(HEADS) + " |", "|" + "---|" * len(HEADS), *(tally.row() for tally in tallies)])


@dataclasses.dataclass
class Outcome:
    """One run of the program: `code` is None where it was ended after its time."""

    code: int | None
    out: str
    err: str

    def kind(self):
        """`crash`, `hang`, `refused` or `answered`; a failure that is not one clear line is `wrong`."""
        if self.code is None:
            return "hang"
        if self.code < 0 or self.code > 2 or "panicked" in self.err:
            return "crash"
        if self.code == 0:
            return "answered"
        lines = self.err.strip().splitlines()
        return "refused" if len(lines) == 1 and lines[0].startswith("longsight: ") and not self.out else "wrong"

    def words(self):
        return f"exit {self.code}, {self.err.strip()[:300]!r}"
