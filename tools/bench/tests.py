"""python3 tools/bench/tests.py (in the virtual environment of scripts/bench-peers.sh, or any Python with numpy)."""

import json
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

import inputs
import memory
import report
from sides import Failed, Job, Side


def entry(stage, size, rate, **more):
    return {"stage": stage, "size": size, "per_sec": {"all": [rate]}, **more}


def run(side, dtype, round_number, rate, peak=1 << 20, **more):
    output = {"version": f"{side} 1", "results": [entry("tower", 8, rate, **more)], "sampled_peak_bytes": peak}
    return {"stage": "tower", "size": 8, "round": round_number, "side": side, "dtype": dtype, "pool": None,
            "output": output}


LAYERS = {"tower": 2, "tower_published": 26, "decoder": 24, "decoder_published": 24}
LIMITS = {"machine": {"cpu": "X", "cores": 2, "features": ["avx2"]},
          "limits": [{"name": "f32", "instructions": "i", "threads": 2, "giga_per_sec": {"all": [10.0, 30.0, 20.0]}},
                     {"name": "bf16", "instructions": "none", "threads": 2, "giga_per_sec": None}]}
RESULT = {"date": "2030-01-01", "system": "S", "commit": "c", "roofline": LIMITS, "shape": "0.5b", "layers": LAYERS,
          "rounds": 2, "threads": 2, "failures": [{"stage": "text", "size": 64, "error": "llama.cpp q8_0: gone"}],
          "left_out": ["other"],
          "runs": [run("longsight", "q8_0", 0, 3.0, percent_of_limit=50.0, limit="int8 Gop/s"),
                   run("peer", "bf16", 0, 2.0, 2 << 20), run("longsight", "q8_0", 1, 8.0),
                   run("peer", "bf16", 1, 4.0, 4 << 20)]}

PRODUCTS = {"machine": {"cpu": "X", "threads": 2},
            "results": [{"kernel": "fc1", "dtype": "int8", "limit": "int8", "giga_per_sec": {"all": [1.0, 2.0, 3.0]},
                         "percent_of_limit": {"all": [25.0, 50.0, 75.0]}}]}


class Report(unittest.TestCase):
    def test_ratios_are_taken_round_by_round(self):
        text = report.markdown(RESULT)
        self.assertIn("| peer bf16 | 3.00 (2.00 to 4.00) | 1.75 (1.50 to 2.00) |", text)
        self.assertIn("| 50 (int8) |", text)

    def test_memory_is_the_largest_of_all_rounds(self):
        self.assertIn("| q8_0 | 1 | peer bf16 | 4 | 0.25 | 0.25 |", report.markdown(RESULT))

    def test_cuts_and_failures_are_told(self):
        text = report.markdown(RESULT)
        self.assertIn("tower cut to 2 of 26 layers (for every side", text)
        self.assertNotIn("decoder cut", text)
        self.assertIn("- Not measured: text 64: llama.cpp q8_0: gone", text)
        self.assertIn("could not be installed: other", text)

    def test_a_folder_is_named_by_day_and_machine(self):
        def named(cpu):
            return report.folder_name("2030-01-31", {"cpu": cpu})

        self.assertEqual(named("AMD EPYC (family 25, model 17, stepping 1)"), "2030-01-31-amd-epyc-25-17")
        self.assertEqual(named("Intel(R) Xeon(R) Processor (family 6, model 207, stepping 2)"), "2030-01-31-intel-xeon-6-207")

    def test_pages_are_written_and_the_rest_kept(self):
        with tempfile.TemporaryDirectory() as root:
            index, folder = Path(root, "README.md"), Path(root, "2030-01-01-x")
            folder.mkdir()
            index.write_text(f"# Before\n\n{report.BEGIN}\nold\n{report.END}\n\n# After\n")
            (folder / "peers.json").write_text(json.dumps(RESULT))
            (folder / "products.json").write_text(json.dumps(PRODUCTS))
            (folder / "quality.json").write_text('{"kl": 0.5}')
            for _ in range(2):
                report.write_pages(Path(root))
            text, page = index.read_text(), (folder / "README.md").read_text()
        self.assertTrue(text.startswith(f"# Before\n\n{report.BEGIN}") and text.endswith(f"{report.END}\n\n# After\n"))
        self.assertIn("| 2030-01-01 | X | 0.5b | c | 2 | [peers](2030-01-01-x/README.md) |", text)
        self.assertNotIn("old", text)
        self.assertIn("| q8_0 | 1 | peer bf16 | 4 | 0.25 | 0.25 |", page)
        self.assertIn("| fc1 | int8 | 2.00 (1.00 to 3.00) | 50 (25 to 75) (int8) |", page)
        self.assertIn("[quality.json](quality.json)", page)


class Sides(unittest.TestCase):
    def test_a_failure_is_one_line_that_names_the_side(self):
        side = Side("transformers", "bf16", 1, lambda: "no-such-model")
        side.command = lambda _job: [sys.executable, "-c", "import sys; print('why', file=sys.stderr); sys.exit(1)"]
        with self.assertRaisesRegex(Failed, "^transformers bf16: why$"):
            side.run(Job("tower", 1))

    def test_vision_dtype_follows_a_slash(self):
        side = Side("longsight", "q4k/q8_0", 1, None, {"bench": "b", "model_flags": []})
        self.assertIn("--dtype q4k --vision-dtype q8_0", " ".join(side.command(Job("tower", 1))))

    def test_memory_is_that_of_the_whole_tree(self):
        script = "import subprocess, sys; subprocess.run([sys.executable, '-c', 'x = bytes([1]) * (1 << 26); input()'])"
        process = subprocess.Popen([sys.executable, "-c", script], stdin=subprocess.PIPE)
        with memory.Watch(process.pid) as watch:
            while watch.peak_bytes < 1 << 26 and process.poll() is None:
                pass
            process.communicate(b"\n")
        self.assertGreaterEqual(watch.peak_bytes, 1 << 26)


class Commits(unittest.TestCase):
    def test_the_interval_of_a_median_is_by_order_alone(self):
        self.assertEqual(report.median_interval(range(1, 11)), (2, 9))  # 97.9%; 3 to 8 would be 89.1%
        self.assertEqual(report.median_interval(range(1, 13)), (3, 10))  # 96.1%
        self.assertEqual(report.median_interval([2, 3, 1, 5, 4, 6]), (1, 6))  # 96.9%

    def test_a_ratio_is_taken_within_its_round(self):
        runs = [{"round": n, "dtype": "int8", "stage": "tower", "size": 4, "before": before, "after": after}
                for n, (before, after) in enumerate([(1.0, 2.0), (10.0, 20.0), (4.0, 4.0)])]
        self.assertEqual(report.commits_rows(runs), [["tower, 4", "int8", "4.00", "4.00", "2.000", "1.000 to 2.000"]])


class Inputs(unittest.TestCase):
    def test_are_those_of_the_rust_side(self):
        self.assertEqual(inputs.token_ids(4, 151_936), [13, 7932, 15_851, 23_770])
        frames = inputs.frames_rgb(2, 384)
        self.assertEqual(frames[0].ravel()[:5].tolist(), [0, 187, 119, 51, 239])
        self.assertNotEqual(frames[0].ravel()[:8].tolist(), frames[1].ravel()[:8].tolist())


if __name__ == "__main__":
    unittest.main()
