"""The delivery agent by itself, driven over its frames by agentdrive: round trips, transactions in flight, names and
addresses, TLS levels, login, and what is left of a password."""
import os
import re
import shutil
import socket
import subprocess
import threading
import time
import unittest

import harness
from harness import PASSWORD, USER, program, wait_for

RTT = 150       # ms


class Driven:
    """What agentdrive printed, taken apart."""

    def __init__(self, text, code):
        self.text, self.code = text, code
        self.down = next(iter(re.findall(r"^down (.*)$", text, re.M)), None)
        self.verdicts = re.findall(r"^verdict (\d+) (\S+) (\w+) (\S+) \((.*)\)$", text, re.M)
        self.log = re.findall(r"^log (.*)$", text, re.M)
        total = re.search(r"^total (.*)$", text, re.M)
        self.total = {k: int(v) for k, v in (w.split("=") for w in total.group(1).split())} if total else {}

    def __repr__(self):
        return self.text


class AgentTest(harness.SystemTest):
    needs = ("outpost-smtp", "agentdrive", "relay")

    def arguments(self, port, settings, user=USER, secret=PASSWORD, kind="P"):
        values = {"host": "localhost", "port": port, "cafile": os.path.join(harness.certificates(), "ca.pem"), "auth": 1,
                  "inet_protocols": "ipv4", "helo": "client.example.com", "tls_loglevel": 1, "pipeline_window": 20}
        values.update(settings)
        password = os.path.join(self.tmp, "password")
        with open(password, "wb") as f:
            f.write(os.fsencode(secret) + b"\n")
        argv = [program("agentdrive"), "-u", user, "-p", password, "-k", kind]
        for key, value in values.items():
            if value is not None:
                argv += ["-s", "%s=%s" % (key, value)]
        return argv

    def drive(self, relay, *args, tls=False, before=(), timeout=60, user=USER, secret=PASSWORD, kind="P", **settings):
        """One agent to its end. settings are keys of the session; before is put in front of the command."""
        port = relay if isinstance(relay, int) else relay.tls if tls else relay.starttls
        if tls:
            settings.setdefault("implicit_tls", 1)
        argv = [*before, *self.arguments(port, settings, user, secret, kind), *args]
        done = subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              env=self.environ(), timeout=timeout * harness.PATIENCE)
        return Driven(done.stdout.decode("utf-8", "replace"), done.returncode)

    def talk(self, relay):
        """The commands that the relay got, and its replies; without the times, which look like reply codes now and then."""
        with open(relay.commands, encoding="utf-8", errors="replace") as f:
            return re.sub(r"^\d+\.\d+ ", "", f.read(), flags=re.M)

    def all_sent(self, driven, relay, n):
        self.assertEqual((driven.total.get("sent"), driven.total.get("done")), (n, n), driven)
        self.assertEqual(relay.count(), n)


class RoundTrips(AgentTest):
    def trips(self, driven):
        self.assertEqual(driven.code, 0, driven)
        return driven.total["ms"] / RTT

    def about(self, run, n):
        """Never fewer; and, on a machine that is not busy with something else, hardly more."""
        for attempt in range(8):
            driven = run()
            trips = self.trips(driven)
            self.assertGreaterEqual(trips, n, driven)
            if trips < n * 1.07 + 0.9 * harness.SLOW:
                return
        self.fail("%.2f round trips, not %d\n%r" % (trips, n, driven))

    def relay(self, *flags):
        self.relays = getattr(self, "relays", 0) + 1
        return self.start_relay("--rtt", str(RTT), "--auth", "PLAIN", *flags, name="relay%d" % self.relays)

    def test_cold_465(self):
        self.about(lambda: self.drive(self.relay(), tls=True), 7)

    def test_cold_587(self):
        self.about(lambda: self.drive(self.relay()), 9)

    def test_alone_on_a_warm_agent(self):
        self.about(lambda: self.drive(self.relay(), "-n", "3", "-i", "1", tls=True), 7 + 2 * 2)

    def test_one_each_in_a_backlog_with_data(self):
        self.about(lambda: self.drive(self.relay("--no-ext", "CHUNKING"), "-n", "9", "-w", "3", tls=True), 7 + 8)

    def test_one_each_in_a_backlog_with_bdat(self):
        self.about(lambda: self.drive(self.relay(), "-n", "9", "-w", "3", tls=True, pipeline_window=1), 7 + 8)


