"""The main job: sendmail, the queue, and a relay over verified TLS with a password map."""
import os
import random
import time

import harness


class MainJob(harness.SystemTest):
    needs = ("sendmail", "outpostd", "outpost", "outpost-smtp")

    def go(self, tls):
        relay = self.start_relay()
        self.configure(relay, tls=tls)
        self.start_outpostd()
        self.sendmail("-i", "-f", "me@example.com", "you@example.net", "other@example.net",
                      input=b"Subject: hello\nFrom: me@example.com\n\n.\nthe body\n")
        message, = relay.wait_messages(1)
        self.assertEqual(message.sender, "me@example.com")
        self.assertEqual(message.recipients, ["you@example.net", "other@example.net"])
        self.assertEqual(message.body, b".\nthe body\n")
        self.assertEqual(message.header("Subject"), "hello")
        self.assertEqual(message.envelope["user"], harness.USER)
        self.wait_log(r"Verified TLS connection established to localhost\[127\.0\.0\.1\]:%d: TLSv1\.3" %
                      (relay.tls if tls else relay.starttls))
        self.wait_log(r"outpost/smtp\[\d+\]: [0-9A-Z]+: to=<you@example\.net>, relay=localhost\[127\.0\.0\.1\]:\d+, "
                      r".*dsn=2\.\d\.\d+, status=sent \(250 ")
        self.wait_log(r"[0-9A-Z]+: removed")
        self.wait_queue_empty()
        self.assertNotIn(harness.PASSWORD, self.log_text())

    def test_starttls(self):
        self.go(False)

    def test_implicit_tls(self):
        self.go(True)

    def test_through_the_drop_and_flush(self):
        """No daemon: the drop keeps it, outpost flush delivers it."""
        relay = self.start_relay()
        self.configure(relay)
        self.sendmail("-odq", "you@example.net")
        self.assertEqual(relay.count(), 0)
        self.outpost("flush")
        relay.wait_messages(1)
        self.wait_queue_empty()

    def test_what_the_drop_holds_is_shown_and_not_sent(self):
        """No daemon: mailq lists what outpost-drop wrote, edits find it, and neither sends anything."""
        relay = self.start_relay()
        self.configure(relay)
        self.sendmail("-odq", "you@example.net")
        rows = self.queue()
        self.assertEqual([r["recipients"][0]["address"] for r in rows], ["you@example.net"])
        self.sendmail("-odq", "other@example.net")
        self.outpost("hold", rows[0]["queue_id"])
        states = sorted(r["queue_name"] for r in self.queue())
        self.assertEqual(len(states), 2)
        self.assertIn("hold", states)
        self.assertEqual(relay.count(), 0)

    def test_a_changed_configuration_counts_at_once(self):
        """A warm connection under the old main.cf takes nothing that comes after the edit."""
        first, second = self.start_relay(), self.start_relay()
        self.configure(first)
        self.start_outpostd()
        self.sendmail("you@example.net")
        first.wait_messages(1)
        self.configure(second)
        self.sendmail("you@example.net")
        second.wait_messages(1)
        self.assertEqual(first.count(), 1)

    def test_without_a_daemon_it_goes_by_itself(self):
        """No daemon, no -odq: a flusher is started, delivers, and leaves."""
        relay = self.start_relay()
        self.configure(relay)
        self.sendmail("you@example.net")
        relay.wait_messages(1)
        self.wait_queue_empty()

    def test_dash_t(self):
        relay = self.start_relay()
        self.configure(relay)
        self.start_outpostd()
        self.sendmail("-t", input=b"To: a@example.net, \"B\" <b@example.net>\nCc: c@example.net\nBcc: d@example.net\n"
                                  b"Subject: x\n\nx\n")
        message, = relay.wait_messages(1)
        self.assertEqual(sorted(message.recipients), [x + "@example.net" for x in "abcd"])
        self.assertNotIn(b"d@example.net", message.data)
        for name in ("Date", "Message-ID", "From"):
            self.assertIsNotNone(message.header(name), name)

    def test_many_on_one_connection(self):
        relay = self.start_relay()
        self.configure(relay, smtp_destination_concurrency_limit="1")
        for i in range(200):
            self.sendmail("-odq", "-f", "s%d@example.com" % i, "r%d@example.net" % i, input=b"Subject: %d\n\nbody %d\n" % (i, i))
        self.outpost("flush", timeout=60)
        for message in relay.wait_messages(200):
            n = message.header("Subject")
            self.assertEqual((message.sender, message.recipients, message.body),
                             ("s%s@example.com" % n, ["r%s@example.net" % n], b"body %s\n" % n.encode()))
        counters = relay.counters()
        self.assertEqual(counters["connections"], 1)
        for name in ("pipelining_violations", "bare_lf", "bare_cr", "long_lines", "secrets_in_clear"):
            self.assertEqual(counters[name], 0, name)

    def test_empty_message(self):
        relay = self.start_relay()
        self.configure(relay)
        self.start_outpostd()
        self.sendmail("you@example.net", input=b"")
        message, = relay.wait_messages(1)
        self.assertEqual(message.body, b"")

    def test_25_megabytes(self):
        relay = self.start_relay()
        self.configure(relay, message_size_limit="40000000")
        self.start_outpostd()
        line = bytes(random.Random(1).choice(b"abcdefghijklmnopqrstuvwxyz0123456789") for _ in range(75)) + b"\n"
        body = b"".join(b"%06d " % i + line for i in range(25 * 1000 * 1000 // 83))
        self.sendmail("you@example.net", input=b"Subject: large\n\n" + body, timeout=60)
        message, = relay.wait_messages(1, timeout=60)
        self.assertTrue(message.body == body, "25 MB came out differently")
        self.wait_queue_empty()

    def test_too_large_is_refused_at_once(self):
        relay = self.start_relay()
        self.configure(relay, message_size_limit="100000")
        self.start_outpostd()
        done = self.sendmail("you@example.net", input=b"Subject: x\n\n" + b"x" * 70 * 2000, code=None)
        self.assertIn(done.returncode, (65, 69, 77), done.err)
        self.assertIn("size", done.err)
        self.wait_queue_empty()

    def test_relay_comes_back(self):
        """A relay that is down keeps the message, says why, and gets it when it is back."""
        relay = self.start_relay(back=True)
        self.configure(relay)
        relay.stop()
        self.sendmail("-odq", "you@example.net")
        done = self.outpost("flush", code=75)
        entry, = self.queue()
        self.assertIn("refused", str(entry) + done.out + done.err)
        again = self.start_relay("--port587", str(relay.starttls), name="again")
        self.outpost("flush")
        again.wait_messages(1)

    def test_refused_recipient_bounces(self):
        relay = self.start_relay()
        self.configure(relay)
        self.start_outpostd()
        self.sendmail("-f", "me@example.com", "reject@example.net")
        bounce, = relay.wait_messages(1)
        self.assertEqual((bounce.sender, bounce.recipients), ("", ["me@example.com"]))
        self.assertEqual(bounce.parsed.get_content_type(), "multipart/report")
        self.assertIn(b"reject@example.net", bounce.data)
        queue_id = self.wait_log(r"([0-9A-Z]+): to=<reject@example\.net>.*status=bounced")[0][1]
        self.assertRegex(bounce.data, rb"(?s)text/rfc822-headers.*\nReceived: by [^\n]*\n\s+id %s;" % queue_id.encode())

    def test_latency_of_one(self):
        """Nothing waits for a timer between sendmail's end and the relay's."""
        relay = self.start_relay()
        self.configure(relay)
        self.start_outpostd()
        self.sendmail("warm@example.net")
        relay.wait_messages(1)
        took = []
        for n in range(2, 7):
            begin = time.monotonic()
            self.sendmail("you@example.net")
            relay.wait_messages(n)
            took.append(time.monotonic() - begin)
        self.assertLess(min(took), 1.0 * harness.PATIENCE)


class NothingSecret(harness.SystemTest):
    needs = MainJob.needs

    def test_no_secret_is_left_anywhere(self):
        relay = self.start_relay()
        self.configure(relay, smtp_tls_loglevel="2")
        self.start_outpostd()
        seen = set()
        for i in range(5):
            self.sendmail("you%d@example.net" % i)
        relay.wait_messages(5)
        for pid in harness.descendants():
            if pid == relay.pid:
                continue
            for name in ("cmdline", "environ"):
                try:
                    with open("/proc/%d/%s" % (pid, name), "rb") as f:
                        self.assertNotIn(harness.PASSWORD.encode(), f.read(), "%s of %s" % (name, harness.command_of(pid)))
                    seen.add(name)
                except OSError:
                    pass
        self.assertTrue(seen)
        for out in (self.log_text(), self.outpost("status", code=None).out, self.mailq().out):
            self.assertNotIn(harness.PASSWORD, out)
        for path in (self.queue_dir + "/" + n for n in os.listdir(self.queue_dir)):
            try:
                with open(path, "rb") as f:
                    self.assertNotIn(harness.PASSWORD.encode(), f.read(), path)
            except OSError:
                pass        # no file, or gone meanwhile


if __name__ == "__main__":
    harness.main()
