"""Relays that are down, slow or strict: one probe, pauses, fewer connections, users that take turns."""
import os
import signal
import subprocess
import time

import harness
from flusher_case import CONTROL_MAGIC, Flusher, NOBODY, submission


class RelayDown(Flusher):
    def test_a_refused_password_is_not_tried_again(self):
        relay = self.start_relay(password="another")
        self.configure(relay, minimal_backoff_time="1s", maximal_backoff_time="3600s")
        service = self.start_outpostd()
        for _ in range(3):
            self.sendmail("-f", "me@example.com", "you@example.net")
        self.wait_log(r"error: \[localhost\].* is down")
        time.sleep(1.5)
        service.stop()
        self.start_outpostd()
        self.sendmail("-f", "me@example.com", "you@example.net")
        time.sleep(0.5)
        self.assertEqual(relay.counters()["connections"], 1, "it knocked again")
        self.assertEqual(len(self.queue()), 4)
        self.assertFalse(self.log_lines("status=bounced"))
        self.write_secret("sasl_passwd", "[localhost]:%d %s:another\n" % (relay.starttls, harness.USER))
        self.sendmail("-f", "me@example.com", "you@example.net")
        relay.wait_messages(5)
        self.wait_log("is up again")

    def test_what_is_mended_between_two_looks(self):
        """The files are looked at once in a few milliseconds: what is mended just after, and before a message, is seen all the same."""
        relay = self.start_relay(password="another")
        self.configure(relay)
        self.start_outpostd()
        self.assertRegex(self.submit(), "^0 ")
        self.wait_log("is down, its mail waits")
        time.sleep(0.02)
        question = self.knock(CONTROL_MAGIC + b"mailq json\n")
        while question.recv(4096):
            pass
        question.close()
        self.write_secret("sasl_passwd", "[localhost]:%d %s:another\n" % (relay.starttls, harness.USER))
        self.assertRegex(self.submit(), "^0 ")
        relay.wait_messages(2)

    def test_a_relay_that_is_down_moves_no_message(self):
        relay = self.start_relay(back=True)
        self.configure(relay, minimal_backoff_time="1s", maximal_backoff_time="2s")
        relay.stop()
        self.start_outpostd()
        for _ in range(20):
            self.sendmail("-f", "me@example.com", "you@example.net")
        self.wait_log("is down")
        self.assertFalse(self.log_lines("queue active"))
        again = self.start_relay("--port587", str(relay.starttls), name="again")
        again.wait_messages(20)

    def test_one_probe_at_a_time(self):
        """However much waits for a relay that is down, and however slowly it says so."""
        relay = self.start_relay(dialogue='when greeting do wait 300; reply "421 4.3.2 not now"; close\n')
        self.configure(relay, minimal_backoff_time="1s", maximal_backoff_time="1s")
        self.start_outpostd()
        for _ in range(12):
            self.assertRegex(self.submit(), "^0 ")
        self.wait_log("is down", 3)
        with open(relay.commands) as f:
            refusals = [float(line.split()[0]) for line in f if "S: 421" in line]
        gaps = [after - before for before, after in zip(refusals, refusals[1:])]
        self.assertGreater(min(gaps), 0.9, "not a second and 300 ms from one to the next")
        self.assertFalse(self.log_lines("status="))

    def test_flush_is_not_answered_by_an_older_attempt(self):
        """What was mended just now is tried; an attempt that was under way before does not speak for it."""
        relay = self.start_relay(dialogue='when greeting conn=1 do wait 2000; reply "421 4.3.2 not now"; close\n')
        self.configure(relay, minimal_backoff_time="3600s", maximal_backoff_time="3600s")
        self.start_outpostd()
        self.sendmail("-f", "me@example.com", "you@example.net")
        harness.wait_for("the first connection", lambda: relay.counters()["connections"] == 1)
        self.assertRegex(self.outpost("flush").out, "1 sent")
        relay.wait_messages(1)
        self.assertEqual(relay.counters()["connections"], 2)

    def test_a_second_flush_is_the_first_made_longer(self):
        relay = self.start_relay(dialogue="when mail do wait 30; normal\n")
        self.configure(relay, smtp_destination_concurrency_limit="1", smtp_pipeline_window="1")
        self.start_outpostd()
        for _ in range(30):
            self.sendmail("-odq", "you@example.net")
        with subprocess.Popen([harness.program("outpost"), "-C", self.conf, "flush"], stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, env=self.environ(), text=True) as flush:
            harness.wait_for("some to be sent", lambda: relay.count() >= 5)
            self.sendmail("-q", input=None)
            said = flush.communicate(timeout=60 * harness.PATIENCE)[0]
        self.assertIn("30 sent, nothing is left to send", said)

    def test_flush_counts_what_its_flusher_sent_before_it_was_asked(self):
        """One that was just started is quicker at times than the question."""
        relay = self.start_relay()
        self.configure(relay)
        self.sendmail("-odq", "you@example.net")
        self.outpost("retry", self.queue()[0]["queue_id"])
        self.start_outpostd("--once", wait=False)
        with harness.wait_for("the door", self.guest):      # it stays as long as somebody is connected
            relay.wait_messages(1)
            self.wait_queue_empty()
            self.assertEqual(self.outpost("flush").out, "1 sent, nothing is left to send\n")
            self.assertEqual(self.outpost("flush").out, "0 sent, nothing is left to send\n")

    def test_a_relay_that_fails_after_each_login(self):
        """Its login says nothing about the mail: the distances grow, and it is up when it has answered for a message."""
        for n, good in enumerate(("normal", 'reply "450 4.2.1 try later"')):
            with self.subTest(good=good):
                # Three connections are lost before it counts as down, then one for each attempt.
                relay = self.start_relay(dialogue="when mail conn=6+ do %s\nwhen mail do cut\n" % good, name="fails%d" % n)
                self.queue_dir = os.path.join(self.tmp, "queue%d" % n)
                self.log = os.path.join(self.tmp, "log%d" % n)
                self.configure(relay, minimal_backoff_time="1s", maximal_backoff_time="1s", agent_idle_time="0s")
                service = self.start_outpostd()
                self.assertRegex(self.submit(), "^0 ")
                self.wait_log("is up again", timeout=30)
                first, = [line for line in self.log_lines("is down, its mail waits")]
                self.assertEqual(len(self.log_lines("is down still")), 2)
                self.assertLess(self.log_text().rindex("is down still"), self.log_text().index("is up again"))
                self.assertIn("lost connection", first)
                harness.wait_for("all to be forgotten", lambda: self.rows("SELECT failures, reason FROM relay") == [(0, "")])
                service.stop()
                relay.stop()

    def test_users_take_turns(self):
        relay = self.start_relay(dialogue="when mail do wait 10; normal\n")
        self.configure(relay, smtp_destination_concurrency_limit="1", smtp_pipeline_window="1")
        self.start_outpostd()
        for i in range(150):
            self.assertRegex(self.submit(sender="job@example.com"), "^0 ")
        text, _ = self.submit_as(NOBODY, sender="person@example.com")
        self.assertRegex(text, "^0 ")
        before = relay.count()
        messages = relay.wait_messages(151, timeout=30)
        place = [m.sender for m in messages].index("person@example.com")
        self.assertLess(place, before + 40, "behind the other user's mail")

    def test_many_senders_are_one_relay(self):
        """Each sender with a credential of his own, and the relay's connections are counted together."""
        relay = self.start_relay("--rtt", "20")
        self.configure(relay, smtp_sender_dependent_authentication="yes")
        self.write_secret("sasl_passwd", "".join("s%d@example.com %s:%s\n" % (i, harness.USER, harness.PASSWORD) for i in range(12)))
        self.start_outpostd()
        for i in range(12):
            self.assertRegex(self.submit(sender="s%d@example.com" % i), "^0 ")
        relay.wait_messages(12, timeout=25)
        # Three, and those that the relay has not yet seen leave.
        self.assertLessEqual(relay.counters()["connections_max"], 6)

    def test_a_thousand_senders_without_a_login(self):
        """They share the relay's; who has one, or whose domain has, is another relay. What nobody needs is not kept."""
        relay = self.start_relay("--user", "one:first", "--user", "all:second")
        self.configure(relay, smtp_sender_dependent_authentication="yes", minimal_backoff_time="1h")
        self.write_secret("sasl_passwd", "one@own.example one:first\n@domain.example all:second\n[localhost]:%d %s:%s\n" %
                          (relay.starttls, harness.USER, harness.PASSWORD))
        self.start_outpostd()
        senders = ["one@own.example"] + ["s%d@%s.example" % (i, ("own", "domain")[i % 2]) for i in range(1000)]
        for begin in range(0, len(senders), 50):
            clients = [self.knock(submission(sender=sender)) for sender in senders[begin:begin + 50]]
            self.assertEqual({self.answer(c)[:2] for c in clients}, {"0 "})
            for c in clients:
                c.close()
        taken = relay.wait_messages(len(senders), timeout=60)
        logins = {m.sender: m.envelope["user"] for m in taken}
        self.assertEqual(logins.pop("one@own.example"), "one")
        self.assertEqual({(who.partition("@")[2], user) for who, user in logins.items()},
                         {("own.example", harness.USER), ("domain.example", "all")})
        self.assertLess(relay.counters()["connections"], 50)
        harness.wait_for("the commit", lambda: {name.partition(" ")[2] for name, in self.rows("SELECT nexthop FROM relay")} ==
                         {"", "one@own.example", "@domain.example"})

    def test_fewer_connections_where_the_relay_says_so(self):
        relay = self.start_relay("--rtt", "20", dialogue="when greeting conn=2+ do reply \"421 4.3.2 too many connections\"; close\n")
        self.configure(relay, smtp_pipeline_window="2")
        self.start_outpostd()
        for _ in range(60):
            self.assertRegex(self.submit(), "^0 ")
        relay.wait_messages(60, timeout=30)
        self.assertFalse(self.log_lines("is down"))

    def test_a_relay_that_closes_all_connections_is_left_alone(self):
        """The last that is told "421" says that none is let in: it takes no further login to find that out."""
        relay = self.start_relay(dialogue='when mail nth=2+ do wait 5000; reply "421 4.3.2 shutting down"; close\n')
        self.configure(relay, smtp_destination_concurrency_limit="2", smtp_pipeline_window="2", minimal_backoff_time="1h")
        service = self.start_outpostd()
        for _ in range(20):
            self.assertRegex(self.submit(), "^0 ")
        harness.wait_for("two connections that serve", lambda: relay.count() == 2)
        service.signal(signal.SIGSTOP)      # so that it hears of both at once
        harness.wait_for("their ends", lambda: not harness.children(service.pid))
        service.signal(signal.SIGCONT)
        self.wait_log("is down")
        self.assertEqual(relay.counters()["connections"], 2)

    def test_a_restart_is_no_limit(self):
        """A relay that is shut down says 421 to one connection after the other; the last of them that goes on is not all it allows."""
        end = 'reply "421 4.3.2 shutting down"; close\n'
        for dialogue in ("when greeting conn=2 do %swhen mail conn=1 nth=2 do wait 800; %s" % (end, end),
                         "when mail conn=1 nth=2 do wait 800; %swhen mail conn=2 nth=2 do wait 1600; normal\n" % end):
            relay = self.start_relay(dialogue=dialogue, name="relay%d" % len(dialogue))
            self.configure(relay, smtp_destination_concurrency_limit="2", smtp_pipeline_window="2", minimal_backoff_time="1s")
            service = self.start_outpostd()
            for _ in range(20):
                self.assertRegex(self.submit(), "^0 ")
            relay.wait_messages(20, timeout=30)
            self.wait_queue_empty()
            self.assertEqual(service.stop(), 0)
            self.assertEqual([known for known, in self.rows("SELECT known FROM relay") if "connections=" in known], [])


if __name__ == "__main__":
    harness.main()
