"""What the sender is told: bounces, delays, success; and that nothing multiplies."""
import json
import os
import sqlite3

import harness
from flusher_case import Flusher


class Notifications(Flusher):
    def test_nothing_multiplies(self):
        """A relay that refuses everything, bounces included."""
        relay = self.start_relay(dialogue="when rcpt do reply \"550 5.1.1 nobody here\"\n")
        self.configure(relay)
        self.start_outpostd()
        for _ in range(5):
            self.sendmail("-f", "me@example.com", "a@example.net", "b@example.net")
        self.wait_log("status=bounced", 15)
        self.wait_queue_empty()
        self.outpost("flush")
        base = sqlite3.connect(os.path.join(self.queue_dir, "queue.db"))
        rows = base.execute("SELECT count(*) FROM message").fetchone()[0]
        base.close()
        self.assertEqual(rows, 10)

    def test_one_notification_however_slowly_refusals_come(self):
        """Round trip by round trip, each verdict is stored by itself; the sender is told once."""
        relay = self.start_relay("--rtt", "20", "--ext", "8BITMIME ENHANCEDSTATUSCODES SIZE")
        self.configure(relay)
        self.start_outpostd()
        self.sendmail("-f", "me@example.com", "good@example.net", *("reject%d@example.net" % i for i in range(8)))
        self.wait_queue_empty()
        first, bounce = relay.wait_messages(2)
        self.assertEqual((first.recipients, bounce.recipients), (["good@example.net"], ["me@example.com"]))
        self.assertEqual(bounce.data.count(b"Final-Recipient:"), 8)

    def test_a_damaged_message_stops_nobody(self):
        """The part of it that a bounce would send back can't be read: the sender is told without it, and the others go on."""
        relay = self.start_relay()
        self.configure(relay)
        self.start_outpostd()
        self.sendmail("-odq", "-R", "full", "-f", "me@example.com", "reject@example.net",
                      input=b"Subject: big\n\n" + b"line of text\n" * 12000)
        base = sqlite3.connect(os.path.join(self.queue_dir, "queue.db"))
        with base:
            base.execute("DELETE FROM chunk WHERE id = (SELECT max(id) FROM chunk)")
        base.close()
        self.outpost("flush", code=None)
        self.sendmail("other@example.net")
        bounce, other = sorted(relay.wait_messages(2), key=lambda m: m.sender)
        self.assertEqual((bounce.sender, bounce.recipients, other.recipients), ("", ["me@example.com"], ["other@example.net"]))
        self.assertIn(b"reject@example.net", bounce.data)
        self.assertFalse(self.log_lines("takes no commits"))

    def test_how_much_goes_back(self):
        """All of a large message with RET=FULL, to the byte; else its header."""
        relay = self.start_relay()
        self.configure(relay)
        self.start_outpostd()
        text = b"Subject: large\n\n" + b"".join(b"line %d\n" % i for i in range(40000))
        for ret in ("full", "hdrs", None):
            self.sendmail(*(("-R", ret) if ret else ()), "-f", "me-%s@example.com" % ret, "reject@example.net", input=text)
        bounces = {m.recipients[0]: m for m in relay.wait_messages(3)}
        for to, bounce in bounces.items():
            report, original = bounce.parsed.get_payload()[1:]
            self.assertEqual(report.get_content_type(), "message/delivery-status")
            self.assertIn(b"Subject: large", original.as_bytes())
            self.assertEqual(text.partition(b"\n\n")[2] in bounce.data, to.startswith("me-full"), to)
            self.assertEqual(bounce.header("Auto-Submitted"), "auto-replied")

    def test_who_has_no_sender_is_told_nothing(self):
        relay = self.start_relay()
        self.configure(relay)
        self.start_outpostd()
        self.sendmail("-f", "<>", "reject@example.net")
        self.wait_log("status=bounced")
        harness.wait_for("it to rest", lambda: self.rows("SELECT state, sender FROM message") == [("f", "")])
        self.assertEqual(json.loads(self.outpost("status", "--json", code=None).out)["failed"], 1)
        self.outpost("flush")
        self.assertEqual(relay.count(), 0)
        self.assertEqual(self.rows("SELECT count(*) FROM message"), [(1,)])

    def test_success_is_told_where_the_relay_does_not(self):
        relay = self.start_relay("--ext", "PIPELINING 8BITMIME CHUNKING ENHANCEDSTATUSCODES SIZE")
        self.configure(relay)
        self.start_outpostd()
        self.sendmail("-N", "success", "-f", "me@example.com", "you@example.net")
        messages = relay.wait_messages(2)
        self.assertEqual(messages[1].sender, "")
        self.assertIn(b"Action: relayed", messages[1].data)

    def test_success_is_told_by_the_relay_where_it_can(self):
        relay = self.start_relay()
        self.configure(relay)
        self.start_outpostd()
        self.sendmail("-N", "success", "-f", "me@example.com", "you@example.net")
        self.wait_log("status=sent")
        harness.wait_for("the commit", lambda: self.rows("SELECT state FROM message WHERE state <> 'q'"))
        self.assertEqual(self.rows("SELECT sender FROM message"), [("me@example.com",)])
        with open(relay.commands) as f:
            self.assertRegex(f.read(), r"RCPT TO:<you@example\.net>.* NOTIFY=SUCCESS")

    def test_too_old(self):
        """Not before five attempts, then with the relay's words to the sender."""
        relay = self.start_relay(dialogue="when rcpt arg~old do reply \"450 4.2.1 try later\"\n")
        self.configure(relay, minimal_backoff_time="1s", maximal_backoff_time="1s", maximal_queue_lifetime="1s")
        self.start_outpostd()
        self.sendmail("-f", "me@example.com", "old@example.net")
        bounce, = relay.wait_messages(1, timeout=30)
        self.assertEqual(bounce.sender, "")
        self.assertIn(b"try later", bounce.data)
        self.assertGreaterEqual(len(self.log_lines("to=<old@.*status=deferred")), 5)
        self.wait_log("status=expired, returned to sender")

    def test_delay_warning(self):
        relay = self.start_relay(dialogue="when rcpt arg~slow do reply \"450 4.2.1 try later\"\n")
        self.configure(relay, minimal_backoff_time="1s", maximal_backoff_time="1s", delay_warning_time="1s")
        self.start_outpostd()
        self.sendmail("-f", "me@example.com", "slow@example.net")
        warning, = relay.wait_messages(1, timeout=30)
        self.assertIn(b"Action: delayed", warning.data)
        self.wait_log("to=<slow@.*status=deferred", 4)
        self.assertEqual(relay.count(), 1, "one warning is enough")


if __name__ == "__main__":
    harness.main()
