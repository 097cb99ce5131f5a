"""To which relay a message goes: several in order, a fallback, one for a sender, literals; and how long one rests that asks for it."""
import json
import os
import re
import socket
import threading

import harness
from harness import PASSWORD, USER


class Routes(harness.SystemTest):
    needs = ("sendmail", "outpostd", "outpost", "outpost-smtp", "relay")

    def relays(self, n, **options):
        return [self.start_relay(name="relay%d" % i, **options) for i in range(n)]

    def passwords(self, *hosts):
        self.write_secret("sasl_passwd", "".join("%s %s:%s\n" % (h, USER, PASSWORD) for h in hosts))

    def written(self, relay):
        return "[localhost]:%d" % relay.starttls

    def flush_one(self, *args, **options):
        self.sendmail("-odq", *args, "you@example.net")
        return self.outpost("flush", **options)

    def test_several_in_order(self):
        """The first is dead: the second gets it at once; back again, the first is preferred."""
        first, second = self.relays(2, back=True)
        hosts = self.written(first), self.written(second)
        self.configure(relayhost=", ".join(hosts))
        self.passwords(*hosts)
        first.stop()
        self.flush_one()
        self.assertEqual(second.count(), 1)
        first = self.start_relay("--port587", str(first.starttls), name="again")
        self.outpost("flush")               # a person's flush tries what is down
        self.flush_one()
        self.assertEqual((first.count(), second.count()), (1, 1), self.log_text())

    def test_fallback(self):
        first, second = self.relays(2)
        self.configure(relayhost=self.written(first), smtp_fallback_relay=self.written(second))
        self.passwords(self.written(first), self.written(second))
        self.flush_one()
        self.assertEqual((first.count(), second.count()), (1, 0))
        first.stop()
        self.flush_one()
        self.assertEqual(second.count(), 1)

    def test_one_for_a_sender(self):
        default, one, domain = self.relays(3)
        with open(os.path.join(self.conf, "by_sender"), "w") as f:
            f.write("one@example.com %s\n@example.org %s\nnobody@example.com DUNNO\n" % (self.written(one), self.written(domain)))
        self.configure(relayhost=self.written(default), sender_dependent_relayhost_maps="hash:" + os.path.join(self.conf, "by_sender"))
        self.passwords(*map(self.written, (default, one, domain)))
        for sender in ("one@example.com", "any@example.org", "nobody@example.com", ""):
            self.sendmail("-odq", "-f", sender, "you@example.net")
        self.outpost("flush")
        self.assertEqual([[m.sender for m in r.messages()] for r in (one, domain)], [["one@example.com"], ["any@example.org"]])
        self.assertEqual(sorted(m.sender for m in default.messages()), ["", "nobody@example.com"])

    def test_a_password_for_a_sender(self):
        """smtp_sender_dependent_authentication: one relay, a login for each sender."""
        relay = self.start_relay("--user", "one:first", "--user", "two:second")
        self.configure(relay, smtp_sender_dependent_authentication="yes")
        self.write_secret("sasl_passwd", "one@example.com one:first\ntwo@example.com two:second\n%s %s:%s\n" %
                          (self.written(relay), USER, PASSWORD))
        for sender in ("one", "two", "other"):
            self.sendmail("-odq", "-f", sender + "@example.com", "you@example.net")
        self.outpost("flush")
        self.assertEqual({m.sender: m.envelope["user"] for m in relay.messages()},
                         {"one@example.com": "one", "two@example.com": "two", "other@example.com": USER})

    def two(self, **params):
        """A relay for most senders, and another one for a@example.com."""
        here, there = self.start_relay(name="here"), self.start_relay(name="there", back=True)
        self.configure(here, sender_dependent_relayhost_maps="inline:{ a@example.com=%s }" % self.written(there), **params)
        with open(os.path.join(self.conf, "sasl_passwd"), "a") as f:
            f.write("%s %s:%s\n" % (self.written(there), USER, PASSWORD))
        return here, there

    def test_one_of_two_comes_back(self):
        """Its next attempt comes by itself, though the other one has room all the time and nothing else happens."""
        here, there = self.two(minimal_backoff_time="1s", maximal_backoff_time="1s")
        there.stop()
        self.start_outpostd()
        self.sendmail("-f", "a@example.com", "you@example.net")
        self.wait_log("is down")
        self.sendmail("-f", "b@example.com", "you@example.net")
        here.wait_messages(1)
        back = self.start_relay("--port587", str(there.starttls), name="back")
        back.wait_messages(1)

    def test_one_of_two_is_slow(self):
        """smtp_destination_rate_delay makes the mail of one relay wait, for no longer than it says."""
        here, there = self.two(smtp_destination_rate_delay="1s")
        self.start_outpostd()
        for sender in ("b", "a", "a", "a"):
            self.sendmail("-odq", "-f", sender + "@example.com", "you@example.net")
        self.outpost("flush")
        there.wait_messages(3)
        for sender in ("b", "a", "a"):
            self.sendmail("-f", sender + "@example.com", "you@example.net")
        there.wait_messages(5)
        here.wait_messages(2)

    def test_a_password_mended_for_one_of_two(self):
        """It is tried at once, as where there is one relay only."""
        here, there = self.two()
        path = os.path.join(self.conf, "sasl_passwd")
        with open(path) as f:
            good = f.read()
        self.write_secret("sasl_passwd", good.replace("%s %s:%s" % (self.written(there), USER, PASSWORD), "%s %s:wrong" % (self.written(there), USER)))
        self.start_outpostd()
        self.sendmail("-f", "a@example.com", "you@example.net")
        self.wait_log("is down")
        self.sendmail("-f", "b@example.com", "you@example.net")
        here.wait_messages(1)
        self.write_secret("sasl_passwd", good)
        self.sendmail("-f", "b@example.com", "you@example.net")
        here.wait_messages(2)
        there.wait_messages(1)

    def test_the_relays_password_is_wrong_and_a_senders_is_right(self):
        relay = self.start_relay("--user", "one:first")
        self.configure(relay, smtp_sender_dependent_authentication="yes", password="wrong")
        with open(os.path.join(self.conf, "sasl_passwd"), "a") as f:
            f.write("one@example.com one:first\n")
        self.start_outpostd()
        self.sendmail("-f", "other@example.com", "you@example.net")
        self.wait_log("is down")
        self.sendmail("-f", "one@example.com", "you@example.net")
        self.assertEqual(relay.wait_messages(1)[0].sender, "one@example.com")
        self.outpostd_service.stop()
        self.sendmail("-odq", "-f", "one@example.com", "you@example.net")
        self.outpost("flush", code=75)
        self.assertEqual([m.sender for m in relay.messages()], ["one@example.com"] * 2)

    def test_an_address_of_ipv6(self):
        try:
            with socket.socket(socket.AF_INET6) as s:
                s.bind(("::1", 0))
        except OSError:
            self.skipTest("no ::1 here")
        relay = self.start_relay("--bind", "::1")
        self.configure(relayhost="[::1]:%d" % relay.starttls)
        self.flush_one()
        self.assertEqual(relay.count(), 1)
        self.assertTrue(self.log_lines(r"relay=::1\[::1\]:%d, .*status=sent" % relay.starttls))

    def test_source_addresses(self):
        """smtp_bind_address is what the relay sees; smtp_bind_address6 is used, too: an address that is not ours can't be."""
        with socket.create_server(("127.0.0.1", 0)) as listener:
            seen = []

            def serve():
                connection, peer = listener.accept()
                seen.append(peer[0])
                connection.close()
            thread = threading.Thread(target=serve)
            thread.start()
            self.configure(relayhost="[127.0.0.1]:%d" % listener.getsockname()[1], smtp_bind_address="127.0.0.5")
            self.flush_one(code=75)
            thread.join(10)
        self.assertEqual(seen, ["127.0.0.5"])
        self.configure(relayhost="[::1]:%d" % harness.free_port(), smtp_bind_address6="2001:db8::1")
        self.flush_one(code=75)
        self.assertTrue(self.log_lines(r"connect to ::1\[::1\].*(Cannot assign requested address|Address family not supported)"))

    def test_a_relay_that_wants_a_pause(self):
        """The time that it asks for is kept, and told."""
        for n, (event, reply, pause) in enumerate((("mail", "451 4.7.0 Temporary rate limit, try again in 900 seconds", 900),
                                                   ("eod", "432 4.3.2 Concurrent connections limit exceeded, retry after 1 hour", 3600),
                                                   ("mail", "450 4.7.1 sending too fast", 300),
                                                   ("eod", "550 5.4.5 Daily user sending limit exceeded", 300),
                                                   ("auth", "435 Unable to authenticate at present", 300))):
            with self.subTest(reply=reply):
                relay = self.start_relay(dialogue='when %s do reply "%s"\n' % (event, reply), name="pause%d" % n)
                self.queue_dir = os.path.join(self.tmp, "queue%d" % n)
                self.configure(relay)
                service = self.start_outpostd()
                self.flush_one(code=75)
                status = self.outpost("status", "--json", code=75).out
                down = json.loads(status)["relays"][0]
                self.assertIn(reply[:9], json.dumps(down))
                wait = re.search(r"next try in ([\d.]+ \w+)", self.outpost("status", code=75).out)
                self.assertTrue(wait, "the pause is not told")
                number, unit = wait.group(1).split()
                seconds = float(number) * {"s": 1, "m": 60, "h": 3600}[unit[0]]
                self.assertTrue(pause * 0.55 <= seconds <= pause * 1.5, wait.group(0))
                self.assertFalse(self.log_lines("fix the password map"))
                connections = relay.counters()["connections"]
                self.sendmail("you@example.net")
                service.stop()
                self.assertEqual(relay.counters()["connections"], connections, "it was knocked at meanwhile")

    def test_a_relay_that_lets_us_in_and_closes(self):
        """Each time before any mail could be sent: it is down, not logged in to sixty times a second."""
        relay = self.start_relay("--auth", "PLAIN", dialogue="when auth do normal; close\n")
        self.configure(relay)
        self.start_outpostd()
        for _ in range(5):
            self.sendmail("you@example.net")
        self.wait_log("is down, its mail waits.*(before any mail is sent|while sending MAIL FROM)")   # whoever was quicker
        connections = relay.counters()["connections"]
        self.assertLessEqual(connections, 15)
        self.sendmail("you@example.net")
        self.assertEqual(relay.counters()["connections"], connections, "it was knocked at meanwhile")

    def test_a_relay_that_wants_one_connection_and_does_not_say_so(self):
        """A second one is closed, or its login refused, while the first serves, or takes its time over its first message: that goes on,
        and the relay is not down."""
        for n, rule in enumerate(("accept conn=2+ do close", 'auth conn=2+ do reply "535 5.7.8 too many sessions"',
                                  "eod total=1 do wait 1500; normal\nwhen accept conn=2+ do close")):
            with self.subTest(rule=rule):
                relay = self.start_relay("--rtt", "20", dialogue="when %s\n" % rule, name="alone%d" % n)
                self.queue_dir = os.path.join(self.tmp, "alone-queue%d" % n)
                self.configure(relay, smtp_pipeline_window="1")
                for _ in range(30):
                    self.sendmail("-odq", "you@example.net")
                service = self.start_outpostd()
                self.outpost("flush")
                self.wait_log("going on with 1 connection$|allows 1 connection:", count=n + 1)
                self.assertEqual(relay.count(), 30)
                self.sendmail("you@example.net")
                relay.wait_messages(31)
                self.assertEqual(relay.counters()["connections"], 2)
                self.assertFalse(self.log_lines("is down"))
                service.stop()

    def test_a_relay_that_closes_now_and_then(self):
        """Every second connection serves."""
        relay = self.start_relay("--auth", "PLAIN", dialogue="when auth total=1 do normal; close\n"
                                 "when auth total=3 do normal; close\nwhen eod do normal; close\n")
        self.configure(relay)
        for _ in range(3):
            self.sendmail("-odq", "you@example.net")
        # A MAIL that was quicker than the relay's FIN is an attempt of its message.
        if self.outpost("flush", code=None).returncode != 0:
            self.assertTrue(self.log_lines("lost connection .* while sending MAIL FROM"))
            self.outpost("flush")
        self.assertEqual(relay.count(), 3)
        self.assertFalse(self.log_lines("is down"))


if __name__ == "__main__":
    harness.main()