class InFlight(AgentTest):
    def flight(self, n=60, flags=(), dialogue=None, *args):
        relay = self.start_relay(*flags, dialogue=dialogue)
        return relay, self.drive(relay, "-n", str(n), "-w", "41", *args)

    def test_a_good_relay_is_proven(self):
        relay, driven = self.flight()
        self.assertIn("known flight=yes", driven.text)
        self.all_sent(driven, relay, 60)
        self.assertEqual(len({m.header("Message-ID") for m in relay.messages()}), 60)
        self.assertEqual(relay.counters()["pipelining_violations"], 0)

    def test_what_was_found_before_is_believed(self):
        relay = self.start_relay()
        driven = self.drive(relay, "-n", "10", "-w", "20", known="flight=yes")
        self.all_sent(driven, relay, 10)
        self.assertNotIn("BDAT 18000", self.talk(relay))

    def test_a_reproach_does_not_answer_what_is_in_flight(self):
        """"Too fast" to a recipient, and then the connection is lost: the message went out, and nobody knows what became of it."""
        relay = self.start_relay(dialogue='when rcpt msg=5 arg~first@ do reply "450 4.7.1 rate limit"\nwhen eod msg=5 do accept; cut\n')
        driven = self.drive(relay, "-n", "8", "-w", "20", "-r", "first@example.com", "-r", "second@example.com", known="flight=yes")
        self.assertIn("down relay-busy", driven.text)
        seq, fates = next((s, [v for v in driven.verdicts if v[0] == s]) for s in {v[0] for v in driven.verdicts if "rate limit" in v[4]})
        self.assertEqual(len(fates), 2, driven)
        self.assertTrue(any("may be delivered twice" in v[4] for v in fates), (seq, driven))

    def test_window_of_one_is_never_tried(self):
        relay = self.start_relay()
        driven = self.drive(relay, "-n", "10", "-w", "20", pipeline_window=1)
        self.all_sent(driven, relay, 10)
        self.assertNotIn("BDAT 18000", self.talk(relay))
        self.assertNotIn("known", driven.text)

    def found_out(self, action):
        relay, driven = self.flight(dialogue="when bdat arg~18000 do " + action + "\n")
        self.assertIn("known flight=no", driven.text)
        self.assertIn("bye", driven.text)
        self.assertEqual(driven.total["sent"], relay.count(), driven)
        self.assertEqual(driven.total["deferred"] + driven.total["failed"], 0, driven)

    def test_a_refused_chunk_that_is_run_as_commands(self):
        self.found_out('chunk-is-text; reply "503 5.5.1 no recipients"')

    def test_a_refused_chunk_that_is_run_late(self):
        self.found_out('chunk-is-text; reply "503 5.5.1 no recipients"; wait 200')

    def test_a_chunk_for_nobody_that_is_taken(self):
        self.found_out('reply "250 2.0.0 taken"')

    def test_a_relay_that_dies_of_it(self):
        self.found_out("cut")

    def test_ten_refusals_in_a_row_end_the_session(self):
        relay = self.start_relay()
        driven = self.drive(relay, "-n", "10", "-w", "20", "-r", "reject@example.com", known="flight=yes")
        self.assertIn("bye", driven.text)
        self.assertGreaterEqual(driven.total["failed"], 4)
        self.assertLess(driven.total["failed"], 10)
        self.assertEqual(driven.total["sent"], 0)

    def test_refusals_among_others(self):
        relay = self.start_relay()
        driven = self.drive(relay, "-n", "40", "-w", "41", "-r", "a@example.com", "-r", "reject@example.com", known="flight=yes")
        self.assertEqual((driven.total["sent"], driven.total["failed"], driven.total["done"]), (40, 40, 40), driven)
        self.assertEqual(relay.count(), 40)

    def doubtful(self, driven):
        return {int(v[0]) for v in driven.verdicts if "more than once" in v[4] or "delivered twice" in v[4]}

    def test_lost_with_a_full_window(self):
        relay = self.start_relay(dialogue="when eod total=23 do accept; cut\n")
        driven = self.drive(relay, "-n", "60", "-w", "41", known="flight=yes")
        self.assertIn("down connection-lost", driven.text)
        self.assertIn("known flight=no", driven.text)
        sent = {int(v[0]) for v in driven.verdicts if v[2] == "sent"}
        self.assertEqual(sent, set(range(1, 23)), driven)
        self.assertIn(23, self.doubtful(driven))
        self.assertLessEqual(len(self.doubtful(driven)), 20)
        self.assertEqual(relay.count(), 23)

    def test_421_counts_nothing_after_it(self):
        relay = self.start_relay(dialogue='when mail total=15 do reply "421 4.7.0 too many, rate limit"; close\n')
        driven = self.drive(relay, "-n", "60", "-w", "41", known="flight=yes")
        self.assertIn("down relay-busy", driven.text)
        self.assertEqual(driven.total["sent"], relay.count(), driven)
        size = int(re.findall(r"^known .*window=(\d+)", driven.text, re.M)[-1])
        self.assertEqual(size, 8, "16 from the 12th accepted one on, and half of it")

    def test_the_window_begins_where_it_ended(self):
        relay = self.start_relay()
        driven = self.drive(relay, "-n", "40", "-w", "41", known="flight=yes")
        self.assertEqual(re.findall(r"^known .*window=(\d+)", driven.text, re.M)[-1:], ["20"])
        relay = self.start_relay(dialogue="when eod total=2 do stall\n", name="relay2")
        driven = self.drive(relay, "-n", "40", "-w", "41", known="flight=yes window=16", t_data_done=4)
        self.assertEqual(len(self.doubtful(driven)), 16, driven)

    def test_a_reply_too_many(self):
        relay = self.start_relay(dialogue='when eod total=9 do normal; send "250 2.0.0 once more\\r\\n"\n')
        driven = self.drive(relay, "-n", "40", "-w", "41", known="flight=yes")
        self.assertIn("known flight=no", driven.text)
        self.assertIsNotNone(driven.down)
        for seq in {int(v[0]) for v in driven.verdicts if v[2] == "sent"}:
            self.assertLessEqual(seq, 9, driven)

    def test_rset_that_is_not_250(self):
        relay = self.start_relay(dialogue='when rset total=5 do reply "502 5.5.1 what?"\n')
        driven = self.drive(relay, "-n", "40", "-w", "41", known="flight=yes")
        self.assertIn("known flight=no", driven.text)
        self.assertIsNotNone(driven.down)
        self.assertEqual(driven.total["failed"], 0)

    def test_503_to_mail(self):
        relay = self.start_relay(dialogue='when mail total=7 do reply "503 5.5.1 sender already specified"\n')
        driven = self.drive(relay, "-n", "40", "-w", "41", known="flight=yes")
        self.assertIn("known flight=no", driven.text)
        self.assertEqual(driven.total["failed"], 0, driven)


