"""The n-th call of a kind fails, n = 1, 2, 3, ... until a run gets by without: never exit 0 without the message on disk,
never a message gone, never one sent after the queue stopped taking commits. And the same from the n-th on: a disk that
stays full or broken.

Long runs (OUTPOST_SOAK=1) try every n; short ones leave some out as n grows.
"""
import collections
import glob
import os
import re
import shutil
import signal
import socket
import struct
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "system"))
import harness  # noqa: E402  pylint: disable=wrong-import-position
from test_drop import record, submission  # noqa: E402  pylint: disable=wrong-import-position

SOAK = bool(os.environ.get("OUTPOST_SOAK"))
TRIES = 3 if SOAK else 1


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
        try:
            with open(self.fired, "rb") as f:
                return any(f.read(8))
        except FileNotFoundError:       # no such process was started
            return False

    def order(self):
        """S for each sync and L for each link or unlink, as they came."""
        with open(self.fired, "rb") as f:
            return f.read()[8:].rstrip(b"\0").decode()


class DropAlone(Failing):
    def one(self, kind, n, on):
        queue = os.path.join(self.tmp, "%s.%d%s" % (kind, n, "on" if on else ""))
        data = submission(b"Subject: x\n\n" + b"0123456789\n" * 20000)
        p = subprocess.run([harness.program("outpost-drop"), "-q", queue], input=data, stdout=subprocess.PIPE,
                           stderr=subprocess.PIPE, env=self.environ(self.failing("outpost-drop", kind, n, on)), timeout=60 * harness.PATIENCE)
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

    def test_the_bytes_then_the_name_then_the_directory(self):
        queue = os.path.join(self.tmp, "queue")
        for _ in range(2):      # the first one makes the directories as well
            env = self.environ(self.failing("outpost-drop", "sync", 1000))
            if os.path.exists(self.fired):
                os.unlink(self.fired)
            subprocess.run([harness.program("outpost-drop"), "-q", queue], input=submission(), stdout=subprocess.PIPE, env=env,
                           timeout=60 * harness.PATIENCE, check=True)
        self.assertEqual(self.order(), "SLS")


