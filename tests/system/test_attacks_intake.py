"""Attacks: what lies in incoming/ already is more than the queue can take. Gained: the others' mail waits with it, or the disk fills."""
import attack
import harness


def big(size, name):
    return attack.submission(b"Subject: big\n\n" + (b"x" * 75 + b"\n") * (size // 76), recipients=(name + b"@example.net",))


class Intake(attack.Attack):
    def sent(self):
        return {r for m in self.relay_service.messages() for r in m.recipients}

    def log_size(self):
        """Of the database's log, in bytes."""
        return int(self.type("stat -c %s /var/spool/outpost/queue.db-wal").out)

    def test_one_that_does_not_fit(self):
        """It waits alone, and costs nothing while it does; once there is room it goes."""
        self.small_disk("size=64m")
        self.site()
        self.incoming([attack.submission(recipients=(b"first@example.net",)), big(30 << 20, b"huge")] +
                      [big(1 << 20, b"large%d" % i) for i in range(3)] +
                      [attack.submission(recipients=(b"r%d@example.net" % i,)) for i in range(100)])
        self.outpostd()
        others = {"first@example.net"} | {"large%d@example.net" % i for i in range(3)} | {"r%d@example.net" % i for i in range(100)}
        harness.wait_for("the others", lambda: others <= self.sent(), 30)
        self.assertNotIn("huge@example.net", self.sent())
        self.assertTrue(self.log_lines("stays for now: the disk has no room for it"))
        self.assertLess(self.log_size(), 8 << 20)
        self.mail("bob@example.net")
        harness.wait_for("Bob's", lambda: "bob@example.net" in self.sent(), 20)
        self.type("mount -o remount,size=256m /var/spool/outpost")
        self.mail("-q", uid=0, input=b"")
        self.drop(attack.submission(recipients=(b"last@example.net",)), uid=attack.BOB)
        harness.wait_for("the huge one", lambda: {"huge@example.net", "last@example.net"} <= self.sent(), 30)

    def test_batch_that_does_not_fit(self):
        """Together they are too much; what they wrote is given back, and one after the other they are taken."""
        self.small_disk("size=24m")
        self.site()
        self.incoming([big(700 << 10, b"r%d" % i) for i in range(12)])
        self.type("head -c 13000000 /dev/zero >/var/spool/outpost/fill", code=None)
        self.outpostd()
        harness.wait_for("all of them", lambda: {"r%d@example.net" % i for i in range(12)} <= self.sent(), 30)
        self.assertFalse(self.log_lines("cannot take"))
        self.mail("root@example.net", uid=0)


class Turns(attack.Attack):
    def queued(self, name):
        """A submission that waits for a queue run."""
        data = attack.submission(recipients=(name.encode() + b"@example.net",))
        at = data.index(b"X\0\0\0\4") + 9
        return data[:at] + attack.record(b"Q") + data[at:]

    def test_many_uids_of_one_person(self):
        """Each has mail; of those who take turns it is one."""
        self.write("/etc/subuid", "mallory:200000:65536\n")
        self.site(smtp_destination_concurrency_limit="1")
        for uid in range(200000, 200030):
            self.incoming([self.queued("m%d" % i) for i in range(4)], uid=uid)
        self.incoming([self.queued("bob%d" % i) for i in range(10)], uid=attack.BOB)
        self.outpostd()
        harness.wait_for("all to be taken in", lambda: len(self.log_lines("pickup.*from=")) == 130, 20)
        self.mail("-q", uid=0, input=b"")
        messages = self.relay_service.wait_messages(130, timeout=60)
        last = max(i for i, m in enumerate(messages) if m.recipients[0].startswith("bob"))
        self.assertLess(last, 40)


if __name__ == "__main__":
    harness.main()
