"""A queue of a million messages of 2 KB (times OUTPOST_BENCH_SCALE): submission beside an empty queue's, the first MAIL
after a flush, mailq's first byte and its first 100,000 lines, memory, disk.

OUTPOST_BENCH_QUEUE names a directory that tests/bench/fill has filled already (it is used up)."""
import os
import subprocess
import time

import bench
import harness
import peers


class Million(harness.SystemTest):
    def fill(self, n):
        made = os.environ.get("OUTPOST_BENCH_QUEUE")
        if made:
            self.queue_dir = made
            return
        begin = time.monotonic()
        subprocess.run([harness.program("fill"), self.queue_dir, str(n), "2048", "20"], check=True)
        print("filled with %d messages in %.0f s" % (n, time.monotonic() - begin), flush=True)

    def submissions(self, peer):
        peers.spawn(peer, 30, 1)
        one = peers.spawn(peer, 300, 1)
        self.assertEqual(one["failed"], 0)
        return one

    def pair(self, big, empty):
        """Alternating, so that the machine's mood is the same for both."""
        rounds = []
        for _ in range(5):
            rounds.append((self.submissions(big)["median_ms"], self.submissions(empty)["median_ms"]))
        ratios = sorted(b / e for b, e in rounds)
        return ratios[len(ratios) // 2], rounds

    def down_relay(self):
        return harness.free_port()

    def peer(self, label, queue):
        conf = os.path.join(self.tmp, label)
        os.mkdir(conf)
        return Place(self, conf, queue, self.down_relay())

    def mailq(self, place, lines):
        begin = time.monotonic()
        p = subprocess.Popen(["mailq", "-C", place.conf], executable=harness.program("sendmail"),
                             stdout=subprocess.PIPE, env=self.environ())
        p.stdout.read(1)
        first = time.monotonic() - begin
        n = 0
        for line in p.stdout:
            n += line[:1] not in (b" ", b"\n", b"-")
            if n >= lines:
                break
        took = time.monotonic() - begin
        p.kill()
        p.stdout.close()
        p.wait()
        return first, took, n

    def test_million(self):
        n = int(1000000 * bench.SCALE)
        self.fill(n)
        size = sum(os.path.getsize(os.path.join(self.queue_dir, f)) for f in os.listdir(self.queue_dir)
                   if f.startswith("queue.db"))
        bench.figure("disk per message of 2,048 bytes", size / n, "bytes", most=1.5 * 2048 + 1024)
        big, empty = self.peer("big", self.queue_dir), self.peer("empty", self.tmp + "/empty")
        big.start()
        empty.start()
        ratio, rounds = self.pair(big, empty)
        print("medians, ms, big and empty: " + " ".join("%.2f/%.2f" % r for r in rounds), flush=True)
        bench.figure("%d queued: median submission / an empty queue's" % n, ratio, most=1.2)
        tries = [self.mailq(big, min(100000, n)) for _ in range(3)]
        bench.figure("%d queued: mailq begins after" % n, sorted(t[0] for t in tries)[1] * 1000, "ms", most=50)
        bench.figure("%d queued: mailq lists %d in" % (n, tries[0][2]), sorted(t[1] for t in tries)[1], "s", most=1)
        self.whole_listing(big, n)
        private, whole = bench.memory(big.service.pid)
        bench.figure("%d queued: outpostd, private" % n, private / 1024, "MB")
        bench.figure("%d queued: outpostd, private and shared" % n, whole / 1024, "MB", most=32)
        empty.service.stop()
        big.service.stop()
        self.first_mail(n)

    def whole_listing(self, place, n):
        """All of the queue, as outpost lists it: what is held in memory is of the size of a page, whatever the queue."""
        begin = time.monotonic()
        p = subprocess.Popen([harness.program("outpost"), "-C", place.conf, "queue"], stdout=subprocess.PIPE,
                             env=self.environ())
        p.stdout.readline()
        first = time.monotonic() - begin
        _, whole = bench.memory(p.pid)
        for _ in p.stdout:
            pass
        p.stdout.close()
        self.assertEqual(p.wait(), 0)
        took = time.monotonic() - begin
        bench.figure("%d queued: outpost queue, first line" % n, first, "s")
        bench.figure("%d queued: outpost queue, per 100,000" % n, took * 100000 / n, "s")
        bench.figure("%d queued: outpost queue, memory" % n, whole / 1024, "MB", most=32)

    def first_mail(self, n):
        relay = self.start_relay("--quiet")
        place = Place(self, os.path.join(self.tmp, "up"), self.queue_dir, relay.starttls)
        waits = []
        os.mkdir(place.conf)
        place.configure()
        for _ in range(3):
            before = relay.counters()["messages"]
            begin = time.monotonic()
            flush = self.start(harness.program("outpost"), "-C", place.conf, "flush", log=self.tmp + "/flush.log")
            harness.wait_for("the first message", lambda b=before: relay.counters()["messages"] > b, 30)
            waits.append(time.monotonic() - begin)
            flush.signal(15)
            flush.wait()
            self.stop_flusher()
        # connecting, TLS and AUTH are in it, and one message's whole transaction
        bench.figure("%d queued: first message at the relay after flush" % n, sorted(waits)[1] * 1000, "ms", most=100)

    def stop_flusher(self):
        for pid in self._mine():
            if "outpostd" in harness.command_of(pid):
                os.kill(pid, 15)
        harness.wait_for("the flusher's end", lambda: not any("outpostd" in harness.command_of(p) for p in self._mine()))


class Place:
    """A configuration and its outpostd, with the face of peers.Outpost."""
    name, root = "outpost", None

    def __init__(self, test, conf, queue, port):
        self.test, self.conf, self.queue, self.port = test, conf, queue, port
        self.command = [harness.program("sendmail"), "-C", conf, "-i", peers.RECIPIENT]
        self.service = None

    def start(self):
        self.configure()
        self.service = self.test.start(harness.program("outpostd"), "-C", self.conf, "-f", log=self.conf + ".log")
        harness.wait_for("the door", lambda: self.test.door_answers(os.path.join(self.queue, "door")), 30)

    def configure(self):
        class At:
            starttls = self.port
        self.test.configure(At, conf=self.conf, queue_directory=self.queue, maillog_file=self.conf + ".maillog")


if __name__ == "__main__":
    harness.main()
