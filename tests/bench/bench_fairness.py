"""How long another user's sendmail takes while somebody does the worst that an account allows: a big file by way of the drop, messages
with the longest headers there may be, thousands of files and listings, many uids that hold the door. Needs root, for namespaces."""
import os
import signal
import sys
import threading
import time
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import bench                                                                # noqa: E402
import attack                                                               # noqa: E402

MEDIAN, WORST = 1.0, 3.0        # seconds, on two cores


def scaled(n):
    return max(1, int(n * bench.SCALE))


class Fairness(attack.Attack):
    def report(self, load, seconds):
        bench.figure("sendmail beside %s: median of %d" % (load, len(seconds)), seconds[len(seconds) // 2], "s", most=MEDIAN)
        bench.figure("sendmail beside %s: worst" % load, seconds[-1], "s", most=WORST)

    def beside(self, load, over, least=20):
        """Bob sends twice a second, however long the one before takes, until the load is over, for a minute and a half at most."""
        end, seconds, threads = time.monotonic() + 90, [], []

        def send():
            seconds.append(self.mail("you@example.net", code=None).seconds)
        while len(threads) < least or (not over() and time.monotonic() < end):
            threads.append(threading.Thread(target=send))
            threads[-1].start()
            time.sleep(0.5)
        for thread in threads:
            thread.join()
        self.report(load, sorted(seconds))

    def test_quiet(self):
        self.site()
        self.outpostd()
        self.beside("nothing", lambda: True)

    def test_big_file(self):
        self.site()
        self.type("touch /run/outpost/managed")
        size = scaled(200 << 20)
        self.drop(attack.submission(b"Subject: big\n\n" + (b"x" * 75 + b"\n") * (size // 76), recipients=(b"m@example.net",)), code=None)
        self.type("rm /run/outpost/managed")
        self.outpostd()
        self.beside("a file of %d MB in incoming/" % (size >> 20), lambda: self.count_of("m") >= 1)

    def headers(self, load, body, n, **params):
        self.write("/etc/outpost/header_checks", attack.CHECKS)
        self.site(**params)
        self.incoming(attack.submission(body, recipients=(b"m%d@example.net" % i,)) for i in range(n))
        self.outpostd()
        self.beside(load, lambda: self.count_of("m") >= n)

    def test_headers(self):
        n = scaled(64)
        self.headers("%d headers of 4 MB, with header_checks" % n, attack.long_header(4000000, 900), n,
                     header_checks="regexp:/etc/outpost/header_checks")

    def test_addresses(self):
        n = scaled(64)
        many = b" a@example.com,\n" * 60000 + b" z@example.com\n"
        body = b"Subject: x\n" + b"".join(name + b":" + many for name in (b"To", b"Cc", b"Reply-To", b"Resent-To")) + b"\nx\n"
        self.headers("%d headers of 240,000 addresses" % n, body, n, canonical_maps="inline:{a@example.com=b@example.com}")

    def test_listings(self):
        self.site(relay=False)
        self.outpostd()
        n = scaled(4000)
        self.daemon.signal(signal.SIGSTOP)
        self.incoming(attack.submission(recipients=(b"m%d@example.net" % i,)) for i in range(n))
        for _ in range(3):
            self.loop("/usr/bin/mailq")
        time.sleep(0.5)
        self.daemon.signal(signal.SIGCONT)
        self.beside("%d files in incoming/ and three loops of mailq" % n, lambda: True, 40)
        self.stopping.set()


class Door(attack.Holding):
    report, beside = Fairness.report, Fairness.beside

    def test_held(self):
        self.outpostd()
        for uid in attack.SUBUIDS:
            self.hold(uid, 50)
        self.beside("%d connections of %d uids" % (50 * len(attack.SUBUIDS), len(attack.SUBUIDS)), lambda: True, 40)


if __name__ == "__main__":
    unittest.main(verbosity=0)
