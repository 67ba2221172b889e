"""Tests of what the campaign itself decides: `python3 tools/campaign/tests.py`."""

import json
import unittest

import checkpoints
import damage
from outcome import Outcome, Tally, table


class Damage(unittest.TestCase):
    def test_the_same_seed_gives_the_same_damage(self):
        data = bytes(range(256)) * 40
        for how in damage.BYTES:
            first, again, other = (how(data, damage.rng(how.__name__, seed)) for seed in (1, 1, 2))
            self.assertEqual(first, again)
            self.assertNotEqual((first, other), (data, data), how.__name__)

    def test_values_are_changed_at_their_place_alone(self):
        value = {"a": [1, {"b": "x"}], "c": {}}
        self.assertEqual(damage.leaves(value), [("a", 0), ("a", 1, "b"), ("c",)])
        self.assertEqual(damage.put(value, ("a", 1, "b"), 3), {"a": [1, {"b": 3}], "c": {}})
        self.assertEqual(damage.put(value, ("a", 0), damage.put), {"a": [{"b": "x"}], "c": {}})
        self.assertEqual(value["a"][1]["b"], "x")

    def test_a_header_of_weights_survives_a_round(self):
        header = {"t": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}}
        data = checkpoints.with_header(header, bytes(8))
        self.assertEqual(checkpoints.header_of(data), (header, bytes(8)))
        self.assertNotEqual(checkpoints.header_of(checkpoints.change_header(data, damage.rng(1)))[0], header)


class Verdicts(unittest.TestCase):
    def test_how_a_run_ended(self):
        kinds = {
            Outcome(0, "{}", "").kind(): "answered",
            Outcome(1, "", "longsight: no such file\n").kind(): "refused",
            Outcome(1, "", "longsight: a\nb\n").kind(): "wrong",
            Outcome(1, "", "").kind(): "wrong",
            Outcome(-11, "", "").kind(): "crash",
            Outcome(101, "", "thread 'main' panicked").kind(): "crash",
            Outcome(None, "", "").kind(): "hang",
        }
        self.assertTrue(all(found == right for found, right in kinds.items()), kinds)

    def test_the_table_counts_runs_and_faults(self):
        tally = Tally("x")
        for kind in ("answered", "refused", "warned"):
            tally.add(kind)
        row = tally.finish().row()
        self.assertTrue(row.startswith("| x | 3 | 1 | 1 | 1 | 0 | 0 | 0 | 0 | 0 |"), row)
        self.assertEqual(len(table([tally]).splitlines()), 3)
        self.assertEqual(json.dumps(tally.faults), "[]")


if __name__ == "__main__":
    unittest.main()
