"""The n-th call of a kind fails, n = 1, 2, 3, ... until a run gets by without: never exit 0 without the message on disk,
never a message gone, never one sent after the queue stopped taking commits. And the same from the n-th on: a disk that
stays full or broken.

Long runs (OUTPOST_SOAK=1) try every n; short ones leave some out as n grows.
"""
import collections
import os
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "system"))
import harness  # noqa: E402  pylint: disable=wrong-import-position
from test_drop import submission  # noqa: E402  pylint: disable=wrong-import-position

SOAK = bool(os.environ.get("OUTPOST_SOAK"))


def growing(step):
    """1, 2, 3, ... and then fewer and fewer."""
    n = 1.0
    while True:
        yield int(n)
        n = n + 1 if SOAK else max(n + 1, n * step)


class Failing(harness.SystemTest):
    needs = ("sendmail", "outpostd", "outpost", "outpost-smtp", "outpost-drop")

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.library = os.path.join(harness.BUILD, "failnth.so")
        subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-o", cls.library, os.path.join(HERE, "failnth.c")], check=True)

    def setUp(self):
        super().setUp()
        if harness.ASAN:
            self.skipTest("a sanitizer has its own malloc")

    def failing(self, prog, kind, n, on=False):
        """(environment, whether it happened)"""
        self.fired = os.path.join(self.tmp, "fired.%s.%s.%d" % (prog, kind, n))
        return {"LD_PRELOAD": self.library, "OUTPOST_FAIL_NTH": "%s:%s:%d%s:%s" % (prog, kind, n, "+" if on else "", self.fired)}

    def happened(self):
        return os.path.exists(self.fired)


class Drop(Failing):
    def one(self, kind, n, on):
        queue = os.path.join(self.tmp, "%s.%d%s" % (kind, n, "on" if on else ""))
        data = submission(b"Subject: x\n\n" + b"0123456789\n" * 20000)
        p = subprocess.run([harness.program("outpost-drop"), "-q", queue], input=data, stdout=subprocess.PIPE,
                           stderr=subprocess.PIPE, env=self.environ(self.failing("outpost-drop", kind, n, on)), timeout=60)
        incoming = os.path.join(queue, "incoming")
        names = os.listdir(incoming) if os.path.isdir(incoming) else []
        what = (kind, n, on, p.returncode, p.stdout, names)
        self.assertLessEqual(len(names), 1, what)
        if p.returncode == 0:
            self.assertEqual(len(names), 1, what)
        if names:
            self.assertTrue(names[0].endswith(".msg"), what)
            with open(os.path.join(incoming, names[0]), "rb") as f:
                self.assertEqual(f.read()[20:], data, what)
            # there and yet not said so: only when the answer itself could not be written
            self.assertIn(p.returncode, (0, os.EX_IOERR), what)
        return self.happened()

    def test_each_call(self):
        for kind in ("malloc", "write", "full", "sync", "link", "open"):
            for on in (False, True):
                with self.subTest(kind=kind, on=on):
                    count = 0
                    for n in growing(1.1):
                        if not self.one(kind, n, on):
                            break
                        count = n
                    self.assertGreater(count, 0, "%s never failed" % kind)


class Whole(Failing):
    """Three submissions and their delivery while one call fails in one program; then everything is started afresh."""

    def round(self, prog, kind, n, on=False):
        label = "%s.%s.%d%s" % (prog, kind, n, "on" if on else "")
        self.queue_dir = os.path.join(self.tmp, "queue." + label)
        self.log = os.path.join(self.tmp, label + ".maillog")
        relay = self.start_relay(name="relay." + label)
        self.configure(relay)
        env = self.failing(prog, kind, n, on)
        service = self.start_outpostd(env=env if prog == "outpostd" else None, wait=False)
        harness.wait_for("the door, or the end", lambda: self.door_answers() or not service.alive())
        if not service.alive():     # it said why and left: that is an answer too
            service = self.start_outpostd()
        outcome = {}
        for i in range(3):
            subject = "m%d" % i
            done = self.run_program("sendmail", "-C", self.conf, "-f", "s@example.com", subject + "@example.net",
                                    input="Subject: %s\n\nbody of %s\n" % (subject, subject), code=None, timeout=60,
                                    env=env if prog == "sendmail" else None)
            outcome[subject] = done.returncode
            self.assertIn(done.returncode, (0, 71, 73, 74, 75, 78, 127), (label, done.err))
        if prog == "outpostd":
            self.settle_down(relay, service)
        before = self.subjects(relay)
        happened = self.happened()
        service.kill()
        again = self.start_outpostd()
        self.drain()
        after = self.subjects(relay)
        lost = [s for s, code in outcome.items() if code == 0 and not after[s]]
        self.assertEqual(lost, [], (label, outcome, "accepted and lost"))
        twice = [s for s, count in after.items() if count > 1]
        self.assertTrue(not twice or self.log_lines(r"twice"), (label, outcome, before, after))
        again.stop()
        relay.stop()
        self.services = [s for s in self.services if s.alive()]
        return happened, before

    def settle_down(self, relay, service):
        """Until all has arrived, or nothing more happens."""
        end = time.monotonic() + 1.0
        while time.monotonic() < end and service.alive() and sum(self.subjects(relay).values()) < 3:
            time.sleep(0.02)

    def subjects(self, relay):
        return collections.Counter(m.header("Subject") for m in relay.messages() if m.sender)

    def drain(self):
        for _ in range(40):
            if self.outpost("flush", code=None, timeout=60).returncode == 0 and not self.queue():
                return
            time.sleep(0.1)
        self.assertEqual(self.queue(), [])

    def sweep(self, prog, kind, step, most):
        for n in growing(step):
            if n > most and not SOAK:
                return
            with self.subTest(prog=prog, kind=kind, n=n):
                if not self.round(prog, kind, n)[0]:
                    return

    def test_sendmail(self):
        for kind in ("malloc", "write", "send", "open", "fork"):
            self.sweep("sendmail", kind, 2, 60)

    def test_outpostd_queue(self):
        for kind in ("write", "sync", "link", "truncate"):
            self.sweep("outpostd", kind, 2, 60)

    def test_outpostd_rest(self):
        for kind, step in (("malloc", 3), ("send", 2), ("fork", 2), ("open", 2.2)):
            self.sweep("outpostd", kind, step, 3000)

    def test_no_commits_nothing_sent(self):
        """From some call on the disk takes nothing any more: of what was not handed over by then nothing is, until it does
        again. What was under way may arrive twice, and the log says so."""
        for kind in ("sync", "full"):
            for n in (3, 8, 20):
                with self.subTest(kind=kind, n=n):
                    happened, before = self.round("outpostd", kind, n, on=True)
                    if happened:
                        self.assertLessEqual(max(before.values(), default=0), 1, before)


if __name__ == "__main__":
    harness.main()