class GroupCommit(Failing):
    """What waits at the door together goes into one commit: at most one sync for four messages, each answered only then."""
    clients = 32

    def test_one_sync_serves_many(self):
        self.configure(relayhost="[localhost]:%d" % harness.free_port())
        service = self.start_outpostd(env=self.failing("outpostd", "sync", 1000000))
        self.sendmail("-odq", "first@example.net")      # what there is to do once is done
        before = self.order().count("S")
        service.signal(signal.SIGSTOP)
        waiting = [socket.socket(socket.AF_UNIX) for _ in range(self.clients)]
        for s in waiting:
            s.settimeout(20 * harness.PATIENCE)
            s.connect(os.path.join(self.queue_dir, "door"))
            s.sendall(submission(extra=record("Q")))
        service.signal(signal.SIGCONT)
        for s in waiting:
            self.assertRegex(s.recv(100), b"^0 ")
            s.close()
        syncs = self.order().count("S") - before
        self.assertLessEqual(1, syncs)
        self.assertLessEqual(syncs, self.clients // 4)


class Life(Failing):
    """Three submissions and their delivery while one call fails in one program; then everything is started afresh."""
    count = 3

    def begin(self, label, slow=False):
        self.queue_dir = os.path.join(self.tmp, "queue." + label)
        self.log = os.path.join(self.tmp, label + ".maillog")
        relay = self.start_relay(*(("--rtt", "40") if slow else ()), name="relay." + label)
        self.configure(relay, **({"smtp_destination_concurrency_limit": "1", "smtp_pipeline_window": "1"} if slow else {}))
        return relay

    def start_failing(self, env):
        """outpostd; one that said why and left is an answer too."""
        service = self.start_outpostd(env=env, wait=False)
        harness.wait_for("the door, or the end", lambda: self.door_answers() or not service.alive())
        return service if service.alive() else self.start_outpostd()

    def submit_all(self, env, *flags):
        """{subject: exit status}"""
        outcome, crashes = {}, ()
        if env and ":malloc:" in env["OUTPOST_FAIL_NTH"]:       # libc itself, in its name services
            crashes = (-signal.SIGABRT, -signal.SIGSEGV)
        for i in range(self.count):
            subject = "m%d" % i
            done = self.run_program("sendmail", "-C", self.conf, "-f", "s@example.com", *flags, subject + "@example.net",
                                    input="Subject: %s\n\nbody of %s\n" % (subject, subject), code=None, timeout=60, env=env)
            # nothing is refused for good that only went wrong here
            self.assertIn(done.returncode, (0, 71, 73, 74, 75, 78, 127, *crashes), (self.log, done.err))
            outcome[subject] = done.returncode
        return outcome

    def end(self, relay, outcome):
        """Afresh and unhindered: all that was accepted arrives; what comes twice was announced."""
        again = self.start_outpostd()
        self.drain()
        after = self.subjects(relay)
        lost = [s for s, code in outcome.items() if code == 0 and not after[s]]
        self.assertEqual(lost, [], (self.log, outcome, "accepted and lost"))
        self.assert_twice_is_announced(relay)
        again.stop()
        relay.stop()
        harness.children()      # those that ended are reaped: a long run has tens of thousands
        self.services = [s for s in self.services if s.alive()]

    def round(self, prog, kind, n, on=False):
        relay = self.begin("%s.%s.%d%s" % (prog, kind, n, "on" if on else ""))
        env = self.failing(prog, kind, n, on)
        service = self.start_failing(env if prog in ("outpostd", "outpost-smtp") else None)
        outcome = self.submit_all(env if prog == "sendmail" else None)
        if prog != "sendmail":
            self.settle_down(service, outcome, 1.0 if on else 3.0)
        before = self.subjects(relay)
        happened = self.happened()
        service.kill()
        self.end(relay, outcome)
        self.tidy()
        return happened, before

    def settle_down(self, service, outcome, limit):
        """Until each that was accepted has its verdict, or nobody will try one soon and the log says why. What is tried again
        after a second (a commit) has the time for it. Where nothing can succeed any more there is no such event."""
        accepted = sum(code == 0 for code in outcome.values())
        end = time.monotonic() + limit
        while time.monotonic() < end and service.alive() and not self.log_lines(r" is down|queue cannot be read|no mail can be sent"):
            if len(set(re.findall(r" ([0-9A-F]+): to=.* status=", self.log_text()))) >= accepted:
                return
            time.sleep(0.01)

    def tidy(self):
        """A round that went well leaves nothing: there are thousands."""
        for path in glob.glob(os.path.join(self.tmp, "relay.*")) + [self.queue_dir, self.log, self.fired]:
            if os.path.isdir(path):
                shutil.rmtree(path, ignore_errors=True)
            elif os.path.exists(path):
                os.unlink(path)

    def subjects(self, relay):
        return collections.Counter(m.header("Subject") for m in relay.messages() if m.sender)

    def drain(self):
        for _ in range(40):
            if self.outpost("flush", code=None, timeout=60).returncode == 0 and not self.queue():
                return
            time.sleep(0.1)
        self.wait_queue_empty()

    def sweep(self, prog, kind, step, most, least=1):
        """At least so many of them must have happened: a test that fails nothing tests nothing."""
        reached = 0
        for n in growing(step):
            if n > most and not SOAK:
                break
            with self.subTest(prog=prog, kind=kind, n=n):
                # a process that got too little of a busy machine to come to its n-th call has not got by without
                if not any(self.round(prog, kind, n)[0] for _ in range(TRIES)):
                    break
                reached = n
        self.assertGreaterEqual(reached, least, "%s of %s never failed" % (kind, prog))


class Door(Life):
    def test_sendmail(self):
        for kind in ("malloc", "write", "send", "open", "fork"):
            self.sweep("sendmail", kind, 2, 60, least=0 if kind in ("write", "fork") else 1)

    def test_outpostd_queue(self):
        for kind in ("write", "sync", "link", "truncate"):
            self.sweep("outpostd", kind, 2, 60)
        self.sweep("outpostd", "step", 1.6, 200)

    def test_outpostd_rest(self):
        for kind, step in (("malloc", 3), ("send", 2), ("fork", 2), ("open", 2.2)):
            self.sweep("outpostd", kind, step, 3000)

    def test_agent(self):
        for kind, step in (("malloc", 2.6), ("send", 1.5), ("recv", 1.7), ("open", 2)):
            self.sweep("outpost-smtp", kind, step, 20000)


class NobodyAtTheDoor(Life):
    """The same where nobody is at the door: sendmail, the drop, and who takes in what it wrote."""
    may_leave_processes = True      # a flusher that the drop woke

    def round(self, prog, kind, n, on=False):
        relay = self.begin("drop.%s.%s.%d%s" % (prog, kind, n, "on" if on else ""))
        env = self.failing(prog, kind, n, on)
        outcome = self.submit_all(env if prog != "outpostd" else None, *([] if kind == "fork" else ["-odq"]))
        if prog == "outpostd":
            service = self.start_failing(env)
            harness.wait_for("incoming/ to be taken in", lambda: not self.incoming() or self.happened(), 20)
            service.kill()
        happened = self.happened()
        self.end(relay, outcome)
        self.assertEqual(self.incoming(), [])
        self.tidy()
        return happened, None

    def incoming(self):
        try:
            return os.listdir(os.path.join(self.queue_dir, "incoming"))
        except FileNotFoundError:
            return []

    def test_sendmail(self):
        for kind in ("malloc", "send", "fork"):
            self.sweep("sendmail", kind, 2.5, 60)

    def test_outpost_drop(self):
        for kind in ("malloc", "write", "sync", "link", "open", "fork"):
            self.sweep("outpost-drop", kind, 2, 60)

    def test_taking_in(self):
        for kind, step in (("step", 2), ("sync", 2), ("link", 2)):
            self.sweep("outpostd", kind, step, 60)


class NoCommits(Life):
    """From some call on the disk takes nothing any more: of what was not handed over by then nothing is, until it does
    again. What was under way may arrive twice, and the log says so."""

    def test_no_commits_nothing_sent(self):
        for kind in ("sync", "full"):
            for n in (3, 8, 20):
                with self.subTest(kind=kind, n=n):
                    happened, before = self.round("outpostd", kind, n, on=True)
                    if happened:
                        self.assertLessEqual(max(before.values(), default=0), 1, before)

    def test_nothing_is_accepted(self):
        for kind in ("sync", "full", "step"):
            with self.subTest(kind=kind):
                relay = self.begin("refused." + kind)
                service = self.start_failing(self.failing("outpostd", kind, 0))
                self.set_failed(1)
                refused = self.submit_all(None)
                self.assertLessEqual(set(refused.values()), {74, 75})
                self.set_failed(0)
                self.assertEqual(set(self.submit_all(None).values()), {0})
                relay.wait_messages(self.count)
                self.assertTrue(service.alive())
                service.stop()
                self.end(relay, {})

    def test_a_backlog_stops(self):
        """One connection, one message at a time: from where no verdict can be committed no more is given to the agent. When the
        disk is well again the verdicts are still there: nothing comes twice."""
        self.count = 30         # a second and more in which to let the disk fail
        for kind in ("sync", "full", "step"):
            with self.subTest(kind=kind):
                relay = self.begin("backlog." + kind, slow=True)
                env = self.failing("outpostd", kind, 0)
                service = self.start_failing(env)
                outcome = self.submit_all(None)
                harness.wait_for("some to be sent", lambda r=relay: r.count() >= 3)
                self.set_failed(1)
                harness.wait_for("a failure", lambda: self.get_failed() > 1)
                sent = relay.count()
                time.sleep(1.5)         # thirty messages' time
                # One under way, one with the agent, and one handed out while only the log could not be written.
                self.assertLessEqual(relay.count(), sent + 3, "it goes on sending")
                self.assertLess(relay.count(), self.count)
                self.set_failed(0)
                relay.wait_messages(self.count, 30)
                self.assertEqual(set(self.subjects(relay).values()), {1})
                service.stop()
                self.end(relay, outcome)

    def test_a_relay_that_could_not_be_looked_up(self):
        """The disk failed just when main.cf named another relay: when it is well again, nobody need touch main.cf."""
        self.begin("route")
        service = self.start_failing(self.failing("outpostd", "step", 0))
        relay = self.start_relay(name="relay.second")
        self.configure(relay)
        self.set_failed(1)
        service.signal(signal.SIGHUP)
        self.wait_log("no mail can be sent")
        self.set_failed(0)
        self.submit_all(None)
        relay.wait_messages(self.count)
        self.assertTrue(self.log_lines("mail can be sent again"))

    def set_failed(self, n):
        with open(self.fired, "r+b") as f:
            f.write(struct.pack("=Q", n))

    def get_failed(self):
        with open(self.fired, "rb") as f:
            return struct.unpack("=Q", f.read(8))[0]


if __name__ == "__main__":
    harness.main()
