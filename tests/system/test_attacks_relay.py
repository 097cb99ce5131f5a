"""Attacks by a relay: logins that fail for a moment, and words for the terminals of administrators."""
import attack
import harness


class TwoAddresses(attack.Attack):
    """The first address of the relay's name answers AUTH with 454. Gained: the password, wiped meanwhile, is said to be wrong at the
    next address, and the relay is paused until an administrator comes; all mail waits."""

    def _make_etc(self):
        super()._make_etc()
        with open(self.etc + "/hosts", "w") as f:
            f.write("127.0.0.1 localhost\n127.0.0.2 mail.example.com\n127.0.0.3 mail.example.com\n")

    def test_the_password_is_asked_for_again(self):
        self.site(relay=False)
        relays = [self.relay("--bind", address, password=attack.SECRET, name=address, dialogue=dialogue) for address, dialogue in
                  (("127.0.0.2", 'when auth do reply "454 4.7.0 temporary authentication failure"\n'),
                   ("127.0.0.3", None))]
        self.outpostd()
        self.mail("you@example.net")
        harness.wait_for("the second address, or a verdict", lambda: relays[1].count() or self.log_lines("said: 535|is down"))
        self.assertEqual(relays[1].count(), 1, self.log_text())
        self.assertEqual(self.log_lines("said: 535|is down"), [])


class Words(attack.Attack):
    """A reply with controls of terminals. Gained: commands to the terminal of whoever looks at the queue or the log."""

    def test_what_a_relay_says(self):
        self.site(relay=False)
        self.relay(password=attack.SECRET, dialogue='when rcpt do reply "450 4.2.0 \\x9b31m \\xc2\\x9b31m \\x1b[31m"\n')
        self.outpostd()
        self.mail("you@example.net")
        harness.wait_for("the reply", lambda: self.log_lines("status=deferred"))
        self.clean(self.type("outpost queue; outpost queue --json; mailq; outpost log; outpost status", code=None).stdout)
        self.clean(self.log_text().encode())

    def clean(self, data):
        self.assertIsNone(attack.CONTROL.search(data), data)


if __name__ == "__main__":
    harness.main()
