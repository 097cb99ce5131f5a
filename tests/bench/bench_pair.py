"""Two builds in one run: OLD_BUILD, a build directory of an older version, and this one, in turns (old, new, old, new).

Each figure is new / old: the median of the turns' ratios, with the smallest and the largest, which is the noise of the
machine. The relay and all else that measures is this build's for both. `make bench-pair OLD_BUILD=/path`."""
import contextlib
import os
import shutil
import statistics
import tempfile

import bench
import harness
import peers

OLD = os.environ.get("OLD_BUILD", "")
TURNS = int(os.environ.get("OUTPOST_BENCH_TURNS", "7"))


@contextlib.contextmanager
def programs_of(build):
    """What is started meanwhile comes from there."""
    own, harness.BUILD = harness.BUILD, build
    try:
        yield
    finally:
        harness.BUILD = own


class Version(peers.Outpost):
    """outpost as it was built there."""

    def __init__(self, test, build):
        with programs_of(build):
            super().__init__(test)
        self.build = build

    def up(self, port, **params):
        class At:
            starttls = port
        self.test.configure(At, **params)
        with programs_of(self.build):
            self.service = self.test.start_outpostd()

    def flush(self):
        with programs_of(self.build):
            return super().flush()


class Pair(harness.SystemTest):
    def setUp(self):
        super().setUp()
        if not os.path.exists(os.path.join(OLD, "outpostd")):
            self.skipTest("OLD_BUILD names no build directory: %r" % OLD)
        self.turn = 0
        self.place = bench.journaled(self)

    def fresh(self, build):
        """outpost of a build, with a queue of its own."""
        self.turn += 1
        self.queue_dir = os.path.join(self.place, "queue.%d" % self.turn)
        return Version(self, build)

    def compare(self, names, measure):
        """measure(build) gives a figure for each name. Of messages/s more is better, of all else less."""
        own, turns = harness.BUILD, []
        for _ in range(TURNS):
            turns.append((measure(os.path.abspath(OLD)), measure(own)))
        print()
        for i, name in enumerate(names):
            ratios = [new[i] / old[i] for old, new in turns]
            bench.figure(name + ": new / old", statistics.median(ratios), note="%.2f to %.2f; old %.4g, new %.4g" % (
                min(ratios), max(ratios), statistics.median(old[i] for old, _ in turns),
                statistics.median(new[i] for _, new in turns)))

    def quick_relay(self, *flags):
        """A relay that keeps its messages in memory."""
        place = tempfile.mkdtemp(dir="/dev/shm" if os.access("/dev/shm", os.W_OK) else self.tmp)
        self.addCleanup(shutil.rmtree, place, True)
        return self.start_relay("--dump", place, "--quiet", *flags, name="relay.%d" % self.turn)

    def submit(self, peer, n, at_once):
        done = peers.spawn(peer, n, at_once)
        self.assertEqual(done["failed"], 0, done)
        return done

    def test_submission(self):
        n = max(20, int(200 * bench.SCALE))
        relay = self.quick_relay()

        def measure(build):
            peer = self.fresh(build)
            peer.up(relay.starttls)
            peer.hold(True)
            self.submit(peer, 5, 1)
            one, many = self.submit(peer, n, 1), self.submit(peer, n * 3, 32)
            peer.stop()
            return one["median_ms"], one["cpu_ms"], many["per_second"]
        self.compare(("sendmail, one at a time, median ms", "sendmail, one at a time, CPU ms", "sendmail, 32 at once, messages/s"), measure)

    def test_drop(self):
        n = max(20, int(100 * bench.SCALE))

        def measure(build):
            peer = self.fresh(build)
            self.configure(relayhost="[localhost]:%d" % harness.free_port())
            peer.hold(True)
            self.submit(peer, 5, 1)
            return (self.submit(peer, n, 1)["median_ms"],)
        self.compare(("sendmail through the drop, median ms",), measure)

    def deliver(self, rtt, n):
        def measure(build):
            relay = self.quick_relay("--rtt", str(rtt))
            peer = self.fresh(build)
            peer.up(relay.starttls)
            peer.hold(True)
            self.submit(peer, n, 8)
            before = self.spent(peer)
            peer.hold(False)
            peer.flush()
            harness.wait_for("%d messages" % n, lambda: relay.counters()["messages"] >= n, 300)
            spent = self.spent(peer) - before
            seconds = relay.counters()["seconds"]
            peer.stop()
            relay.stop()
            return n / max(seconds, 1e-6), spent / n
        self.compare(("delivery, rtt %d ms, messages/s" % rtt, "delivery, rtt %d ms, CPU ms of a message" % rtt), measure)

    def spent(self, peer):
        """Milliseconds of CPU of outpostd and its agents."""
        total = 0
        for pid in [peer.service.pid, *harness.descendants(peer.service.pid)]:
            with contextlib.suppress(OSError), open("/proc/%d/schedstat" % pid) as f:
                total += int(f.read().split()[0])
        return total / 1e6

    def test_delivery(self):
        self.deliver(0, max(100, int(4000 * bench.SCALE)))
        self.deliver(20, max(100, int(2000 * bench.SCALE)))

    def test_one_alone(self):
        relay = self.quick_relay()

        def measure(build):
            peer = self.fresh(build)
            peer.up(relay.starttls)
            times = []
            for _ in range(11):
                before, begin = relay.counters()["messages"], bench.now_us()
                self.submit(peer, 1, 1)
                harness.wait_for("the message", lambda b=before: relay.counters()["messages"] > b, 30)
                times.append((relay.counters()["last_accepted_us"] - begin) / 1000)
            peer.stop()
            return (statistics.median(times[1:]),)
        self.compare(("one message, sendmail to accepted, median ms",), measure)


if __name__ == "__main__":
    harness.main()
