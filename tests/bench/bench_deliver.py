"""Delivery of a backlog at several round-trip times, one message alone, and the memory and CPU it takes; the peers beside."""
import fcntl
import os
import shutil
import signal
import statistics
import subprocess
import tempfile
import time

import bench
import harness
import peers

RTTS = (0, 20, 80)


class Deliver(harness.SystemTest):
    def backlog(self, peer, n, rtt, patience=900):
        """Messages per second between the first MAIL and the last acceptance, and the connections used at once."""
        relay = self.quick_relay("relay.%s.%d.%d" % (type(peer).__name__, rtt, len(self.services)), "--rtt", str(rtt))
        peer.up(relay.starttls)
        peer.hold(True)
        self.assertEqual(peers.spawn(peer, n, 8)["failed"], 0, peer.name)
        if isinstance(peer, peers.Postfix):
            harness.wait_for("Postfix to have put all off", lambda: peer.count() >= n, 120)
        peer.hold(False)
        begin = time.monotonic()
        peer.flush()
        harness.wait_for("%d messages of %s" % (n, peer.name), lambda: relay.counters()["messages"] >= n, patience)
        took = time.monotonic() - begin
        c = relay.counters()
        peer.stop()
        relay.stop()
        return n / max(c["seconds"], 1e-6), c["connections_max"], took

    def test_backlog(self):
        for rtt in RTTS:
            mine = self.backlog(self.fresh(rtt), int(10000 * bench.SCALE), rtt)
            print("%-24s rtt %2d ms: %8.0f messages/s over %d connections (%.2f s in all)" % ("outpost", rtt, *mine), flush=True)
            window1 = self.backlog(self.fresh(rtt, "w1"), int(300 * bench.SCALE), rtt)
            print("%-24s rtt %2d ms: %8.0f messages/s over %d connections" % ("outpost, window 1", rtt, *window1[:2]), flush=True)
            if rtt:
                bench.figure("window 1, rtt %d: messages/s x rtt / connections" % rtt,
                             window1[0] * rtt / 1000 / max(1, window1[1]), least=0.9, note="1 = one round trip each")
            for make in peers.PEERS:
                name = make.__name__.lower()
                if name not in bench.WANTED and "all" not in bench.WANTED:
                    continue
                n = {"postfix": 600, "exim": 60}.get(name, 40)
                for peer in (make(self), make(self, True)) if make is peers.Postfix else (make(self),):
                    theirs = self.backlog(peer, max(20, int(n * bench.SCALE)), rtt)
                    print("%-24s rtt %2d ms: %8.1f messages/s over %d connections" % (peer.name, rtt, *theirs[:2]), flush=True)
                    bench.figure("rtt %d: outpost / %s" % (rtt, peer.name), mine[0] / theirs[0],
                                 least=(5 if rtt == 0 else 10) if make is peers.Postfix else 1)

    def blast(self, relay, n, window, size):
        subprocess.run([harness.program("blast"), str(relay.tls), os.path.join(harness.certificates(), "ca.pem"), harness.USER,
                        harness.PASSWORD, str(n), str(window), str(size)], check=True, timeout=900, stdout=subprocess.DEVNULL)

    def hand_written(self, n, rtt, window):
        """Messages per second of the yardstick client over one connection: what the line allows."""
        relay = self.quick_relay("relay.blast.%d.%d" % (rtt, window), "--rtt", str(rtt))
        self.blast(relay, n, window, 2048)
        c = relay.counters()
        relay.stop()
        self.assertEqual(c["messages"], n)
        return n / max(c["seconds"], 1e-6)

    def test_against_the_line(self):
        """One connection, window 1 and 20, beside the yardstick client with the same window."""
        for rtt in RTTS[1:]:
            for window, count, least in ((1, 300, 0.9), (20, 5000, 0.7)):
                n = max(20, int(count * bench.SCALE))
                theirs = self.hand_written(n, rtt, window)
                mine, connections, _ = self.backlog(self.fresh(rtt, "w%d" % window, window), n, rtt)
                bench.figure("window %d, rtt %d: outpost / the hand-written client" % (window, rtt), mine / theirs, least=least,
                             note="%.0f and %.0f messages/s, %d connection%s" % (mine, theirs, connections, "s" * (connections > 1)))

    def test_cpu_of_delivery(self):
        """All processes between the queue and the relay, rtt 0; the relay's own time is not in it."""
        n = max(100, int(5000 * bench.SCALE))
        relay = self.start_relay()
        peer = self.fresh(0, "cpu", 20)
        peer.up(relay.starttls)
        peer.hold(True)
        self.assertEqual(peers.spawn(peer, n, 8)["failed"], 0)
        peer.hold(False)
        ours = {peer.service.pid}
        spent = {}
        before = bench.cpu_seconds(peer.service.pid)

        def there():
            ours.update(harness.descendants(peer.service.pid))
            for pid in ours - {peer.service.pid}:
                try:
                    spent[pid] = bench.cpu_seconds(pid)
                except OSError:
                    pass    # it has ended, and its parent has its time
            return relay.counters()["messages"] >= n
        peer.flush()
        harness.wait_for("%d messages" % n, there, 300)
        living = sum(s for pid, s in spent.items() if pid in harness.descendants(peer.service.pid))
        took = bench.cpu_seconds(peer.service.pid) - before + living
        bench.figure("rtt 0: CPU per message, outpostd and its agents", took / n * 1000, "ms", most=0.3)

    def fresh(self, rtt, label="", window=1):
        self.queue_dir = "%s/queue.%d.%s" % (self.tmp, rtt, label)
        peer = peers.Outpost(self)
        if label:
            up = peer.up
            peer.up = lambda port: up(port, smtp_pipeline_window=str(window), smtp_destination_concurrency_limit="1")
        return peer

    def alone(self, peer, relay, n=15, between=lambda: None):
        """Milliseconds from the start of its sendmail to the relay's acceptance, one message at a time: the median."""
        times = []
        for _ in range(n):
            between()
            before = relay.counters()["messages"]
            begin = time.monotonic()
            self.assertEqual(peers.spawn(peer, 1, 1)["failed"], 0, peer.name)
            harness.wait_for("the message of " + peer.name, lambda: relay.counters()["messages"] > before, 30)
            times.append(relay.counters()["last_accepted_us"] / 1000 - begin * 1000)
        return statistics.median(times)

    def alone_peers(self):
        """The best of them."""
        best = None
        for make in peers.PEERS:
            if make.__name__.lower() not in bench.WANTED and "all" not in bench.WANTED:
                continue
            relay, peer = self.start_relay(name="relay.alone." + make.__name__), make(self)
            peer.up(relay.starttls)
            if make is peers.Nullmailer:
                peer.flush()            # its daemon
            took = self.alone(peer, relay)
            print("%-62s %10.3g ms" % ("one message, %s: sendmail to accepted" % peer.name, took), flush=True)
            best = min(best or took, took)
            peer.stop()
            relay.stop()
        return best

    def test_one_alone(self):
        best = self.alone_peers()
        relay = self.start_relay()
        peer = self.fresh(0, "alone", 1)
        peer.up(relay.starttls)
        self.alone(peer, relay, 1)
        warm = self.alone(peer, relay)
        bench.figure("one message, agent warm: sendmail to accepted, median", warm, "ms")
        if best:
            bench.figure("one message: agent warm / the best peer", warm / best, most=0.5)
        private, anonymous = bench.memory(peer.service.pid)
        bench.figure("outpostd, private memory", private / 1024, "MiB", most=4)
        for pid in harness.descendants(peer.service.pid):
            bench.figure("agent, private memory", bench.memory(pid)[0] / 1024, "MiB", most=8)
        cold = self.alone(peer, relay, 7, lambda: self.without_agents(peer))
        bench.figure("one message, no agent yet: sendmail to accepted, median", cold, "ms")
        peer.stop()
        alone = self.alone(peer, relay, 7, self.without_daemon)
        bench.figure("one message, no daemon: sendmail to accepted, median", alone, "ms")

    def without_agents(self, peer):
        for pid in harness.descendants(peer.service.pid):
            os.kill(pid, signal.SIGTERM)
        harness.wait_for("the agents to end", lambda: not harness.descendants(peer.service.pid))

    def without_daemon(self):
        def left():
            with open(os.path.join(self.queue_dir, "lock"), "rb+") as f:
                try:
                    fcntl.flock(f, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    return True
                except OSError:
                    return False
        harness.wait_for("the flusher to leave", left, 60)

    def quick_relay(self, name, *flags):
        """A relay that keeps its messages in memory: what making files costs it is not what is measured."""
        place = tempfile.mkdtemp(dir="/dev/shm" if os.access("/dev/shm", os.W_OK) else self.tmp)
        self.addCleanup(shutil.rmtree, place, True)
        return self.start_relay("--dump", place, *flags, name=name)

    def test_25_megabytes_against_the_line(self):
        """From MAIL to its acceptance, beside the yardstick client, which copies a buffer into GnuTLS and does nothing else: eight times,
        since the relay has much of the first before it looks at its MAIL."""
        letter = b"Subject: large\n\n" + (b"x" * 70 + b"\n") * (25000000 // 72)
        ratios = []
        for i in range(7):
            relay = self.quick_relay("line%d" % i)
            self.blast(relay, 8, 1, 25000000)
            theirs = relay.counters()["seconds"] / 8
            relay.stop()
            relay = self.quick_relay("mine%d" % i)
            self.queue_dir = "%s/queue.25.%d" % (self.tmp, i)
            peer = peers.Outpost(self)
            peer.up(relay.starttls, message_size_limit="50000000")
            self.sendmail("you@example.net", input=letter)
            harness.wait_for("25 MB", lambda r=relay: r.counters()["messages"] >= 1, 60)
            ratios.append(relay.counters()["seconds"] / theirs)
            peer.stop()
            relay.stop()
        bench.figure("25 MB: MAIL to acceptance / a buffer copied into GnuTLS, median", sorted(ratios)[3], most=1.1,
                     note=" ".join("%.2f" % r for r in ratios))

    def test_cost_by_length_of_the_queue(self):
        """CPU of outpostd and its agents per message, of the first messages of queues of 1,000 to a million (of 100 the start is most)."""
        costs = {}
        for n, rounds in ((1000, 5), (10000, 3), (int(1000000 * bench.SCALE), 1)):
            costs[n] = statistics.median(self.cost_of_some(n, i) for i in range(rounds))
            print("%8d queued: %.3f ms of CPU per message" % (n, costs[n]), flush=True)
        bench.figure("%d queued: CPU per message / with 1000 queued" % max(costs), costs[max(costs)] / costs[1000], most=1.2)

    def cost_of_some(self, n, i):
        self.queue_dir = "%s/queue.of.%d.%d" % (self.tmp, n, i)
        subprocess.run([harness.program("fill"), self.queue_dir, str(n), "2048", "20"], check=True)
        relay = self.quick_relay("cost%d.%d" % (n, i), "--rtt", "10")
        peer = peers.Outpost(self)
        peer.up(relay.starttls)
        harness.wait_for("the first message", lambda: relay.counters()["messages"] > 0, 60)
        first, begin = relay.counters()["messages"], self.spent(peer)
        harness.wait_for("some messages", lambda: relay.counters()["messages"] >= min(n, first + 5000), 120)
        done, end = relay.counters()["messages"], self.spent(peer)
        peer.service.kill()
        relay.stop()
        return (end - begin) / 1e6 / max(1, done - first)

    def spent(self, peer):
        """Nanoseconds of CPU."""
        total = 0
        for pid in [peer.service.pid, *harness.descendants(peer.service.pid)]:
            try:
                with open("/proc/%d/schedstat" % pid) as f:
                    total += int(f.read().split()[0])
            except OSError:
                pass    # an agent that has just ended
        return total

    def test_25_megabytes(self):
        relay = self.start_relay()
        self.configure(relay, message_size_limit="50000000")
        service = self.start_outpostd()
        begin = time.monotonic()
        self.sendmail("you@example.net", input=b"Subject: large\n\n" + (b"x" * 75 + b"\n") * (25000000 // 76))
        handed = time.monotonic() - begin
        most = {}

        def there():
            for pid in [service.pid, *harness.descendants(service.pid)]:
                try:
                    private, anonymous = bench.memory(pid)
                    most[pid] = max(most.get(pid, 0), private, anonymous)
                except (OSError, ValueError):
                    pass
            return relay.count() >= 1
        harness.wait_for("25 MB", there, 60)
        bench.figure("25 MB: sendmail", handed, "s")
        bench.figure("25 MB: to the relay, in all", time.monotonic() - begin, "s")
        bench.figure("25 MB: largest process", max(most.values()) / 1024, "MiB", most=16)


if __name__ == "__main__":
    harness.main()
