"""Who may submit, how many messages, how fast they go to the relay, and what a listing of many recipients costs."""
import json
import os
import re
import smtplib
import socket
import subprocess
import threading
import time
import unittest

import harness


class Limits(harness.SystemTest):
    needs = ("sendmail", "outpostd", "outpost", "outpost-smtp", "relay")

    def ready(self, **params):
        relay = self.start_relay()
        self.configure(relay, **params)
        self.start_outpostd()
        return relay

    def test_authorized_submit_users(self):
        self.ready(authorized_submit_users="!root, static:anyone")
        done = self.sendmail("you@example.net", code=77)
        self.assertIn("authorized_submit_users does not name you", done.err)
        self.wait_queue_empty()

    def test_named_user(self):
        relay = self.ready(authorized_submit_users="nobody, root")
        self.sendmail("you@example.net")
        relay.wait_messages(1)

    def test_rate_delay(self):
        relay = self.ready(smtp_destination_rate_delay="1s")
        for _ in range(3):
            self.sendmail("-odq", "you@example.net")
        start = time.monotonic()
        self.outpost("flush")
        self.assertGreater(time.monotonic() - start, 1.9)
        relay.wait_messages(3)

    def test_rate_delay_outlives_a_restart(self):
        relay = self.start_relay()
        self.configure(relay, smtp_destination_rate_delay="60s")
        for _ in range(2):
            service = self.start_outpostd()
            self.sendmail("you@example.net")
            relay.wait_messages(1)
            self.wait_log("status=sent", 1)
            time.sleep(0.3)         # for one that should not go
            service.stop()
        self.assertEqual(relay.count(), 1)

    def test_messages_of_a_connection(self):
        relay = self.start_relay()
        self.configure(relay, smtp_connection_reuse_count_limit="3", smtp_destination_concurrency_limit="1")
        for _ in range(7):
            self.sendmail("-odq", "you@example.net")
        self.outpost("flush")
        self.assertEqual((relay.count(), relay.counters()["connections"]), (7, 3))

    def test_time_of_a_connection(self):
        relay = self.start_relay(dialogue="when eod do wait 300; normal\n")
        self.configure(relay, smtp_connection_reuse_time_limit="1s", smtp_destination_concurrency_limit="1", smtp_pipeline_window="1")
        for _ in range(8):
            self.sendmail("-odq", "you@example.net")
        self.outpost("flush")
        self.assertEqual(relay.count(), 8)
        self.assertGreaterEqual(relay.counters()["connections"], 2)

    def test_idle_connections_are_closed(self):
        relay = self.ready(agent_idle_time="1s")
        self.sendmail("you@example.net")
        relay.wait_messages(1)
        harness.wait_for("the end of the connection", lambda: relay.counters()["connections_now"] == 0)

    def test_listings_of_many_recipients(self):
        """Neither outpostd, which tells mailq, nor `outpost` holds them all; and the line of JSON is as long as it is."""
        many = 60000
        wanted = ["r%d@example.net" % i for i in range(many)]
        self.configure(relayhost="[localhost]:%d" % harness.free_port())
        service = self.start_outpostd()
        told = self.sendmail("-bs", "-odq", input="EHLO x\r\nMAIL FROM:<s@example.com>\r\n" +
                             "".join("RCPT TO:<%s>\r\n" % r for r in wanted) + "DATA\r\nSubject: x\r\n\r\nx\r\n.\r\nQUIT\r\n")
        self.assertIn("\n250 2.", told.out[-200:])
        self.sendmail("-odq", "last@example.net")
        before = self.most_memory(service.pid, reset=True)
        for listing in (self.mailq("-j"), self.outpost("queue", "--json")):
            first, last = map(json.loads, listing.out.splitlines())
            self.assertEqual([r["address"] for r in first["recipients"]], wanted)
            self.assertEqual([r["address"] for r in last["recipients"]], ["last@example.net"])
        for listing in (self.mailq(), self.outpost("queue")):
            self.assertEqual(re.findall(r"^ +(\S+@example\.net)$", listing.out, re.M), wanted + ["last@example.net"])
            self.assertIn("in 2 Requests.", listing.out)
        shown = self.outpost("show", first["queue_id"])
        self.assertEqual(re.findall(r"^  to +(\S+)", shown.out, re.M), wanted)
        if not harness.ASAN:        # which keeps what was freed
            self.assertLess(self.most_memory(service.pid) - before, 6, "megabytes")
            self.assertLess(self.memory_of("queue") - self.memory_of("--version"), 10, "megabytes")

    def most_memory(self, pid, reset=False):
        """The most it ever had resident, in megabytes; or what it has now, and from now on the most."""
        if reset:
            with open("/proc/%d/clear_refs" % pid, "w") as f:
                f.write("5")
        with open("/proc/%d/status" % pid) as f:
            return next(int(line.split()[1]) // 1024 for line in f if line.startswith("VmHWM"))

    def memory_of(self, *args):
        process = subprocess.Popen([harness.program("outpost"), "-C", self.conf, *args], stdout=subprocess.DEVNULL, env=self.environ())
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = status
        self.assertEqual(status, 0)
        return usage.ru_maxrss // 1024

    def test_inetd(self):
        """What inetd does: a connection becomes sendmail -bs's standard input and output."""
        relay = self.ready()
        with socket.create_server(("127.0.0.1", 0)) as listener:
            client = smtplib.SMTP(timeout=10 * harness.PATIENCE)
            threading.Thread(target=self.serve, args=(listener,), daemon=True).start()
            client.connect(*listener.getsockname())
            client.sendmail("me@example.com", ["you@example.net"], b"Subject: x\r\n\r\n.dot\r\n")
            client.quit()
        message, = relay.wait_messages(1)
        self.assertEqual(message.body, b".dot\n")

    def serve(self, listener):
        connection = listener.accept()[0]
        with connection:
            subprocess.run([harness.program("sendmail"), "-C", self.conf, "-bs"], stdin=connection, stdout=connection,
                           env=self.environ(), timeout=20 * harness.PATIENCE)


if __name__ == "__main__":
    harness.main()
