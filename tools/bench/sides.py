"""The programs that are compared: how each is started for a stage, and what its output says."""

import json
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import memory

TOOLS = Path(__file__).parent
# What llama.cpp has at the same bits as a dtype of longsight.
LLAMA_DTYPES = {"f32": "f16", "bf16": "f16", "f16": "f16", "q8_0": "q8_0", "q4k": "q4_k_m"}


class Failed(Exception):
    """A side that could not be measured; one line."""


@dataclass
class Job:
    """A stage at one size: one process of each side a round."""

    stage: str  # tower, text or whole
    size: int  # frames, prompt tokens, or frames
    prefill: bool = False
    decode: bool = False
    new_tokens: int = 32

    def flags(self):
        if self.stage == "tower":
            return ["--stages", "tower", "--frames", str(self.size), "--repeats", "1"]
        stages = ",".join(name for name, has in (("prefill", self.prefill), ("decode", self.decode)) if has)
        return ["--stages", stages, "--lengths", str(self.size) if self.prefill else "1", "--contexts", str(self.size),
                "--new-tokens", str(self.new_tokens), "--repeats", "1"]


@dataclass
class Side:
    """A program in one dtype."""

    name: str
    dtype: str
    threads: int
    model: object  # a function: the checkpoint folder or GGUF file, made when first needed
    options: dict = field(default_factory=dict)

    @property
    def label(self):
        return f"{self.name} {self.dtype}"

    def does(self, job):
        return self.name != "llama.cpp" or job.stage == "text"

    def command(self, job):
        if self.name == "longsight":
            return self.longsight(job)
        script = "peer_llama.py" if self.name == "llama.cpp" else "peer_transformers.py"
        flags = ["--stages", "whole", "--frames", str(job.size)] if job.stage == "whole" else job.flags()
        return [sys.executable, str(TOOLS / script), "--model", str(self.model()), "--dtype", self.dtype,
                "--threads", str(self.threads), *flags]

    def longsight(self, job):
        dtype, _, vision = self.dtype.partition("/")
        dtypes = ["--dtype", dtype, *(["--vision-dtype", vision] if vision else [])]
        common = [self.options["bench"], "--json", "--threads", str(self.threads)]
        model = self.options["model_flags"]
        if job.stage == "whole":
            pool = ["--pool", self.options["pool"]] if self.options.get("pool") else []
            return [*common, "memory", *model, "--frames", str(job.size), "--", *dtypes, *pool]
        roofline = ["--roofline", self.options["roofline"]] if self.options.get("roofline") else []
        return [*common, "stages", *model, *dtypes, *roofline, *job.flags()]

    def run(self, job):
        """What it prints, with the peak memory of its processes."""
        command = [str(part) for part in self.command(job)]
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        with memory.Watch(process.pid) as watch:
            out, errors = process.communicate()
        if process.returncode != 0:
            lines = errors.decode(errors="replace").strip().splitlines()
            raise Failed(f"{self.label}: {lines[-1] if lines else f'it ended with status {process.returncode}'}")
        output = json.loads(out)
        # A whole run of longsight is a child of longsight-bench, which watches it alone.
        peaks = [run["peak_bytes"] for run in output.get("runs", [])]
        return {**output, "sampled_peak_bytes": max(peaks, default=watch.peak_bytes)}