class Learnt(AgentTest):
    """What one session found out serves the next, as long as the relay offers the same."""
    EIGHT = [w for i in range(8) for w in ("-r", "r%d@example.com" % i)]

    def said(self, driven):
        return re.findall(r"^known (.*)$", driven.text, re.M)

    def test_recipients_of_a_transaction(self):
        relay = self.start_relay("--max-rcpts", "3")
        first = self.drive(relay, *self.EIGHT)
        self.assertEqual((first.total["sent"], self.talk(relay).count("452 ")), (8, 5 + 1), first)
        again = self.drive(relay, *self.EIGHT, known=self.said(first)[-1])
        self.assertEqual((again.total["sent"], self.talk(relay).count("452 ")), (8, 5 + 1), again)
        other = self.drive(relay, *self.EIGHT, known=re.sub(r"offers=\d+", "offers=1", self.said(first)[-1]))
        self.assertEqual((other.total["sent"], self.talk(relay).count("452 ")), (8, 2 * (5 + 1)), other)

    def test_a_full_mailbox_is_no_limit_on_recipients(self):
        """552 without an enhanced status speaks of either."""
        for i, words in enumerate(("552 Mailbox full", "452 <r3@example.com> Quota exceeded (mailbox for user is full)")):
            relay = self.start_relay(dialogue='when rcpt arg~r3@ do reply "%s"\n' % words, name="full%d" % i)
            driven = self.drive(relay, *self.EIGHT)
            self.assertEqual(driven.total["sent"], 7, driven)
            self.assertNotIn("recipients=", " ".join(self.said(driven)))
            self.assertEqual(self.talk(relay).count("MAIL FROM"), 1)

    def test_one_message_for_each_connection(self):
        """Two messages are given; the relay keeps the sender of the first, which it refused."""
        flags = {"dialogue": 'when rset nested=yes do send "250 2.0.0 Ok\\r\\n"\nwhen rcpt total=1 do reply "550 5.1.1 No"\n'}
        for name, more in (("bdat", ()), ("data", ("--no-ext", "CHUNKING")), ("lock", ("--no-ext", "CHUNKING,PIPELINING"))):
            relay = self.start_relay(*more, name=name, **flags)
            driven = self.drive(relay, "-n", "3", "-w", "3")
            self.assertIn("bye", driven.text, "not down: the next connection goes on")
            self.assertEqual((driven.total["failed"], driven.total["deferred"], driven.total["lastbytes"]), (1, 0, 0), driven)
            self.assertIn("noreset", self.said(driven)[-1])
            driven = self.drive(relay, "-n", "3", "-w", "3", known=self.said(driven)[-1])
            self.assertEqual((driven.total["sent"], driven.total["begun"]), (1, 1), driven)
            self.assertEqual(self.talk(relay).count("RSET"), 1)

    def test_out_of_sequence_at_once(self):
        """The first MAIL of a fresh connection: no relay of ours."""
        relay = self.start_relay(dialogue='when mail do reply "503 5.5.1 Nested"\n')
        driven = self.drive(relay, "-n", "2", "-w", "2")
        self.assertIn("down smtp-protocol", driven.text)


