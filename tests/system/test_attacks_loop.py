"""Attacks: the loop of outpostd is held. Mallory, an ordinary user, has outpostd do something long; gained: nobody else's mail is taken,
and past the watchdog's limit outpostd is killed."""
import os
import signal
import subprocess
import time

import attack
import harness

class Headers(attack.Attack):
    """Mallory sends messages whose header is as long as a header may be: rewriting and checking them, many in a turn of the loop, is
    all that outpostd does."""

    def headers(self, field, n=64):
        self.write("/etc/outpost/header_checks", attack.CHECKS)
        self.site(header_checks="regexp:/etc/outpost/header_checks")
        body = attack.long_header(4000000, field)
        self.incoming(attack.submission(body, recipients=(b"m%d@example.net" % i,)) for i in range(n))
        self.outpostd()
        self.fair_until(n)

    def test_many_fields(self):
        self.headers(900)

    def test_long_fields(self):
        self.headers(900000)

    def test_fields_of_many_addresses(self):
        """What is linear in the bytes must not be done anew for each of the addresses."""
        self.site(canonical_maps="inline:{a@example.com=b@example.com}")
        many = b" a@example.com,\n" * 60000 + b" z@example.com\n"
        body = b"Subject: x\n" + b"".join(name + b":" + many for name in (b"To", b"Cc", b"Reply-To", b"Resent-To")) + b"\nx\n"
        self.incoming(attack.submission(body, recipients=(b"m%d@example.net" % i,)) for i in range(32))
        self.outpostd()
        self.fair_until(32)


class Listings(attack.Attack):
    """Mallory leaves thousands of files for the drop and asks for a listing, again and again: each takes in all there is first."""

    def test_mailq(self):
        files = 6000
        self.site(relay=False)
        self.outpostd()
        # Bob's message and the questions are there before outpostd, which is stopped, looks at either.
        self.daemon.signal(signal.SIGSTOP)
        self.incoming(attack.submission(recipients=[b"m%d.%d@example.net" % (i, k) for k in range(100)]) for i in range(files))
        for _ in range(3):
            self.loop("/usr/bin/mailq")
        time.sleep(1)
        bob = self.popen("/usr/sbin/sendmail", "you@example.net", uid=attack.BOB, stdin=subprocess.DEVNULL)
        time.sleep(1)
        self.daemon.signal(signal.SIGCONT)
        self.assertEqual(bob.wait(60 * harness.PATIENCE), 0)
        left = len(os.listdir("/proc/%d/root/var/spool/outpost/incoming" % self.daemon.pid))
        self.assertGreater(left, files // 4, "Bob was answered after Mallory's were taken in")
        self.fair(self.latencies(40))

    def test_a_listing_is_true(self):
        """It waits, as before, for what was there when it was asked for."""
        self.site(relay=False)
        self.outpostd()
        self.daemon.signal(signal.SIGSTOP)
        self.incoming(attack.submission(recipients=[b"m%d@example.net" % i]) for i in range(500))
        listing = self.popen("/usr/bin/mailq", stdout=subprocess.PIPE)
        self.daemon.signal(signal.SIGCONT)
        self.assertIn(b"in 500 Requests.", listing.communicate(timeout=60 * harness.PATIENCE)[0])


if __name__ == "__main__":
    harness.main()
