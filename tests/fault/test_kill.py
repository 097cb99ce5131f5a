"""kill -9 at every named step of a message's life, and at random: nothing lost, nothing twice unannounced.

The steps are not listed here: a run with OUTPOST_STEP_LOG tells which there are, and each is then killed at.
Long runs: OUTPOST_SOAK=1 (make soak).
"""
import collections
import os
import random
import signal
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "system"))
import harness  # noqa: E402  pylint: disable=wrong-import-position

SOAK = bool(os.environ.get("OUTPOST_SOAK"))


class Crash(harness.SystemTest):
    """Submits in the background, kills, starts again, and counts at the relay."""
    needs = ("sendmail", "outpostd", "outpost", "outpost-smtp", "outpost-drop")

    def setUp(self):
        super().setUp()
        self.lock = threading.Lock()
        self.outcome = {}       # subject: exit status of sendmail

    def submit(self, subject, env=None, *flags):
        """One sendmail; its exit status is kept."""
        done = self.run_program("sendmail", "-C", self.conf, "-f", "s@example.com", *flags, subject + "@example.net",
                                input="Subject: %s\n\nbody of %s\n" % (subject, subject), code=None, timeout=60, env=env)
        with self.lock:
            self.outcome[subject] = (done.returncode, done.err)
        return done.returncode

    def submit_behind(self, subjects, env=None, *flags):
        def work():
            for subject in subjects:
                self.submit(subject, env, *flags)
        thread = threading.Thread(target=work)
        thread.start()
        return thread

    def steps(self, path):
        try:
            with open(path) as f:
                return f.read().split()
        except FileNotFoundError:
            return []

    def kill_outpostd(self, service):
        """The daemon and its agents, all at once, as a power cut does."""
        below = harness.descendants(service.pid) if service.alive() else []
        service.kill()
        self.kill_all(below)

    @staticmethod
    def kill_all(pids):
        for pid in pids:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass

    def drain(self, relay):
        """Everything that was accepted has arrived, once; twice only where the log said so."""
        for _ in range(20):
            if self.outpost("flush", code=None, timeout=60).returncode == 0 and not self.queue():
                break
            time.sleep(0.1)
        self.assertEqual(self.queue(), [], "the queue after the last flush")
        arrived = collections.Counter(m.header("Subject") for m in relay.messages())
        lost = [s for s, (code, _) in self.outcome.items() if code == 0 and not arrived[s]]
        self.assertEqual(lost, [], "accepted and lost")
        self.assert_twice_is_announced(relay)
        for message in relay.messages():
            s = message.header("Subject")
            self.assertEqual((message.body, message.recipients), (b"body of %s\n" % s.encode(), [s + "@example.net"]))
        return arrived


class EveryStep(Crash):
    def setUp(self):
        super().setUp()
        if not harness.FAULT:
            self.skipTest("this build has no steps to be killed at (configure --enable-fault)")

    def known_steps(self):
        """All steps of a life through the door, and through the drop, including a bounce."""
        found = {}
        for way in ("door", "drop"):
            log = os.path.join(self.tmp, "steps." + way)
            env = {"OUTPOST_STEP_LOG": log}
            relay = self.start_relay(name="relay." + way)
            self.configure(relay, queue_directory=self.queue_dir + "." + way)
            self.queue_dir = self.queue_dir + "." + way
            service = self.start_outpostd(env=env) if way == "door" else None
            for i in range(3):
                self.submit("first%d" % i, env, *(() if service else ("-odq",)))
            if not service:
                service = self.start_outpostd(env=env)
                self.outpost("flush")
            relay.wait_messages(3)
            self.submit("reject", env)      # refused: a bounce comes back
            relay.wait_messages(4)
            service.stop()
            relay.stop()
            self.queue_dir = self.queue_dir[:-len(way) - 1]
            found[way] = list(dict.fromkeys(self.steps(log)))
        self.outcome.clear()
        return found

    def one_kill(self, way, step, nth):
        """A fresh queue; the process that comes to this step for the n-th time dies there."""
        label = "%s.%s.%d" % (way, step, nth)
        self.outcome = {}
        self.queue_dir = os.path.join(self.tmp, "queue." + label)
        self.log = os.path.join(self.tmp, label + ".maillog")
        steps = os.path.join(self.tmp, "steps." + label)
        relay = self.start_relay(name="relay." + label)
        self.configure(relay)
        deadly = {"OUTPOST_STEP_LOG": steps, "OUTPOST_KILL_AT": "%s:%d" % (step, nth)}
        names = ["m%d" % i for i in range(4)]
        if way == "door":
            service = self.start_outpostd(env=deadly, wait=False)
            harness.wait_for("the door, or the end", lambda: self.door_answers() or not service.alive())
            threads = [self.submit_behind([n], deadly) for n in names]
        else:
            threads = [self.submit_behind(names, deadly, "-odq")]
            threads[0].join()
            service = self.start_outpostd(env=deadly, wait=False)
            harness.wait_for("the door, or the end", lambda: self.door_answers() or not service.alive())
            # It may well be killed before it answers: nobody waits for this one.
            flush = self.start(harness.program("outpost"), "-C", self.conf, "flush", log=steps + ".flush")

        def happened():
            return self.steps(steps).count(step) >= nth or not service.alive()
        try:
            harness.wait_for("step " + step, happened, 3)
        except harness.Timeout:
            pass            # reached fewer times than before: nothing to see, but the count must be right
        self.kill_outpostd(service)
        if way == "drop":
            flush.kill()
        again = self.start_outpostd()
        for t in threads:
            t.join()
        self.assertTrue(all(code in (0, 75, -9) for code, _ in self.outcome.values()), self.outcome)
        self.drain(relay)
        again.stop()
        relay.stop()
        self.services = [s for s in self.services if s.alive()]

    def test_every_step(self):
        found = self.known_steps()
        self.assertGreaterEqual(len(set(found["door"]) | set(found["drop"])), 8, found)
        print("steps: %s" % found, file=sys.stderr)
        seen = set()
        for way in ("door", "drop"):
            for step in found[way]:
                if way == "drop" and step in seen:
                    continue
                seen.add(step)
                for nth in (1, 2) if not SOAK else (1, 2, 3, 4, 5):
                    with self.subTest(way=way, step=step, nth=nth):
                        self.one_kill(way, step, nth)