class Idle(AgentTest):
    def test_a_relay_that_ends_an_idle_session(self):
        """Whatever it calls that, and whether or not anything was taken before: the session ended in order."""
        for words, before in (("421 4.4.2 timeout", 'rcpt do reply "550 no"'), ("221 2.0.0 Bye", 'rcpt do reply "550 no"'),
                              ("451 4.4.2 Timeout waiting for data from client.", 'rcpt do reply "550 no"'),
                              ("451 4.4.2 Timeout waiting for data from client.", "eod do normal")):
            relay = self.start_relay(dialogue='when %s; wait 20; send "%s\\r\\n"; close\n' % (before, words),
                                     name="idle" + words[:3] + before[:3])
            driven = self.drive(relay, "-n", "2", "-i", "30000", "-w", "1")
            self.assertIsNone(driven.down, (words, before, driven))
            self.assertEqual(driven.total["given"], 1, driven)
            relay.stop()

    def test_refused_and_closed_in_one_breath(self):
        """All that was asked is answered, and the end comes with the answer: nothing was lost with it."""
        for n, (refused, bye, ext) in enumerate((("550 5.1.1 no", "221 2.0.0 Bye", "CHUNKING"), ("550 5.1.1 no", "421 4.4.2 idle", "CHUNKING"),
                                                 ("450 4.2.1 later", "221 2.0.0 Bye", "CHUNKING"), ("550 5.1.1 no", "221 2.0.0 Bye", "SIZE"))):
            relay = self.start_relay("--ext", "PIPELINING ENHANCEDSTATUSCODES " + ext, name="breath%d" % n,
                                     dialogue='when rcpt do send "%s\\r\\n%s\\r\\n"; close\n' % (refused, bye))
            driven = self.drive(relay, "-w", "1")
            self.assertIsNone(driven.down, (refused, bye, ext, driven))
            self.assertEqual(driven.total["failed"] + driven.total["deferred"], 1)
            relay.stop()


