"""Runs `longsight`, once or as a server."""

import json
import os
import re
import signal
import subprocess
import threading
import time
import urllib.error
import urllib.request

from outcome import Outcome

HANG_SECS = 60


def environment(folder):
    """None of the caller's settings; caches below `folder`."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("LONGSIGHT", "HF_", "HUGGING"))}
    return kept | {"HF_HUB_OFFLINE": "1", "LONGSIGHT_CACHE": str(folder / "cache"), "LONGSIGHT_INDEX": "off"}


class Program:
    def __init__(self, path, folder):
        self.path, self.folder = path, folder

    def start(self, *args, **options):
        command = [self.path, *map(str, args)]
        pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | options
        return subprocess.Popen(command, env=environment(self.folder), start_new_session=True, **pipes)

    def run(self, *args, limit_secs=HANG_SECS):
        process = self.start(*args)
        try:
            out, err = process.communicate(timeout=limit_secs)
            code = process.returncode
        except subprocess.TimeoutExpired:
            kill(process)
            out, err = process.communicate()
            code = None
        return Outcome(code, out.decode(errors="replace"), err.decode(errors="replace"))

    def answer(self, *args):
        """A run that has to succeed, as a reference; with --json what it says."""
        outcome = self.run(*args, limit_secs=600)
        if outcome.code != 0:
            raise SystemExit(f"campaign: {' '.join(map(str, args))}: {outcome.words()}")
        return json.loads(outcome.out.splitlines()[-1]) if "--json" in args else None


def kill(process):
    """SIGKILL for the process and its children."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    process.wait()


class Server:
    """`longsight serve` on a free port; its resident memory is watched."""

    def __init__(self, program, uploads, *flags):
        self.process = program.start("serve", "--port", 0, "--uploads", uploads, *flags, stdout=subprocess.DEVNULL)
        self.memory_mib, self.url, lines = 0.0, None, []
        for line in self.process.stderr:
            lines.append(line.decode(errors="replace"))
            if found := re.search(r"http://\S+", lines[-1]):
                self.url = found.group()
                break
        if self.url is None:
            raise SystemExit(f"campaign: the server ended: {''.join(lines)[-500:]}")
        self.tail = []
        threading.Thread(target=self._read_log, daemon=True).start()
        threading.Thread(target=self._watch, daemon=True).start()

    def _read_log(self):
        for line in self.process.stderr:
            self.tail = [*self.tail[-20:], line.decode(errors="replace")]

    def _watch(self):
        while self.process.poll() is None:
            try:
                status = open(f"/proc/{self.process.pid}/status").read()
            except OSError:
                return
            if found := re.search(r"VmHWM:\s+(\d+) kB", status):
                self.memory_mib = max(self.memory_mib, int(found.group(1)) / 1024)
            time.sleep(0.2)

    def alive(self):
        return self.process.poll() is None and not any("panicked" in line for line in self.tail)

    def call(self, path, body=None, method=None, kind="application/json", limit_secs=HANG_SECS):
        """Status and body; status 0 where the connection ended, None where no answer came in time."""
        data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data, {"Content-Type": kind} if data else {}, method=method)
        try:
            with urllib.request.urlopen(request, timeout=limit_secs) as response:
                return response.status, response.read()
        except urllib.error.HTTPError as error:
            return error.code, error.read()
        except TimeoutError:
            return None, b""
        except (urllib.error.URLError, ConnectionError, OSError) as error:
            return (None if "timed out" in str(error) else 0), b""

    def stop(self):
        self.process.terminate()
        try:
            self.process.wait(60)
        except subprocess.TimeoutExpired:
            kill(self.process)
