"""The harness itself: a test bench that can't fail proves nothing."""
import os
import signal
import subprocess
import sys
import unittest

import harness


def outcome(body):
    """Runs one throw-away test method and returns its result, quietly."""
    class Probe(harness.SystemTest):
        def test_it(self):
            body(self)

        def _print_logs(self, most=0):
            pass
    result = unittest.TestResult()
    Probe("test_it").run(result)
    return result


class Harness(unittest.TestCase):
    def test_good_test_passes(self):
        result = outcome(lambda t: t.assertTrue(os.path.isdir(t.conf)))
        self.assertTrue(result.wasSuccessful())

    def test_directory_goes(self):
        seen = []
        outcome(lambda t: seen.append(t.tmp))
        self.assertFalse(os.path.exists(seen[0]))

    def test_process_left_over_is_a_failure(self):
        def body(t):
            # an orphan with a session of its own, as a flusher in the background is
            t.leaving = 1
            subprocess.run(["sh", "-c", "setsid sleep 600 >/dev/null 2>&1 &"], check=True)
        result = outcome(body)
        self.assertEqual(len(result.failures), 1)
        self.assertIn("sleep 600", result.failures[0][1])

    def test_temporary_file_left_over_is_a_failure(self):
        result = outcome(lambda t: open(os.path.join(t.scratch, "x"), "w").close())
        self.assertIn("temporary file left over: x", result.failures[0][1])

    def test_sanitizer_report_is_a_failure(self):
        def body(t):
            with open(os.path.join(t.asan, "asan.1"), "w") as f:
                f.write("ERROR: AddressSanitizer")
        self.assertIn("AddressSanitizer", outcome(body).failures[0][1])

    def test_service_is_stopped(self):
        pids = []
        result = outcome(lambda t: pids.append(t.start("/bin/sleep", "60").pid))
        self.assertTrue(result.wasSuccessful(), result.failures)
        self.assertEqual(harness.command_of(pids[0]), "?")

    def test_wait_has_an_end(self):
        with self.assertRaises(harness.Timeout):
            harness.wait_for("nothing", lambda: False, 0.01)

    def test_runner_counts(self):
        run = os.path.join(harness.SRC, "tests", "run")

        def probe(t):
            path = os.path.join(t.tmp, "test_probe.py")
            with open(path, "w") as f:
                f.write("import unittest\nclass A(unittest.TestCase):\n"
                        "    def test_a(self): pass\n    def test_b(self): self.fail('x')\n"
                        "    def test_c(self): self.skipTest('no moon')\n")
            results = os.path.join(t.tmp, "results")
            env = dict(os.environ, OUTPOST_RESULTS=results)
            first = subprocess.run([sys.executable, "-B", run, "--suite", "probe", path], env=env, stdout=subprocess.PIPE)
            second = subprocess.run([sys.executable, "-B", run, "--total", results], stdout=subprocess.PIPE)
            t.assertEqual(first.returncode, 1)
            t.assertEqual(second.returncode, 1)
            lines = second.stdout.decode().splitlines()
            t.assertEqual(lines[-1], "1 passed, 1 failed, 1 skipped")
            t.assertTrue(any(line.startswith("SKIP ") and line.endswith("no moon") for line in lines))
        result = outcome(probe)
        self.assertTrue(result.wasSuccessful(), result.failures + result.errors)

    def test_runner_stops_a_test_that_hangs(self):
        """The limit is one of silence: a file of many tests may take longer, and the test that hangs is named."""
        run = os.path.join(harness.SRC, "tests", "run")

        def probe(t):
            path = os.path.join(t.tmp, "test_probe.py")
            with open(path, "w") as f:
                f.write("import time, unittest\nclass A(unittest.TestCase):\n" +
                        "".join("    def test_%d(self): time.sleep(0.5)\n" % i for i in range(6)) +
                        "    def test_hangs(self): time.sleep(3600)\n")
            done = subprocess.run([sys.executable, "-B", run, "--limit", "2", path], env=dict(os.environ, OUTPOST_RESULTS=""),
                                  stdout=subprocess.PIPE)
            t.assertEqual(done.returncode, 1)
            t.assertRegex(done.stdout.decode(), r"(?s)test_5.*stopped after 2 s without a word, in test_probe\.A\.test_hangs\n")
        result = outcome(probe)
        self.assertTrue(result.wasSuccessful(), result.failures + result.errors)

    def test_runner_interrupted_leaves_nothing(self):
        """Neither processes, those with a session of their own included, nor mounts, nor directories."""
        run = os.path.join(harness.SRC, "tests", "run")

        def probe(t):
            path, told = os.path.join(t.tmp, "test_probe.py"), os.path.join(t.tmp, "told")
            with open(path, "w") as f:
                f.write("import subprocess, time, harness\nclass A(harness.SystemTest):\n    def test_a(self):\n"
                        "        subprocess.run(['mount', '-t', 'tmpfs', 'tmpfs', self.scratch], stderr=subprocess.DEVNULL)\n"
                        "        p = subprocess.Popen(['setsid', 'sleep', '60'])\n"
                        "        with open(%r, 'w') as f:\n            f.write('%%d %%s\\n' %% (p.pid, self.tmp))\n"
                        "        time.sleep(60)\n" % told)
            for number in (signal.SIGINT, signal.SIGTERM):
                if os.path.exists(told):
                    os.unlink(told)
                runner = t.start(sys.executable, "-B", run, path)
                pid, place = harness.wait_for("the test", lambda: open(told).read() if os.path.exists(told) else None).split()
                runner.signal(number)
                t.assertEqual(runner.wait(), 128 + number, runner.output())
                t.assertEqual(harness.command_of(int(pid)), "?")
                t.assertFalse(os.path.exists(place))
                with open("/proc/mounts") as f:
                    t.assertNotIn(place, f.read())
        result = outcome(probe)
        self.assertTrue(result.wasSuccessful(), result.failures + result.errors)


if __name__ == "__main__":
    harness.main()