class Bodies(AgentTest):
    def test_large_ones_in_little_memory(self):
        relay = self.start_relay()
        driven = self.drive(relay, "-n", "2", "-b", "25000000", "-q", tls=True)
        self.all_sent(driven, relay, 2)
        if not harness.ASAN:
            self.assertLess(driven.total["agent_maxrss_kb"], 16384)

    def test_large_with_several_transactions(self):
        """The body comes again for the recipients that the relay put off."""
        relay = self.start_relay("--max-rcpts", "2")
        driven = self.drive(relay, "-b", "200000", *[w for i in range(5) for w in ("-r", "r%d@example.com" % i)])
        self.assertEqual(driven.total["sent"], 5, driven)
        messages = relay.messages()
        self.assertEqual(sorted(r for m in messages for r in m.recipients), ["r%d@example.com" % i for i in range(5)])
        self.assertEqual(len({m.wire for m in messages}), 1)

    def test_small_with_several_transactions(self):
        for flags in ((), ("--no-ext", "CHUNKING"), ("--no-ext", "CHUNKING,PIPELINING")):
            relay = self.start_relay("--max-rcpts", "2", *flags, name="relay%d" % len(",".join(flags)))
            driven = self.drive(relay, "-n", "3", "-w", "3", *[w for i in range(5) for w in ("-r", "r%d@example.com" % i)])
            self.assertEqual(driven.total["sent"], 15, driven)
            self.assertEqual(sorted(r for m in relay.messages() for r in m.recipients),
                             sorted(["r%d@example.com" % i for i in range(5)] * 3))
            self.assertEqual(len({m.wire for m in relay.messages()}), 3)
            self.assertGreater(min(len(m.wire) for m in relay.messages()), 400)

    def test_large_and_small_in_turn(self):
        files = []
        for i, size in enumerate((100, 300000, 200, 90000, 50)):
            files.append(os.path.join(self.tmp, "m%d" % i))
            with open(files[-1], "w") as f:
                f.write("Subject: %d\n\n" % i + ".line %d\n" % i * (size // 8))
        relay = self.start_relay()
        driven = self.drive(relay, "-w", "10", *files, known="flight=yes")
        self.all_sent(driven, relay, 5)
        for m, path in zip(relay.messages(), files):
            with open(path, "rb") as f:
                self.assertEqual(m.data, f.read())

    def test_every_size_through_small_buffers(self):
        """No size of a body, around those of our buffers and records, waits for something that can't come."""
        sizes = (1, 16383, 16384, 65535, 65536, 65537, 131072, 400001)
        files = []
        for size in sizes:
            files.append(os.path.join(self.tmp, "s%d" % size))
            with open(files[-1], "w") as f:
                f.write("Subject: %d\n\n" % size + ("." * 77 + "\n") * (size // 78) + "." * (size % 78) + "\n")
        for flags in ((), ("--no-ext", "CHUNKING"), ("--half-duplex",)):
            relay = self.start_relay("--sndbuf", "8192", "--rcvbuf", "16384", *flags, name="small%d" % len(" ".join(flags)))
            driven = self.drive(relay, "-w", "8", *files, known="flight=yes")
            self.all_sent(driven, relay, len(sizes))
            for m, path in zip(relay.messages(), files):
                with open(path, "rb") as f:
                    self.assertEqual(m.data, f.read())

    def test_a_reader_too_slow(self):
        """A relay that takes a byte now and then: what the sockets' buffers took at once buys no time."""
        with socket.create_server(("127.0.0.1", 0)) as listener:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            over = threading.Event()
            thread = threading.Thread(target=self.read_slowly, args=(listener, over))
            thread.start()
            start = time.monotonic()
            driven = self.drive(listener.getsockname()[1], "-b", "12000000", auth=0, tls_level="none", t_data_xfer=1)
            over.set()
            thread.join(10)
        self.assertIn("timed out while sending message body", driven.down, driven)
        self.assertEqual(driven.total["lastbytes"], 0, driven)
        self.assertLess(time.monotonic() - start, 60 * harness.PATIENCE)

    def read_slowly(self, listener, over):
        connection = listener.accept()[0]
        with connection:
            connection.sendall(b"220 slow\r\n")
            for reply in (b"250 slow", b"250 ok", b"250 ok", b"354 go"):
                while not connection.recv(1000).endswith(b"\n"):
                    pass
                connection.sendall(reply + b"\r\n")
            while not over.wait(0.05):
                connection.recv(10)

    def test_a_relay_that_stops_reading_in_order_to_write(self):
        relay = self.start_relay("--half-duplex", "--sndbuf", "4096", "--rcvbuf", "16384")
        driven = self.drive(relay, "-n", "30", "-w", "30", "-b", "9000", "-q",
                            *[w for i in range(40) for w in ("-r", "r%d@example.com" % i)], known="flight=yes")
        self.assertEqual(driven.total["sent"], 30 * 40, driven)

    def test_eight_bit_for_a_seven_bit_relay(self):
        path = os.path.join(self.tmp, "m")
        with open(path, "wb") as f:
            f.write(b"Subject: x\nContent-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: 8bit\n\ngr\xc3\xbc\xc3\x9fe\n")
        relay = self.start_relay("--no-ext", "8BITMIME")
        driven = self.drive(relay, "-8", path)
        self.all_sent(driven, relay, 1)
        message, = relay.messages()
        self.assertTrue(message.wire.isascii())
        self.assertEqual(message.parsed.get_content(), "gr\u00fc\u00dfe\n")


class Dns(threading.Thread):
    """A name server on loopback: answers maps (NAME, TYPE) to a list of values, "SERVFAIL", or "silence"."""
    TYPES = {"A": 1, "MX": 15, "AAAA": 28}

    def __init__(self, answers):
        super().__init__(daemon=True)
        self.answers, self.asked = answers, []
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        for last in range(2, 250):
            try:
                self.address = "127.91.%d.%d" % (os.getpid() % 250 + 1, last)
                self.socket.bind((self.address, 53))
                break
            except OSError:
                continue
        self.start()

    def run(self):
        while True:
            query, peer = self.socket.recvfrom(1500)
            if not query:
                return
            reply = self.reply(query)
            if reply:
                self.socket.sendto(reply, peer)

    def stop(self):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.sendto(b"", (self.address, 53))
        self.join()
        self.socket.close()

    @staticmethod
    def name(text):
        return b"".join(bytes([len(p)]) + p.encode() for p in text.rstrip(".").split(".") if p) + b"\0"

    def data(self, kind, value):
        if kind == "MX":
            preference, host = value.split()
            return int(preference).to_bytes(2, "big") + self.name(host)
        return socket.inet_pton(socket.AF_INET if kind == "A" else socket.AF_INET6, value)

    def reply(self, query):
        at, labels = 12, []
        while query[at]:
            labels.append(query[at + 1:at + 1 + query[at]].decode())
            at += 1 + query[at]
        number = int.from_bytes(query[at + 1:at + 3], "big")
        kind = next((k for k, v in self.TYPES.items() if v == number), "?")
        name = ".".join(labels).lower()
        self.asked.append((name, kind))
        found = self.answers.get((name, kind))
        if found == "silence":
            return None
        code = 2 if found == "SERVFAIL" else 0 if any(n == name for n, _ in self.answers) else 3
        values = [] if code or not found else found
        records = b"".join(b"\xc0\x0c" + number.to_bytes(2, "big") + b"\0\1\0\0\0\x3c" + len(d).to_bytes(2, "big") + d
                           for d in (self.data(kind, v) for v in values))
        return (query[:2] + bytes([0x84, 0x80 | code]) + b"\0\1" + len(values).to_bytes(2, "big") + b"\0\0\0\0" +
                query[12:at + 5] + records)


def can_unshare():
    return os.geteuid() == 0 and subprocess.run(["unshare", "-m", "mount", "--bind", "/etc/hosts", "/etc/hosts"],
                                                stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode == 0


@unittest.skipUnless(can_unshare(), "no mount namespace here to give the resolver its own resolv.conf")
class Names(AgentTest):
    def resolver(self, answers, options="timeout:5 attempts:3", hosts=""):
        """A command prefix under which the system's resolver asks our name server and nobody else, but /etc/hosts where that
        says something."""
        dns = Dns(answers)
        self.addCleanup(dns.stop)
        for name, text in (("resolv.conf", "nameserver %s\noptions %s\n" % (dns.address, options)),
                           ("nsswitch.conf", "hosts: %sdns\nservices: files\n" % ("files " if hosts else "")),
                           ("hosts", hosts)):
            with open(os.path.join(self.tmp, name), "w") as f:
                f.write(text)
        mounts = "".join("mount --bind %s/%s /etc/%s && " % (self.tmp, n, n)
                         for n in ("resolv.conf", "nsswitch.conf", "hosts") if os.path.exists("/etc/" + n))
        return ["unshare", "-m", "sh", "-c", mounts + 'exec "$@"', "sh"]

    def test_a_resolv_conf_that_lives_elsewhere(self):
        """As on openSUSE, in WSL, and wherever NetworkManager makes it a link to its own."""
        relay = self.start_relay()
        before = self.resolver({("relay.test", "A"): ["127.0.0.1"]})
        etc = os.path.join(self.tmp, "etc")
        os.mkdir(etc)
        for name in ("passwd", "group", "services", "hosts"):
            shutil.copy("/etc/" + name, etc)
        for name in ("resolv.conf", "nsswitch.conf"):
            os.symlink(os.path.join(self.tmp, name), os.path.join(etc, name))
        before[4] = 'mount --bind %s /etc && exec "$@"' % etc
        self.all_sent(self.drive(relay, before=before, host="relay.test"), relay, 1)

    def test_mx_in_the_order_of_their_preference(self):
        relay, dead = self.start_relay(), harness.free_port()
        before = self.resolver({("relay.test", "MX"): ["20 second.relay.test.", "10 first.relay.test."],
                                ("first.relay.test", "A"): ["127.0.0.9"], ("second.relay.test", "A"): ["127.0.0.1"]})
        del dead
        driven = self.drive(relay, before=before, host="relay.test", mx=1, auth=0, tls_level="encrypt", user=USER)
        self.assertIn("connect to first.relay.test[127.0.0.9]:%d: Connection refused" % relay.starttls, driven.text)
        self.assertIn("ready second.relay.test[127.0.0.1]", driven.text)

    def test_the_best_of_many_mx(self):
        """However far behind in the answer it stands."""
        relay = self.start_relay()
        before = self.resolver({("many.test", "MX"): ["%d m%d.test." % (50 + i, i) for i in range(12)] + ["1 relay.test."],
                                ("relay.test", "A"): ["127.0.0.1"]})
        driven = self.drive(relay, before=before, host="many.test", mx=1, auth=0, tls_level="encrypt", user=USER)
        self.assertIn("ready relay.test[127.0.0.1]", driven.text)

    def test_a_password_never_trusts_a_name_from_dns(self):
        """The certificate is good for relay.test; relayhost says other.test, whose MX points there."""
        relay = self.start_relay()
        before = self.resolver({("other.test", "MX"): ["10 relay.test."], ("relay.test", "A"): ["127.0.0.1"]})
        for level, match in (("verify", "hostname"), ("secure", ""), ("encrypt", "")):
            driven = self.drive(relay, before=before, host="other.test", mx=1, tls_level=level, match=match)
            self.assertIn("down tls", driven.text, (level, driven))
            self.assertIn("not other.test", driven.text, level)
        self.assertEqual(relay.counters()["secrets_seen"], 0)

    def test_names_of_ports(self):
        for name, flag, number in (("submission", "--port587", "587"), ("submissions", "--port465", "465"), ("smtps", "--port465", "465")):
            relay = self.start_relay("--bind", "127.0.0.9", flag, number, name=name)
            before = self.resolver({("relay.test", "A"): ["127.0.0.9"]})
            self.all_sent(self.drive(relay, before=before, host="relay.test", port=name, implicit_tls=int(number == "465")), relay, 1)
            relay.stop()

    def test_no_mx_means_the_host_itself(self):
        relay = self.start_relay()
        before = self.resolver({("relay.test", "A"): ["127.0.0.1"]})
        self.all_sent(self.drive(relay, before=before, host="relay.test", mx=1), relay, 1)

    def test_localhost_is_asked_of_nobody(self):
        """RFC 6761: a relay behind a tunnel on this machine has no MX."""
        relay = self.start_relay()
        driven = self.drive(relay, before=self.resolver({("a.test", "A"): ["127.0.0.1"]}), mx=1)
        self.all_sent(driven, relay, 1)

    def test_a_name_that_only_hosts_knows_needs_no_brackets(self):
        """Its MX does not exist; it does, in /etc/hosts."""
        relay = self.start_relay()
        before = self.resolver({("a.test", "A"): ["127.0.0.1"]}, hosts="127.0.0.1 relay.test\n")
        self.all_sent(self.drive(relay, before=before, host="relay.test", mx=1), relay, 1)

    def test_what_the_name_server_says(self):
        before = self.resolver({("null.test", "MX"): ["0 ."], ("bad.test", "A"): "SERVFAIL", ("bad.test", "AAAA"): "SERVFAIL",
                                ("six.test", "AAAA"): ["::1"]})
        for host, mx, words in (("none.test", 0, "down dns-not-found 4.4.4 (host none.test not found"), ("none.test", 1, "down dns-not-found 4.4.4"),
                                ("null.test", 1, "null MX"), ("bad.test", 0, "down dns-failed 4.4.3"),
                                ("six.test", 0, "no address that inet_protocols = ipv4 allows"), ("six.test", 1, "no address that")):
            driven = self.drive(587, before=before, host=host, mx=mx)
            self.assertIn(words, driven.text, host)

    def test_a_name_server_that_says_nothing(self):
        before = self.resolver({("mute.test", kind): "silence" for kind in ("A", "AAAA", "MX")}, options="timeout:1 attempts:1")
        for mx in (0, 1):
            self.assertIn("down dns-%sfailed 4.4.3" % ("mx-" if mx else ""), self.drive(587, before=before, host="mute.test", mx=mx).text)

    def test_an_address_that_does_not_answer_costs_a_second(self):
        relay = self.start_relay()
        with socket.socket(socket.AF_INET6) as deaf:
            try:
                deaf.bind(("::1", relay.starttls))
            except OSError:
                self.skipTest("no ::1 here")
            deaf.listen(0)
            full = [socket.socket(socket.AF_INET6) for _ in range(4)]
            for s in full:
                s.setblocking(False)
                s.connect_ex(("::1", relay.starttls))
            before = self.resolver({("relay.test", "A"): ["127.0.0.1"], ("relay.test", "AAAA"): ["::1"]})
            start = time.monotonic()
            driven = self.drive(relay, before=before, host="relay.test", inet_protocols="all", address_preference="ipv6")
            took = time.monotonic() - start
            for s in full:
                s.close()
        self.all_sent(driven, relay, 1)
        self.assertTrue(0.9 < took < 20 * harness.PATIENCE, took)


class Tls(AgentTest):
    def make(self, *lines):
        place = os.path.join(self.tmp, "certs")
        subprocess.run([program("mkcert"), place, "-"], input="\n".join(lines).encode() + b"\n", check=True,
                       stdout=subprocess.DEVNULL)
        return lambda name: os.path.join(place, name)

    def test_a_client_certificate(self):
        at = self.make("myca ca=yes", "me issuer=myca purpose=client")
        relay = self.start_relay("--client-ca", at("myca.pem"), "--client-cert-required")
        driven = self.drive(relay, certfile=at("me.pem"), keyfile=at("me.key"))
        self.all_sent(driven, relay, 1)
        for tls in (False, True):
            driven = self.drive(relay, tls=tls)
            self.assertTrue(driven.down.startswith("tls-client-certificate 4.7.5"), driven)
            self.assertIn("client certificate", driven.down)

    def test_a_revoked_certificate(self):
        at = self.make("myca ca=yes", "good issuer=myca dns=localhost", "gone issuer=myca dns=localhost", "crl list issuer=myca revoke=gone")
        crl = next(p for p in (at("list.pem"), at("list.crl"), at("list")) if os.path.exists(p))
        for name, sent in (("good", 1), ("gone", 0)):
            relay = self.start_relay(cert=at(name + ".pem"), key=at(name + ".key"), name=name)
            driven = self.drive(relay, cafile=at("myca.pem"), crlfile=crl)
            self.assertEqual(driven.total["sent"], sent, driven)
        self.assertIn("was revoked", driven.down)

    def fingerprint(self, path):
        with open(path) as f:
            pem = f.read()
        import hashlib
        import ssl
        return hashlib.sha256(ssl.PEM_cert_to_DER_cert(pem[pem.index("-----BEGIN CERT"):pem.index("-----END CERT") + 25])).hexdigest()

    def test_fingerprints(self):
        at = self.make("alone")
        relay = self.start_relay(cert=at("alone.pem"), key=at("alone.key"))
        print_ = self.fingerprint(at("alone.pem"))
        good = self.drive(relay, tls_level="fingerprint", fingerprints="00:11 " + print_.upper())
        self.all_sent(good, relay, 1)
        self.assertIn("Verified TLS connection", good.text)
        bad = self.drive(relay, tls_level="fingerprint", fingerprints="00" * 32)
        self.assertIn("not one of smtp_tls_fingerprint_cert_match", bad.down)
        # pinned at another level: enough for a password
        self.assertEqual(self.drive(relay, tls_level="encrypt", fingerprints=print_).total["sent"], 1)

    def test_encrypt_is_enough_for_mail_but_not_for_a_password(self):
        at = self.make("alone dns=localhost")
        relay = self.start_relay("--auth-optional", cert=at("alone.pem"), key=at("alone.key"))
        self.assertIn("down tls", self.drive(relay, tls_level="encrypt").text)
        driven = self.drive(relay, tls_level="encrypt", auth=0)
        self.assertIn("Untrusted TLS connection", driven.text)
        self.all_sent(driven, relay, 1)
        self.assertEqual(relay.counters()["secrets_seen"], 0)
        self.assertEqual(self.drive(relay, tls_level="encrypt", auth_unverified=1).total["sent"], 1)

    def test_may_goes_on_without_tls_where_no_password_is_at_stake(self):
        relay = self.start_relay("--auth-optional", "--plain-ok", "--priority", "NORMAL:-VERS-ALL:+VERS-TLS1.1")
        driven = self.drive(relay, tls_level="may", auth=0)
        self.assertIn("trying without TLS", driven.text)
        self.all_sent(driven, relay, 1)
        self.assertIsNotNone(self.drive(relay, tls_level="may").down)

    def test_soon_to_expire(self):
        at = self.make("myca ca=yes", "old issuer=myca dns=localhost until=+5")
        relay = self.start_relay(cert=at("old.pem"), key=at("old.key"))
        driven = self.drive(relay, cafile=at("myca.pem"))
        self.all_sent(driven, relay, 1)
        self.assertRegex(driven.text, r"log the certificate of localhost\[127.0.0.1\] expires on \d{4}-\d\d-\d\d, in [45] days")

    def test_a_priority_that_is_nonsense(self):
        self.assertIn("down tls-config", self.drive(self.start_relay(), priority="NORMAL:+NONSENSE").text)


class Login(AgentTest):
    def test_every_mechanism(self):
        for mechanism in ("PLAIN", "LOGIN", "CRAM-MD5", "SCRAM-SHA-1", "SCRAM-SHA-256", "SCRAM-SHA-1-PLUS", "SCRAM-SHA-256-PLUS"):
            for tls in ("NORMAL", "NORMAL:-VERS-ALL:+VERS-TLS1.2"):
                relay = self.start_relay("--auth", mechanism, "--priority", tls, name=mechanism)
                driven = self.drive(relay)
                self.assertIn("mechanism=%s " % mechanism, driven.text)
                self.assertEqual(driven.total["sent"], 1, driven)
                relay.stop()

    def test_tokens(self):
        for mechanism in ("XOAUTH2", "OAUTHBEARER"):
            relay = self.start_relay("--auth", "PLAIN " + mechanism, "--token", USER + ":ya29.token", user=None, name=mechanism)
            driven = self.drive(relay, kind="T", secret="ya29.token")
            self.assertIn("mechanism=" + mechanism, driven.text)
            self.assertEqual(driven.total["sent"], 1, driven)
            self.assertIn("down login-failed", self.drive(relay, kind="T", secret="stale").text)

    def test_a_name_that_a_token_response_would_end_at(self):
        relay = self.start_relay("--auth", "PLAIN OAUTHBEARER", "--token", "a=b,c@example.com:ya29.token", user=None)
        self.assertEqual(self.drive(relay, kind="T", user="a=b,c@example.com", secret="ya29.token").total["sent"], 1)

    def test_odd_passwords(self):
        for secret in ("a b:c=d,e", "\u00fcml\u00e4ut \u20ac", "x" * 900, " blank ", "%s%n"):
            relay = self.start_relay("--auth", "PLAIN", password=secret, name="r%d" % len(secret))
            self.assertEqual(self.drive(relay, secret=secret).total["sent"], 1, repr(secret))
            relay.stop()

    @unittest.skipIf(harness.ASAN, "sanitizers keep freed memory, and switch the sandbox off")
    def test_nothing_is_left_of_a_password(self):
        secret = "quite-an-unlikely-Passw0rd-0123456789"
        for mechanism in ("PLAIN", "LOGIN", "CRAM-MD5", "SCRAM-SHA-256"):
            relay = self.start_relay("--auth", mechanism, password=secret, name="r" + mechanism)
            service = self.start(*self.arguments(relay.starttls, {}, secret=secret), "-n", "2", "-i", "60000", log=os.path.join(self.tmp, "drive.log"))
            wait_for("the first message", lambda: relay.count() == 1)
            agent, = [p for p in harness.descendants(service.pid) if "outpost-smtp" in harness.command_of(p)]
            with open("/proc/%d/cmdline" % agent, "rb") as f, open("/proc/%d/environ" % agent, "rb") as g:
                self.assertNotIn(secret.encode(), f.read() + g.read())
            self.assertEqual(self.memory_with(agent, secret.encode()), [], mechanism)
            with open("/proc/%d/status" % agent) as f:
                self.assertRegex(f.read(), r"NoNewPrivs:\t1\n(.*\n)?Seccomp:\t2\n")
            service.kill()
            relay.stop()

    def memory_with(self, pid, needle):
        found = []
        with open("/proc/%d/maps" % pid) as maps, open("/proc/%d/mem" % pid, "rb") as mem:
            for line in maps:
                m = re.match(r"([0-9a-f]+)-([0-9a-f]+) rw", line)
                if not m or "[v" in line:
                    continue
                start, end = (int(x, 16) for x in m.groups())
                try:
                    mem.seek(start)
                    data = mem.read(end - start)
                except OSError:
                    continue
                found += [line.strip()] * data.count(needle)
        return found

    def test_check_only_says_each_step(self):
        relay = self.start_relay()
        driven = self.drive(relay, check_only=1, check_sender="me@example.com")
        self.assertEqual(re.findall(r"^step (\w+) (\w+)", driven.text, re.M),
                         [("resolve", "ok"), ("connect", "ok"), ("greeting", "ok"), ("tls", "ok"), ("auth", "ok"), ("sender", "ok")])
        self.assertEqual(relay.count(), 0)


if __name__ == "__main__":
    harness.main()
