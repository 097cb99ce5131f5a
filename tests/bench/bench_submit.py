"""Submission: sendmail against the yardstick (read stdin, write one file, fsync it and its directory), and the peers."""
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

    def test_submission(self):
        base = self.measure(peers.Yardstick(self))
        self.show("yardstick", *base, base)
        mine = self.measure(peers.Outpost(self))
        ratio = self.show("outpost, door", *mine, base)
        bench.figure("sendmail with outpostd: median / yardstick", ratio[0], most=1.5)
        bench.figure("sendmail with outpostd, 32 at once: throughput / yardstick", ratio[1], least=0.9)
        self.queue_dir += ".drop"
        self.log += ".drop"
        drop = self.measure(peers.Drop(self))
        ratio = self.show("outpost, drop", *drop, base)
        bench.figure("sendmail through the drop: median / yardstick", ratio[0], most=2.5)
        for make in peers.PEERS:
            if make.__name__.lower() in bench.WANTED or "all" in bench.WANTED:
                theirs = self.measure(make(self))
                self.show(make.name, *theirs, base)
                bench.figure("sendmail: median / %s's" % make.name, mine[0]["median_ms"] / theirs[0]["median_ms"], most=1)
                bench.figure("32 at once: throughput / %s's" % make.name, mine[1]["per_second"] / theirs[1]["per_second"], least=1)


if __name__ == "__main__":
    harness.main()
