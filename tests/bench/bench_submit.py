"""Submission: sendmail against the yardstick (read stdin, write one file, fsync it and its directory), and the peers.

The disk's and the machine's pace changes from second to second: yardstick and outpost take turns, and the figure is the
median of the turns' ratios."""
import os
import statistics
import subprocess

import bench
import harness
import peers


class Submit(harness.SystemTest):
    def measure(self, peer, hold=True):
        relay = self.start_relay("--quiet", name="relay." + type(peer).__name__)
        peer.up(relay.starttls)
        if hold and hasattr(peer, "hold"):
            peer.hold(True)
        n = max(20, int((200 if peer.root is None else 60) * bench.SCALE))
        peers.spawn(peer, 5, 1)
        one = peers.spawn(peer, n, 1)
        many = peers.spawn(peer, n * 2, 32)
        peer.stop()
        relay.stop()
        for o in (one, many):
            self.assertEqual(o["failed"], 0, "%s: %s" % (peer.name, o))
        return one, many

    def show(self, name, one, many, base):
        print("%-24s one at a time: median %7.2f ms, p95 %7.2f, CPU %6.2f ms; 32 at once: %7.0f per second" %
              (name, one["median_ms"], one["p95_ms"], one["cpu_ms"], many["per_second"]), flush=True)
        return (one["median_ms"] / base[0]["median_ms"], many["per_second"] / base[1]["per_second"])

    def in_turns(self, mine, place, n, at_once, key, rounds=7):
        """The ratios of this figure of so many turns of the yardstick and of mine."""
        yardstick, ratios = peers.Yardstick(self, place), []
        for _ in range(rounds):
            base, own = peers.spawn(yardstick, n, at_once), peers.spawn(mine, n, at_once)
            self.assertEqual(own["failed"], 0, own)
            ratios.append(own[key] / base[key])
        print("  turns: %s; the yardstick's last %s %g" % (" ".join("%.2f" % r for r in ratios), key, base[key]), flush=True)
        return statistics.median(ratios)

    def beside_the_yardstick(self, peer, place, what, slowest, least=None):
        relay = self.start_relay("--quiet", name="relay." + type(peer).__name__ + ".turns")
        peer.up(relay.starttls)
        peer.hold(True)
        n = max(20, int(300 * bench.SCALE))
        bench.figure(what + ": median / yardstick", self.in_turns(peer, place, n, 1, "median_ms"), most=slowest)
        many = self.in_turns(peer, place, n * 4, 32, "per_second")
        bench.figure(what + ", 32 at once: throughput / yardstick", many, least=least)
        peer.stop()
        relay.stop()

    def test_submission(self):
        place = bench.journaled(self)
        self.queue_dir = os.path.join(place, "queue")
        self.beside_the_yardstick(peers.Outpost(self), place, "sendmail with outpostd", 1.5, 0.9)
        self.syncs(peers.Outpost(self), "sendmail with outpostd, 32 at once: syncs for a message")
        self.next_queue("drop")
        self.beside_the_yardstick(peers.Drop(self), place, "sendmail through the drop", 2.5)

    def syncs(self, peer, what):
        """Counted by the library of tests/fault, which lets none of them fail."""
        library, log = os.path.join(self.tmp, "failnth.so"), os.path.join(self.tmp, "syncs")
        subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-o", library, os.path.join(bench.HERE, "..", "fault", "failnth.c")], check=True)
        peer.up(harness.free_port(), env={"LD_PRELOAD": library, "OUTPOST_FAIL_NTH": "outpostd:sync:1000000000:" + log})
        peer.hold(True)
        n = max(64, int(1200 * bench.SCALE))
        self.assertEqual(peers.spawn(peer, n, 32)["failed"], 0)
        peer.stop()
        with open(log, "rb") as f:
            bench.figure(what, f.read().count(b"S") / n, "", most=0.25)

    def next_queue(self, name):
        self.queue_dir += "." + name
        self.log += "." + name

    def test_peers(self):
        base = self.measure(peers.Yardstick(self))
        self.show("yardstick", *base, base)
        mine = self.measure(peers.Outpost(self))
        self.show("outpost, door", *mine, base)
        self.next_queue("drop")
        self.show("outpost, drop", *self.measure(peers.Drop(self)), base)
        for make in peers.PEERS:
            if make.__name__.lower() in bench.WANTED or "all" in bench.WANTED:
                theirs = self.measure(make(self))
                self.show(make.name, *theirs, base)
                bench.figure("sendmail: median / %s's" % make.name, mine[0]["median_ms"] / theirs[0]["median_ms"], most=1)
                bench.figure("32 at once: throughput / %s's" % make.name, mine[1]["per_second"] / theirs[1]["per_second"], least=1)


if __name__ == "__main__":
    harness.main()