class Submitters(Crash):
    """Many submitters while outpostd is killed five times: every acknowledged message arrives, once."""
    submitters, each = (32, 2000) if SOAK else (32, 6)
    kills = 5

    def test_submitters(self):
        relay = self.start_relay()
        self.configure(relay)
        service = self.start_outpostd()
        threads = [self.submit_behind(["u%dm%d" % (u, i) for i in range(self.each)]) for u in range(self.submitters)]
        total = self.submitters * self.each
        for n in range(1, self.kills + 1):
            goal = total * n // (self.kills + 2)
            harness.wait_for("%d of %d submitted" % (goal, total), lambda g=goal: len(self.outcome) >= g, 120 if not SOAK else 3600)
            time.sleep(random.uniform(0, 0.05))     # anywhere within a turn of the loop
            self.kill_outpostd(service)
            service = self.start_outpostd()
        for t in threads:
            t.join()
        refused = {s: o for s, o in self.outcome.items() if o[0] != 0}
        self.assertEqual(refused, {}, "a restart of outpostd is no reason to refuse mail")
        arrived = self.drain(relay)
        self.assertEqual(len(arrived), total)


class FullWindow(Crash):
    """A backlog with transactions in flight. What may come twice is what was in flight, or answered and not committed: for one
    connection a window of each, for each kill."""
    backlog, window = 200, 20

    def begin(self, env=None):
        service = self.start_outpostd(env=env)
        self.flushing = self.start(harness.program("outpost"), "-C", self.conf, "flush", log=os.path.join(self.tmp, "flush.log"))
        return service

    def fill(self):
        relay = self.start_relay("--rtt", "80")
        self.configure(relay, smtp_destination_concurrency_limit="1", smtp_pipeline_window=str(self.window))
        for i in range(self.backlog):
            self.submit("w%d" % i, None, "-odq")
        return relay

    def finish(self, relay, service, kills):
        self.flushing.kill()
        arrived = self.drain(relay)
        self.assertEqual(len(arrived), self.backlog)
        twice = sum(arrived.values()) - self.backlog
        print("%d kills: %d of %d came twice" % (kills, twice, self.backlog), file=sys.stderr)
        self.assertLessEqual(twice, kills * 2 * self.window)
        service.stop()

    def kill_at(self, relay, goals, kill):
        service = self.begin()
        for goal in goals:
            harness.wait_for("%d messages" % goal, lambda g=goal: relay.count() >= g, 30)
            time.sleep(random.uniform(0, 0.08))     # anywhere within a round trip
            self.flushing.kill()
            service = kill(service)
        return service

    def test_all_are_killed(self):
        relay = self.fill()

        def kill(service):
            self.kill_outpostd(service)
            return self.begin()
        self.finish(relay, self.kill_at(relay, (60, 110, 150), kill), 3)

    def test_the_agent_is_killed(self):
        relay = self.fill()

        def kill(service):
            died = len(self.log_lines("agent died"))
            self.kill_all(harness.descendants(service.pid))
            harness.wait_for("its end to be seen, or all to be sent",
                             lambda: len(self.log_lines("agent died")) > died or not self.queue(), 30)
            sent = len(self.log_lines("status=sent"))
            self.flushing = self.start(harness.program("outpost"), "-C", self.conf, "flush",
                                       log=os.path.join(self.tmp, "flush.log"))
            harness.wait_for("the next agent to send", lambda: len(self.log_lines("status=sent")) > sent or not self.queue(), 10)
            # one that is killed while it connects would be a failure of the relay
            return service
        self.finish(relay, self.kill_at(relay, (60, 110, 150), kill), 3)

    def test_killed_at_each_step_of_the_agent(self):
        if not harness.FAULT:
            self.skipTest("this build has no steps to be killed at (configure --enable-fault)")
        relay = self.fill()
        deadly = [{"OUTPOST_KILL_AT": "%s:70" % step} for step in ("smtp-mail", "smtp-lastbyte", "smtp-accepted")]
        for env in deadly:
            before = relay.count()
            service = self.begin(env)
            harness.wait_for("some to be sent", lambda b=before: relay.count() > b + 30 or not self.queue(), 30)
            self.flushing.kill()
            self.kill_outpostd(service)
        self.finish(relay, self.begin(), len(deadly) * 2)


if __name__ == "__main__":
    harness.main()
