"""Attacks: the queue's disk is filled. Mallory, an ordinary user, submits as much as is taken, by way of the door and of the drop; gained:
nobody else's mail is taken, or what was taken is not sent."""
import attack
import harness


def big(size):
    return attack.submission(b"Subject: big\n\n" + (b"x" * 75 + b"\n") * (size // 76))


class Disk(attack.Attack):
    def closed(self):
        """No flusher until outpostd() is called: where a service manager has the door the drop starts none."""
        self.type("touch /run/outpost/managed")

    def outpostd(self, **options):
        self.type("rm -f /run/outpost/managed")
        return super().outpostd(**options)

    def others_get_through(self, n):
        """Bob's mail by the door and by the drop, taken and sent."""
        self.assertEqual(self.mail("by-door@example.net", code=None).returncode, 0)
        self.assertEqual(self.drop(attack.submission(recipients=(b"by-drop@example.net",)), uid=attack.BOB, code=None).returncode, 0)
        harness.wait_for("Bob's messages at the relay", lambda: {"by-door@example.net", "by-drop@example.net"} <=
                         {r for m in self.relay_service.messages() for r in m.recipients}, n)

    def test_half_of_what_is_free_by_the_drop(self):
        """The file and its copy in the database together are more than there is: only this file waits."""
        self.small_disk("size=64m")
        self.site()
        self.closed()
        self.drop(attack.submission(recipients=(b"first@example.net",)), uid=attack.BOB)
        self.drop(big(30 << 20), code=None)
        self.drop(attack.submission(recipients=(b"last@example.net",)), uid=attack.BOB)
        self.outpostd()
        harness.wait_for("what came with it", lambda: {"first@example.net", "last@example.net"} <=
                         {r for m in self.relay_service.messages() for r in m.recipients}, 20)
        self.others_get_through(20)
        self.assertGreater(self.free_share(), 0.04)

    def test_all_that_the_drop_takes(self):
        """Of whatever size: something stays for others."""
        self.small_disk("size=64m")
        self.site()
        self.closed()
        for size in (30 << 20, 10 << 20, 3 << 20, 1 << 20, 100 << 10, 2 << 10):
            while self.drop(big(size), code=None).returncode == 0:
                pass
        self.assertGreater(self.free_share(), 0.04)
        self.drop(attack.submission(recipients=(b"drop@example.net",)), uid=0)
        self.outpostd()
        self.others_get_through(20)

    def test_all_inodes(self):
        self.small_disk("size=256m,nr_inodes=400")
        self.site()
        self.closed()
        for _ in range(500):
            if self.drop(attack.submission(), code=None).returncode:
                break
        self.assertGreater(self.free_share(inodes=True), 0.04)
        self.drop(attack.submission(), uid=0)
        self.outpostd()
        self.others_get_through(20)

    def test_all_that_the_door_takes(self):
        """Non-root submissions are refused while less than a twentieth, or less than twice their size, is free."""
        self.small_disk("size=64m")
        self.site(relayhost="[mail.example.com]:588", relay=False)
        self.outpostd()
        for size in (30 << 20, 10 << 20, 3 << 20, 1 << 20, 100 << 10, 2 << 10):
            while self.mail("m@example.net", uid=attack.MALLORY, input=b"Subject: big\n\n" + (b"x" * 75 + b"\n") * (size // 76),
                            code=None).returncode == 0:
                pass
        self.assertGreater(self.free_share(), 0.04)
        self.mail("root@example.net", uid=0)


if __name__ == "__main__":
    harness.main()
