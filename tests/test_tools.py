#!/usr/bin/env python3
"""What the scripts here count as a failure. The last line says 'N passed, N failed'."""
import os, re, sys, unittest

sys.path.append(os.path.join(os.path.dirname(os.path.abspath(__file__)), "model"))

import all as suites
import conformance
import fuzz
from florin import Answer
from observed import Rows


class Conformance(unittest.TestCase):
    def judge(self, outcomes, pending, cases=("a.x", "a.y")):
        passed, waiting, problems = conformance.judge(outcomes, list(pending), list(cases))
        return passed, waiting, [name for name, _ in problems]

    def test_ok(self):
        self.assertEqual(self.judge({"a.x": "ok", "a.y": "ok"}, []), (["a.x", "a.y"], [], []))

    def test_pending_may_fail(self):
        self.assertEqual(self.judge({"a.x": "ok", "a.y": "FAIL"}, ["a.y"]), (["a.x"], ["a.y"], []))

    def test_what_is_not_pending_may_not(self):
        for outcome in ("FAIL", "BROKE", "skip"):
            self.assertEqual(self.judge({"a.x": "ok", "a.y": outcome}, []), (["a.x"], [], ["a.y"]))
        self.assertEqual(self.judge({"a.x": "ok"}, []), (["a.x"], [], ["a.y"]))

    def test_pending_may_not_pass(self):
        self.assertEqual(self.judge({"a.x": "ok", "a.y": "ok"}, ["a.y"]), (["a.x"], [], ["a.y"]))

    def test_the_list_names_cases_once(self):
        self.assertEqual(self.judge({"a.x": "ok", "a.y": "FAIL"}, ["a.y", "a.y"])[2], ["a.y"])
        self.assertEqual(self.judge({"a.x": "ok", "a.y": "ok"}, ["gone.z"])[2], ["gone.z"])

    def test_output_of_run(self):
        lines = ["FAIL     a.x: 2 differences", "    a.x/1 GET /: status: wanted 200 got 500", "ok       a.y", "skip     b.z", "1 FAIL, 1 ok, 1 skip"]
        outcomes, details = conformance.outcomes_in(lines)
        self.assertEqual(outcomes, {"a.x": "FAIL", "a.y": "ok", "b.z": "skip"})
        self.assertEqual(details["a.x"], [lines[1]])

    def test_order(self):
        self.assertTrue(conformance.in_order("# one\na\nb\n\n# two\na\n"))
        self.assertFalse(conformance.in_order("# one\nb\na\n"))

    def test_shrinking_drops_empty_groups(self):
        text = "# head\n\n# one\na.x\n\n# two\nb.x\nb.y\n"
        self.assertEqual(conformance.without(text, {"a.x", "b.y"}), "# head\n\n# two\nb.x\n")


class Counting(unittest.TestCase):
    def test_closing_line(self):
        self.assertEqual(suites.closing(["x", "3 passed, 1 failed"]), (3, 1))
        self.assertIsNone(suites.closing(["3 passed, 1 failed", "Traceback"]))
        self.assertIsNone(suites.closing([]))

    def test_cargo(self):
        line = "test result: ok. 5 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s"
        self.assertEqual(suites.cargo([line, line]), (10, 0))
        self.assertEqual(suites.cargo([line.replace("0 failed; 0 ignored", "1 failed; 2 ignored")]), (5, 3))
        self.assertIsNone(suites.cargo(["error: could not compile"]))
        self.assertIsNone(suites.cargo([line.replace("5 passed", "0 passed")]))

    def test_node(self):
        self.assertEqual(suites.node(["# tests 3", "# pass 2", "# fail 1", "# cancelled 0", "# skipped 0"]), (2, 1))
        self.assertEqual(suites.node(["# pass 2", "# fail 0", "# cancelled 1", "# skipped 1"]), (2, 2))
        self.assertIsNone(suites.node(["# pass 0", "# fail 0"]))

    def test_pytest(self):
        self.assertEqual(suites.pytest(["....", "23 passed in 0.58s"]), (23, 0))
        self.assertEqual(suites.pytest(["1 failed, 21 passed, 1 error, 1 skipped in 2s"]), (21, 3))
        self.assertIsNone(suites.pytest(["no tests ran in 0.01s"]))

    def test_the_status_has_the_last_word(self):
        self.assertEqual(suites.verdict(0, (3, 0)), (3, 0))
        self.assertEqual(suites.verdict(1, (3, 0)), (3, 1))
        self.assertEqual(suites.verdict(1, (3, 2)), (3, 2))
        self.assertEqual(suites.verdict(0, None), (0, 1))

    def test_what_takes_too_long_is_killed(self):
        status, lines = suites.play(["sh", "-c", "echo begun; sleep 60 & sleep 60"], 0.5)
        self.assertNotEqual(status, 0)
        self.assertEqual(lines, ["begun"])


class Fuzzing(unittest.TestCase):
    GOOD = "#5 DONE cov: 12 ft: 30 corp: 4\nstat::number_of_executed_units: 100000\n"

    def test_a_target_passes_when_it_tried_something(self):
        self.assertTrue(fuzz.verdict("dates", 0, self.GOOD)[0])
        self.assertFalse(fuzz.verdict("dates", 77, self.GOOD)[0])
        self.assertFalse(fuzz.verdict("dates", 0, "")[0])
        self.assertFalse(fuzz.verdict("dates", 0, self.GOOD.replace("100000", "1"))[0], "its own inputs only")
        self.assertFalse(fuzz.verdict("dates", 0, self.GOOD.replace("cov", "vo"))[0], "nothing is instrumented")

    def test_every_target_is_built_and_has_inputs(self):
        with open(f"{fuzz.FUZZ}/Cargo.toml") as file:
            manifest = file.read()
        for target in fuzz.targets():
            self.assertIn(f'path = "targets/{target}.rs"', manifest)
            self.assertTrue(fuzz.folders(target), target)


class Growing:
    """Lists rows, newest first; whenever a page was told the next rows are made, as timers do while the model looks."""

    def __init__(self, count):
        self.count, self.coming = count, []

    def get(self, path):
        limit, offset = (int(re.search(name + r"=(\d+)", path)[1]) if name in path else 0 for name in ("limit", "offset"))
        ids = [f"t{number}" for number in range(self.count, 0, -1)][offset : offset + limit]
        self.count += self.coming.pop(0) if self.coming else 0
        answer = Answer(200, "")
        answer.body = [{"transaction_id": id} for id in ids]
        return answer


class Model(unittest.TestCase):
    def test_rows_that_come_between_two_pages_are_told_once(self):
        client = Growing(3)
        rows = Rows(client)
        client.count, client.coming = 20, [2, 1]
        told = [row["transaction_id"] for row in rows.new(5)]
        self.assertEqual(told, [f"t{number}" for number in range(4, 21)])
        self.assertEqual([row["transaction_id"] for row in rows.new(5)], ["t21", "t22", "t23"])


if __name__ == "__main__":
    result = unittest.TextTestRunner(stream=sys.stdout).run(unittest.defaultTestLoader.loadTestsFromModule(sys.modules["__main__"]))
    wrong = len(result.failures) + len(result.errors) + len(result.skipped)
    print(f"{result.testsRun - wrong} passed, {wrong} failed")
    sys.exit(1 if wrong or not result.testsRun else 0)
