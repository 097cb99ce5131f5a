"""`outpost check` and its kin: every mistake that people make with a relay is named, with the line that mends it."""
import json
import os
import pty
import re
import socket
import subprocess
import unittest

import harness

SECRET = harness.PASSWORD


class Check(harness.SystemTest):
    needs = ("sendmail", "outpostd", "outpost", "outpost-smtp")

    def check(self, *args, code=None):
        """outpost check; its words on one line, so that wrapping does not matter."""
        done = self.outpost("check", *args, code=code)
        done.flat = re.sub(r"\s+", " ", done.out + done.err)
        self.assertNotIn(SECRET, done.out + done.err)
        return done

    def names(self, done, *patterns):
        for pattern in patterns:
            self.assertRegex(done.flat, re.compile(pattern, re.I))

    def results(self, *args, code=None):
        done = self.outpost("check", "--json", *args, code=code)
        self.assertNotIn(SECRET, done.out)
        return [json.loads(line) for line in done.out.splitlines()]

    def rewrite_secret(self, text):
        self.write_secret("sasl_passwd", text)

    def relay_with(self, recipe, *flags, **options):
        place = os.path.join(self.tmp, "certs")
        os.mkdir(place)
        subprocess.run([harness.program("mkcert"), place, "-"], input=recipe.encode(), check=True, stdout=subprocess.PIPE)
        relay = self.start_relay(*flags, cert=os.path.join(place, "server.chain.pem"), key=os.path.join(place, "server.key"),
                                 **options)
        self.configure(relay)
        with open(os.path.join(place, "ca.pem"), "rb") as f, open(os.path.join(self.conf, "ca.pem"), "wb") as g:
            g.write(f.read())
        return relay

    # -- all is well

    def test_well_on_both_ports(self):
        relay = self.start_relay()
        for tls in (False, True):
            self.configure(relay, tls=tls)
            done = self.check(code=0)
            self.names(done, r"verified: TLSv1\.3", r"logged in with", r"expires .* in \d+ d", r"All is well")
        self.assertEqual(relay.count(), 0, "check sent mail")

    def test_json_has_every_step(self):
        self.configure(self.start_relay())
        steps = {r["step"]: r for r in self.results(code=0)}
        for step in ("resolve", "connect", "greeting", "tls", "auth"):
            self.assertEqual(steps[step]["result"], "ok", step)
            self.assertIn("ms", steps[step])

    def test_offline_does_not_connect(self):
        self.configure(relayhost="[localhost]:%d" % harness.free_port())
        self.names(self.check("--offline", code=0), r"relayhost")

    def test_transcript_masks_secrets(self):
        for mechanism in ("PLAIN", "LOGIN", "CRAM-MD5"):
            relay = self.start_relay("--auth", mechanism, name="relay-" + mechanism)
            self.configure(relay)
            done = self.check("--transcript", code=0)
            self.names(done, r"> EHLO", r"> AUTH %s" % mechanism)
            for form in (SECRET, "AGNvcnJlY3", "Y29ycmVjdCBob3JzZ"):
                self.assertNotIn(form, done.out)

    def test_transcript_has_a_line_per_line_of_a_reply(self):
        self.configure(self.start_relay())
        out = self.check("--transcript", code=0).out
        lines = re.findall(r"(?m)^ {8}.*: < (250[- ].*)$", out)
        self.assertGreater(len(lines), 4, out)
        self.assertTrue(all(re.fullmatch(r"250[- ][^?]*", line) for line in lines), lines)
        self.assertTrue(any(line.startswith("250-") for line in lines), lines)

    def test_sender(self):
        relay = self.start_relay(dialogue='when mail do reply "550 5.7.60 SMTP; Client does not have permissions to send '
                                          'as this sender"\n')
        self.configure(relay)
        self.names(self.check("--sender", "stranger@example.com", code=69), r"5\.7\.60", r"from_address = ")

    def test_sender_that_nobody_named(self):
        self.configure(self.start_relay(dialogue='when mail do reply "553 5.7.1 Sender address rejected: not owned by user"\n'))
        self.names(self.check(code=0), r"warn sender .*root@example\.com: 553 5\.7\.1", r"from_address = ")

    # -- the mistakes, in the order in which people were seen to make them

    def test_port_465_without_wrappermode(self):
        """Postfix hangs; here it simply works on port 465, and on other ports check says which TLS to try."""
        self.configure(relayhost="[localhost]:465")
        self.names(self.check("--offline", code=0), r"TLS from the first byte")
        relay = self.start_relay()
        self.configure(relay, relayhost="[localhost]:%d" % relay.tls, smtp_helo_timeout="2s", smtp_starttls_timeout="2s",
                       smtp_connect_timeout="2s")
        done = self.check()
        self.assertNotEqual(done.returncode, 0)
        self.names(done, r"FAIL greeting|FAIL connect", r"smtp_tls_wrappermode = yes|relayhost = \[localhost\]:465")

    def test_wrappermode_with_587(self):
        self.configure(relayhost="[localhost]:587", smtp_tls_wrappermode="yes")
        self.names(self.check("--offline", code=0), r"smtp_tls_wrappermode = yes with port 587", r"STARTTLS", r"remove the line")

    def test_no_brackets(self):
        self.configure(relayhost="mail.example.com:587")
        self.names(self.check("--offline", code=0), r"no brackets", r"\[mail\.example\.com\]:587")

    def test_other_key_in_the_password_map(self):
        relay = self.start_relay()
        self.configure(relay)
        self.rewrite_secret("[mail.example.org]:465 u:%s\n" % SECRET)
        done = self.check("--offline", code=78)
        self.names(done, r"\(hash:\S+/sasl_passwd\); keys tried: .*\[localhost\]:%d" % relay.starttls,
                   r"\[localhost\]:%d user:password" % relay.starttls)

    def test_password_map_is_another_file(self):
        self.configure(self.start_relay(), smtp_sasl_password_maps="hash:/nonexistent/sasl_passwd")
        done = self.check("--offline")
        self.assertNotEqual(done.returncode, 0)
        self.names(done, r"/nonexistent/sasl_passwd", r"no such file|does not exist", r"--> +make that file, or write the path")

    def test_password_map_readable_by_everybody(self):
        self.configure(self.start_relay())
        os.chmod(os.path.join(self.conf, "sasl_passwd"), 0o644)
        done = self.check("--offline")
        self.assertNotEqual(done.returncode, 0)
        self.names(done, r"sasl_passwd .*everybody", r"chmod 0640")

    def test_passwords_with_odd_characters(self):
        for password in ("two words", "a#b", "a:b@c", "'single", "b\"c", "$dollar$", "ü€"):
            with self.subTest(password=password):
                relay = self.start_relay(password=password, name="relay%d" % abs(hash(password)))
                self.configure(relay, password=password)
                self.names(self.check(code=0), r"logged in")

    def test_password_in_quotes(self):
        relay = self.start_relay()
        self.configure(relay)
        self.rewrite_secret('[localhost]:%d "%s:%s"\n' % (relay.starttls, harness.USER, SECRET))
        done = self.check()
        self.assertNotEqual(done.returncode, 0)
        self.names(done, r"quotes around", r"no quotes")

    def test_comment_behind_a_password(self):
        """It may be one of a password: said, and no reason to worry when the relay takes it."""
        relay = self.start_relay(password=SECRET + " # ours")
        self.configure(relay, password=SECRET + " # ours")
        done = self.check(code=0)
        self.names(done, r"note password map what follows # is taken as part of the password", r"All is well")

    def test_what_stands_around_a_value(self):
        """Quotes and comments behind a value are a part of it: never silently, and a domain with them sends nothing."""
        relay = self.start_relay()
        for value, words in (('"[localhost]:%d"', "quotes are taken as part"), ("[localhost]:%d  # ours", "a comment wants a line of its own")):
            self.configure(relay, relayhost=value % relay.starttls)
            self.names(self.check("--offline", code=78), r"line 1\d? .*" + words)
        for name, value in (("myorigin", "example.com # mine"), ("myhostname", '"host.example.com"'), ("smtp_sasl_auth_enable", '"yes"')):
            self.configure(relay, **{name: value})
            self.names(self.check("--offline", code=78), r"wanted \((the quotes|what follows #)")

    def test_mark_of_an_editor_of_windows(self):
        """The byte-order mark that nobody sees."""
        self.configure(self.start_relay())
        for name in ("main.cf", "sasl_passwd"):
            path = os.path.join(self.conf, name)
            with open(path, "rb") as f:
                text = f.read()
            with open(path, "wb") as f:
                f.write(b"\xef\xbb\xbf" + text)
        self.check(code=0)
        self.assertIn("relayhost", self.outpost("config", "relayhost").out)

    def test_maillog_file_that_cannot_be_written(self):
        """check says so, and what outpostd says is not lost."""
        place = os.path.join(self.tmp, "no", "such", "directory", "log")
        self.configure(self.start_relay(), maillog_file=place)
        self.names(self.check("--offline", code=0), r"warn maillog_file .*cannot be written", r"touch " + place)
        done = subprocess.Popen([harness.program("outpostd"), "-C", self.conf, "-f", "--once"], stderr=subprocess.PIPE, env=self.environ())
        said = done.communicate(timeout=30 * harness.PATIENCE)[1].decode()
        self.assertIn("cannot open maillog_file %s: No such file or directory; its lines go to standard error" % place, said)
        self.assertRegex(said, r"version .*, queue ")

    def test_the_mend_is_for_the_map_not_for_the_password(self):
        self.configure(self.start_relay())
        os.chmod(os.path.join(self.conf, "sasl_passwd"), 0o644)
        done = self.check(code=78)
        self.names(done, r"auth .*chmod 0640 .*let nobody but root and outpost read")
        self.assertNotIn("application password", done.flat)

    def test_ca_file_not_there(self):
        self.configure(self.start_relay(), smtp_tls_CAfile="/etc/postfix/cacert.pem")
        done = self.check("--offline", code=78)
        self.names(done, r"cacert\.pem: No such file", r"/etc/ssl/certs/ca-certificates\.crt")

    def test_ca_file_of_another_distribution(self):
        """Mail goes all the same: the system's own certificates are used."""
        self.configure(self.start_relay(), smtp_tls_CAfile="/etc/pki/tls/certs/ca-bundle.crt")
        done = self.check("--offline", code=0)
        self.names(done, r"warn smtp_tls_CAfile .*ca-bundle\.crt: no such file here", r"/etc/ssl/certs/ca-certificates\.crt")

    def answers_auth(self, reply, *patterns):
        self.configure(self.start_relay(dialogue='when auth do reply "%s"\n' % reply, name="relay%d" % abs(hash(reply))))
        done = self.check()
        self.assertNotEqual(done.returncode, 0)
        self.names(done, r"FAIL auth", re.escape(reply.split(" ", 2)[1]), *patterns)

    def test_gmail_wants_an_app_password(self):
        self.answers_auth("535 5.7.8 Username and Password not accepted. Learn more at https://support.google.com/mail/ BadCredentials",
                          r"myaccount\.google\.com/apppasswords")

    def test_application_specific_password(self):
        self.answers_auth("534 5.7.9 Application-specific password required. InvalidSecondFactor", r"application password")

    def test_microsoft_wants_oauth2(self):
        self.answers_auth("535 5.7.139 Authentication unsuccessful, SmtpClientAuthentication is disabled for the Tenant",
                          r"OAuth2", r"smtp_sasl_password_maps = oauth2:")
        self.answers_auth("550 5.7.30 Basic authentication is not supported for Client Submission", r"OAuth2")

    def refuses_sender(self, reply, *patterns):
        self.configure(self.start_relay(dialogue='when mail do reply "%s"\n' % reply, name="relay%d" % abs(hash(reply))))
        done = self.outpost("test", "you@example.net", code=69)
        done.flat = re.sub(r"\s+", " ", done.out)
        self.names(done, re.escape(reply.split(" ", 2)[1]), *patterns)

    def test_sender_refused(self):
        for reply in ("550 5.7.60 SMTP; Client does not have permissions to send as this sender",
                      "553 5.7.1 <root@example.com>: Sender address rejected: not owned by user u",
                      "554 5.7.1 Message rejected: Email address is not verified. The following identities failed the check"):
            with self.subTest(reply=reply):
                self.refuses_sender(reply, r"from_address = ")

    def test_no_alias_for_root(self):
        place = os.path.join(self.conf, "aliases")
        self.configure(self.start_relay(), myorigin="host.localdomain", myhostname="host.localdomain", alias_maps="hash:" + place)
        open(place, "w").close()
        self.names(self.check("--offline", code=0), r"mail for root .* root@host\.localdomain",
                   r"echo 'root: you@example\.com' >> " + re.escape(place),
                   r"myorigin = example\.com|from_address = ")

    def test_alias_for_root(self):
        with open(os.path.join(self.conf, "aliases"), "w") as f:
            f.write("root: ops@example.com\n")
        self.configure(self.start_relay(), alias_maps="hash:" + os.path.join(self.conf, "aliases"))
        self.names(self.check("--offline", code=0), r"mail for root goes to ops@example\.com")

    def test_line_that_is_no_alias(self):
        place = os.path.join(self.conf, "aliases")
        with open(place, "w") as f:
            f.write("# mine\nroot ops@example.com\nalice: alice@example.com\n")
        self.configure(self.start_relay(), alias_maps="hash:" + place)
        self.names(self.check("--offline", code=0), r"aliases +\S+/aliases:2: this line is not")
        self.assertRegex(self.sendmail("-bi").err, r"\Asendmail: \S+/aliases:2: this line is not \"name: address\" and has no effect\n\Z")

    def test_maps_that_are_not_there(self):
        """Without one of them outpostd does not begin to work: all is not well."""
        for name in ("sender_canonical_maps", "smtp_generic_maps", "smtp_header_checks"):
            self.configure(self.start_relay(name=name), **{name: "regexp:" + os.path.join(self.conf, "nofile")})
            self.names(self.check("--offline", code=78), r"FAIL maps +%s: cannot open \S+/nofile" % name)

    def test_maps_that_are_directories(self):
        """As a container gets them where the file to mount is missing."""
        relay = self.start_relay()
        self.configure(relay, smtp_generic_maps="hash:" + self.conf)
        self.names(self.check("--offline", code=78), r"FAIL maps smtp_generic_maps: %s is a directory, and a file is wanted" % self.conf)
        self.configure(relay)
        place = os.path.join(self.conf, "sasl_passwd")
        os.unlink(place)
        os.mkdir(place)
        said = self.check("--offline", code=78)
        self.names(said, r"FAIL password map smtp_sasl_password_maps: %s is a directory, and a file is wanted "
                   r"--> put a file in its place .* with this line: \[localhost\]:%d user:password" % (place, relay.starttls))
        self.assertNotIn("check user and password", said.flat)

    def test_alias_for_root_that_leads_nowhere(self):
        """As Debian's installer leaves it, root's mail goes to the first user: whose mail nobody gets either."""
        place = os.path.join(self.conf, "aliases")
        for text, lost, mend in (("root: alice\n", "alice@host.localdomain", "echo 'alice: you@example.com' >> " + place),
                                 ("root: alice\nalice: |/bin/cat\n", "root@host.localdomain",
                                  "write into %s, in place of the line for root: root: you@example.com" % place)):
            with open(place, "w") as f:
                f.write(text)
            self.configure(self.start_relay(name="relay%d" % len(text)), myorigin="host.localdomain", myhostname="host.localdomain",
                           alias_maps="hash:" + place)
            said = self.check("--offline", code=0)
            self.names(said, "warn aliases .*mail for root .* would go to " + re.escape(lost), re.escape(mend))
            self.assertRegex(re.sub(r"\s+", " ", self.outpost("status").out), "next .*would go to " + re.escape(lost))
        with open(place, "w") as f:
            f.write("root: alice, ops@example.com\n")
        self.names(self.check("--offline", code=0), r"mail for root goes to alice@host\.localdomain, ops@example\.com")

    def test_root_where_other_maps_decide(self):
        """A mend that would have no effect is none."""
        virtual = os.path.join(self.conf, "virtual")
        self.configure(self.start_relay(), myorigin="host.localdomain", myhostname="host.localdomain", alias_maps="")
        self.names(self.check("--offline", code=0), r"mail for root .* root@host\.localdomain",
                   r"alias_maps = hash:/etc/aliases, and in that file root: you@example\.com")
        self.configure(self.start_relay(name="relay2"), myorigin="host.localdomain", myhostname="host.localdomain",
                       alias_maps="hash:" + os.path.join(self.conf, "aliases"), virtual_alias_maps="hash:" + virtual)
        with open(virtual, "w") as f:
            f.write("root ann@box.lan\n")
        said = self.check("--offline", code=0)
        self.names(said, r"mail for root .* ann@box\.lan", r"write into virtual_alias_maps \(hash:\S+/virtual\): root@host\.localdomain you@example\.com")
        self.assertNotIn(" >> ", said.out)
        with open(virtual, "w") as f:
            f.write("root@host.localdomain ops@example.com\n")
        self.names(self.check("--offline", code=0), r"ok +aliases +mail for root goes to ops@example\.com")

    def test_no_mechanism_in_common(self):
        relay = self.start_relay("--auth", "CRAM-MD5")
        self.configure(relay, smtp_sasl_mechanism_filter="plain, login")
        done = self.check()
        self.assertNotEqual(done.returncode, 0)
        self.names(done, r"no login mechanism in common", r"CRAM-MD5", r"smtp_sasl_mechanism_filter")

    def test_auth_only_after_tls(self):
        """smtp_tls_security_level = none with a password: nothing is sent, and it says what to do."""
        relay = self.start_relay()
        self.configure(relay, smtp_tls_security_level="none")
        done = self.check()
        self.assertNotEqual(done.returncode, 0)
        self.names(done, r"TLS", r"smtp_tls_security_level|-->")
        self.assertEqual(relay.counters()["secrets_seen"], 0)

    def test_blocked_port(self):
        """A listener whose backlog is full stands for a firewall that drops packets."""
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            s.listen(0)
            full = [socket.socket() for _ in range(4)]
            for f in full:
                f.setblocking(False)
                try:
                    f.connect(s.getsockname())
                except BlockingIOError:
                    pass
            self.configure(relayhost="[localhost]:%d" % s.getsockname()[1], smtp_connect_timeout="2s", inet_protocols="ipv4")
            done = self.check()
            for f in full:
                f.close()
        self.assertNotEqual(done.returncode, 0)
        self.names(done, r"timed out|no answer", r"hosting providers block", r"2525")

    def test_misspelt_parameters(self):
        self.configure(self.start_relay(), raw="relay_host = [x]:587\nsmtp_sasl_passwd_maps = hash:/x\nsmtp_tls_ca_file = /x\n")
        self.names(self.check("--offline", code=0), r"relay_host.*relayhost is meant", r"smtp_sasl_passwd_maps.*smtp_sasl_password_maps",
                   r"smtp_tls_ca_file.*smtp_tls_CAfile")

    def test_unused_parameters_of_postfix(self):
        self.configure(self.start_relay(), biff="no", smtpd_banner="$myhostname ESMTP", mynetworks="127.0.0.0/8")
        self.names(self.check("--offline", code=0), r"3 parameters of Postfix have no use here: .*smtpd_banner")

    # -- certificates

    def unverified(self, recipe, *patterns):
        relay = self.relay_with(recipe)
        done = self.check()
        self.assertNotEqual(done.returncode, 0)
        self.names(done, r"FAIL tls", *patterns)
        self.assertEqual(relay.counters()["secrets_seen"], 0)

    def test_certificate_for_another_name(self):
        self.unverified("ca ca=yes\nserver issuer=ca dns=mx.example.net\n", r"mx\.example\.net",
                        r"relayhost = \[mx\.example\.net\]:\d+")

    def test_certificate_of_an_unknown_issuer(self):
        self.unverified("ca ca=yes\nother ca=yes cn=Somebody\nserver issuer=other dns=localhost\n", r"Somebody|issue",
                        r"smtp_tls_CAfile = ")

    def test_certificate_expired(self):
        self.unverified("ca ca=yes from=-100\nserver issuer=ca dns=localhost from=-60 until=-30\n", r"expired", r"renew")

    def test_certificate_not_yet_valid(self):
        self.unverified("ca ca=yes\nserver issuer=ca dns=localhost from=+10 until=+30\n", r"valid only from|not valid yet", r"clock")

    def test_certificate_ends_soon(self):
        self.relay_with("ca ca=yes\nserver issuer=ca dns=localhost until=+5\n")
        self.names(self.check(code=0), r"warn certificate .*in [45] d")

    # -- the way there

    def test_unknown_host(self):
        self.configure(relayhost="[relay.invalid]:587")
        done = self.check()
        self.assertNotEqual(done.returncode, 0)
        self.names(done, r"FAIL resolve .*relay\.invalid", r"getent ahosts relay\.invalid")

    def test_refused(self):
        self.configure(relayhost="[localhost]:%d" % harness.free_port())
        done = self.check()
        self.assertNotEqual(done.returncode, 0)
        self.names(done, r"FAIL connect .*refused", r"relayhost = \[localhost\]:587")

    def test_no_starttls(self):
        relay = self.start_relay("--no-starttls", "--auth-without-tls", "--plain-ok")
        self.configure(relay)
        done = self.check()
        self.assertNotEqual(done.returncode, 0)
        self.names(done, r"STARTTLS|TLS is required", r"relayhost = \[localhost\]:465")
        self.assertEqual(relay.counters()["secrets_seen"], 0)

    def test_no_relayhost(self):
        self.configure()
        self.names(self.check(code=78), r"relayhost is not set", r"relayhost = \[smtp\.example\.com\]:587")

    def test_no_main_cf(self):
        done = self.check(code=66)
        self.names(done, r"main\.cf", r"relayhost = \[smtp\.example\.com\]:587", r"smtp_sasl_password_maps = ")

    def test_wrong_password(self):
        relay = self.start_relay(password="another")
        self.configure(relay)
        done = self.check()
        self.assertNotEqual(done.returncode, 0)
        self.names(done, r"FAIL auth", r"535", r"password map|map's line")


class Edits(harness.SystemTest):
    needs = ("sendmail", "outpostd", "outpost", "outpost-smtp")

    def setUp(self):
        super().setUp()
        self.relay = self.start_relay()
        self.configure(self.relay)

    def queue_some(self, n=3):
        for i in range(n):
            self.sendmail("-odq", "-f", "s%d@example.com" % i, "you@example.net")
        entries = {e["sender"]: e["queue_id"] for e in json_lines(self.outpost("queue", "--json"))}
        self.assertEqual(len(entries), n)
        return [entries["s%d@example.com" % i] for i in range(n)]

    def edits(self):
        ids = self.queue_some()
        self.assertRegex(self.outpost("hold", ids[0]).out, "1 message held")
        self.assertEqual(self.outpost("hold", ids[0], code=None).returncode != 0, True, "held twice")
        held = json_lines(self.outpost("queue", "--held", "--json"))
        self.assertEqual([e["queue_id"] for e in held], [ids[0]])
        self.assertRegex(self.outpost("delete", ids[1]).out, "1 message deleted")
        self.assertRegex(self.outpost("delete", ids[1], code=65).err, "no message|not there|not in a state")
        self.assertRegex(self.outpost("delete", ids[2][:-1], code=65).err, "whole")
        self.assertIn(ids[2], self.outpost("show", ids[2][:-1], code=None).out or ids[2])
        self.outpost("flush")
        message, = self.relay.wait_messages(1)
        self.assertEqual(message.sender, "s2@example.com")
        self.assertRegex(self.outpost("release", "--all").out, "1 message released")
        self.outpost("flush")
        self.relay.wait_messages(2)
        self.assertRegex(self.outpost("log", "--event", "held").out, ids[0])
        self.assertRegex(self.outpost("log", ids[0]).out, r"%s sent <" % ids[0])
        self.assertIn("--event is one of: queued sent", self.outpost("log", "--event", "Sent", code=64).err)
        self.assertIn("outpost log -r 'a@example.net'", self.outpost("log", "a@example.net", code=64).err)
        self.assertIn('no command "stauts"', self.outpost("help", "stauts", code=64).err)
        self.assertIn("no message ABC in the history, which is kept for 7d", self.outpost("log", "ABC", code=65).err)

    def test_by_the_running_outpostd(self):
        self.start_outpostd()
        self.edits()

    def test_by_oneself(self):
        self.edits()

    def test_filters(self):
        self.queue_some()
        self.assertRegex(self.outpost("delete", "--sender", "s1@example.com").out, "1 message deleted")
        self.assertRegex(self.outpost("hold", "--older-than", "1h").out, "0 messages held")
        self.assertRegex(self.outpost("hold", "--user", "0").out, "2 messages held")
        self.assertRegex(self.outpost("delete", "--user", "nobody").out, "0 messages deleted")
        self.outpost("delete", code=64)
        self.outpost("delete", "ABC", "--all", code=64)

    def test_export(self):
        a, _, c = self.queue_some()
        mbox = self.outpost("export", "--all").out
        self.assertEqual(mbox.count("\nSubject: test\n"), 3)
        self.assertEqual(len(re.findall(r"^From s\d@example\.com ", mbox, re.M)), 3)
        text = self.outpost("show", "--raw", a).out
        self.assertIn("id %s;" % a, text)
        self.assertTrue(text.endswith("\n\nhello\n"), text)
        self.assertIn("hello", self.outpost("show", "--body", c).out)

    def test_mbox_quotes_from_lines(self):
        self.sendmail("-odq", "you@example.net", input=b"Subject: x\n\nFrom me\n>From you\nfrom no\n")
        self.assertIn("\n\n>From me\n>>From you\nfrom no\n", self.outpost("export", "--all").out)

    def test_failed_ones_stay_and_can_be_sent_again(self):
        self.sendmail("-odq", "-f", "me@example.com", "reject@example.net")
        self.outpost("flush")
        failed, = json_lines(self.outpost("queue", "--failed", "--json"))
        self.assertEqual(failed["queue_name"], "failed")
        self.assertRegex(self.outpost("show", failed["queue_id"]).out, r"550 5\.1\.1")
        self.outpost("retry", failed["queue_id"])
        self.outpost("flush")
        self.assertEqual(len(self.log_lines(r"%s: to=.*status=bounced" % failed["queue_id"])), 2)


class Faces(harness.SystemTest):
    needs = ("sendmail", "outpostd", "outpost", "outpost-smtp")

    def test_status_when_the_relay_is_down(self):
        self.configure(relayhost="[localhost]:%d" % harness.free_port())
        self.outpost("status", "--quiet")
        self.sendmail("-odq", "you@example.net")
        self.outpost("flush", code=75)
        done = self.outpost("status", code=75)
        self.assertRegex(done.out, r"DOWN for .*next try in")
        self.assertRegex(done.out, r"refused")
        self.assertRegex(done.out, r"next .*nothing listens at port")
        self.assertEqual(self.outpost("status", "--quiet", code=75).out, "")
        state = json.loads(self.outpost("status", "--json", code=75).out)
        self.assertEqual((state["queued"], state["relays"][0]["up"]), (1, False))

    def test_status_when_main_cf_names_no_relay(self):
        """A health check does not say that all is well while nothing can be sent."""
        relay = self.start_relay()
        for changes in ({"relayhost": None}, {"relayhost": "[localhost]:%d  # ours" % relay.starttls}):
            self.configure(relay, **changes)
            done = self.outpost("status", code=78)
            self.assertRegex(done.out, r"relay +.*relayhost")
            self.assertRegex(done.out, r"next +nothing can be sent before main\.cf is mended")
            self.outpost("status", "--quiet", code=78)
            self.assertEqual(json.loads(self.outpost("status", "--json", code=78).out)["health"], 78)

    @unittest.skipUnless(os.geteuid() == 0, "needs a disk of its own")
    def test_status_when_the_disk_is_full(self):
        self.configure(self.start_relay())
        os.makedirs(self.queue_dir, mode=0o700, exist_ok=True)
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=512k,mode=700", "tmpfs", self.queue_dir], check=True)
        self.addCleanup(subprocess.run, ["umount", "-l", self.queue_dir])
        self.assertRegex(self.outpost("status", code=75).out, r"the disk of .* is full: new mail\s+is\s+refused")

    def test_status_when_all_is_well(self):
        self.configure(self.start_relay())
        self.sendmail("-odq", "you@example.net")
        self.outpost("flush")
        out = self.outpost("status").out
        self.assertRegex(out, r"relay .* up, last used")
        self.assertRegex(out, r"last day +1 sent, 0 failed")
        self.assertRegex(out, r"next +nothing to do")

    def test_test(self):
        relay = self.start_relay()
        self.configure(relay)
        self.assertRegex(self.outpost("test", "you@example.net").out, r"ok +sent .*250")
        message, = relay.wait_messages(1)
        self.assertEqual(message.recipients, ["you@example.net"])
        self.assertRegex(self.outpost("test", "reject@example.net", code=69).out, r"FAIL +refused")
        self.assertRegex(self.outpost("test", "tempfail@example.net", code=75).out, r"FAIL +waits")
        if os.geteuid() == 0:
            self.assertRegex(message.sender, r"^root@")     # whom a bounce reaches, and what check tried

    def test_test_greylisted(self):
        self.configure(self.start_relay(dialogue='when rcpt do reply "450 4.2.0 <you@example.net>: Recipient address rejected: Greylisted"\n'))
        done = self.outpost("test", "you@example.net", code=75)
        self.assertRegex(done.out, r"the relay asks to try later")
        self.assertNotIn("check the recipient", done.out)

    def test_test_when_the_relay_was_down(self):
        port = harness.free_port()
        self.configure(relayhost="[localhost]:%d" % port)
        done = self.outpost("test", "you@example.net", code=75)
        self.assertRegex(done.out, r"refused")

    def test_test_when_another_relay_takes_it(self):
        """That the first one went down just now is no answer while the second is asked, however far away that is."""
        relay = self.start_relay("--rtt", "100", back=True)
        route = ["[localhost]:%d" % port for port in (harness.free_port(), relay.starttls)]
        self.configure(relay, relayhost=", ".join(route))
        self.write_secret("sasl_passwd", "".join("%s %s:%s\n" % (key, harness.USER, SECRET) for key in route))
        self.assertRegex(self.outpost("test", "you@example.net").out, r"ok +sent .*250")
        relay.stop()
        self.assertRegex(self.outpost("test", "you@example.net", code=75).out, r"FAIL +waits")

    def test_every_listing_has_json(self):
        """Each line is an object by itself; the same holds for check and test, whose steps are a listing too."""
        self.configure(self.start_relay(), raw="biff = no\nrelay_host = x\n")
        self.sendmail("-odq", "tempfail@example.net")
        (entry,) = json_lines(self.outpost("queue", "--json"))
        self.outpost("flush", code=75)
        for argv in (["queue"], ["queue", "--all", "--sort", "age"], ["show", entry["queue_id"]], ["log"], ["status"], ["check"],
                     ["check", "--offline"], ["test", "you@example.net"], ["config"], ["config", "--changed"], ["config", "--unused"],
                     ["config", "relayhost"]):
            with self.subTest(argv=argv):
                lines = json_lines(self.outpost(*argv, "--json"))
                self.assertTrue(lines)
                self.assertTrue(all(isinstance(line, dict) and line for line in lines))
                self.assertIn("--json", self.outpost(argv[0], "--help").out)

    def test_queue_sorted(self):
        self.configure(self.start_relay())
        for sender, size in (("b@example.com", 900), ("c@example.com", 9000), ("a@example.com", 10)):
            self.sendmail("-odq", "-f", sender, "you@example.net",
                          input=b"Subject: test\n\n" + b"hello\n" * size)
        def senders(*args):
            return [e["sender"][0] for e in json_lines(self.outpost("queue", "--json", *args))]
        self.assertEqual(senders("--sort", "age"), ["b", "c", "a"])
        self.assertEqual(senders("--sort", "size"), ["c", "b", "a"])
        self.assertEqual(senders("--sort=sender"), ["a", "b", "c"])
        self.assertEqual(senders("--sort", "attempts"), ["b", "c", "a"])
        self.assertEqual(senders("--sort", "size", "--sender", "a@example.com"), ["a"])
        self.assertRegex(self.outpost("queue", "--sort", "size").out, r"in 3 Requests\.")
        self.assertIn("--sort is age, size", self.outpost("queue", "--sort", "colour", code=64).err)

    def reasons(self):
        """Why each message waits: as the door says it (mailq), and as root's `outpost queue` says it without asking anybody."""
        told = [[[r.get("delay_reason", "") for r in e["recipients"]] for e in json_lines(listing)]
                for listing in (self.mailq("-j"), self.outpost("queue", "--json"))]
        self.assertEqual(told[0], told[1])
        return told[0]

    def test_queue_and_mailq_give_the_same_reasons(self):
        """Also of mail that was never tried, since its relay is down or main.cf names none; with a flusher or without."""
        self.configure(relayhost="[localhost]:%d" % harness.free_port())
        for _ in range(2):
            self.sendmail("-odq", "you@example.net")
        self.outpost("flush", code=75)
        flusher_left(self)
        self.sendmail("-odq", "later@example.net")
        self.outpost("queue")       # takes it in
        for _ in range(2):
            for reason in self.reasons():
                self.assertRegex(reason[0], r"Connection refused")
            if not self.outpostd_service:
                self.start_outpostd()
        self.outpostd_service.stop()
        self.outpost("delete", "--all")
        for lines, words in (({}, r"relayhost is not set: write relayhost = "), ({"relayhost": "[localhost:587"}, r"relayhost|\]")):
            self.configure(**lines)
            self.sendmail("-odq", "you@example.net", code=None)
            told = self.outpost("queue", "--json", code=None)
            if told.returncode == 0 and json_lines(told):
                self.assertRegex(json_lines(told)[0]["recipients"][0]["delay_reason"], words)
                self.start_outpostd()
                self.assertRegex(self.reasons()[0][0], words)
                self.outpostd_service.stop()
            else:
                self.assertRegex(told.err, words)

    def test_a_mended_relayhost_is_no_longer_held_against_the_mail(self):
        """The relay that main.cf named before was down; nothing speaks of it once main.cf names another."""
        wrong, relay = "[localhost]:%d" % harness.free_port(), self.start_relay()
        self.configure(relayhost=wrong)
        self.sendmail("-odq", "you@example.net")
        self.outpost("flush", code=75)
        self.configure(relay)
        self.outpost("hold", "--all")
        self.sendmail("-odq", "later@example.net")
        for words in (self.outpost("queue").out, self.mailq().out, self.outpost("status").out):
            self.assertNotIn(wrong, words)
            self.assertNotIn("refused", words)
        self.outpost("status", "--quiet")
        self.assertNotIn(wrong, self.outpost("metrics").out)
        self.assertNotIn("waits", self.outpost("test", "tempfail@example.net", code=75).out.replace("FAIL  waits", "", 1))
        self.outpost("delete", "--all")
        self.assertRegex(self.outpost("test", "you@example.net").out, "ok +sent")

    def test_queue_marks_what_is_being_delivered(self):
        relay = self.start_relay(dialogue="when eod do stall\n")
        self.configure(relay)
        self.start_outpostd()
        self.sendmail("you@example.net")
        harness.wait_for("a star", lambda: re.search(r"(?m)^[0-9A-Z]+\* ", self.outpost("queue").out), 10)
        self.assertEqual(json_lines(self.outpost("queue", "--json"))[0]["queue_name"], "active")
        relay.kill()

    def test_metrics(self):
        self.configure(self.start_relay())
        self.sendmail("-odq", "you@example.net")
        out = self.outpost("metrics").out
        self.assertTrue(out.endswith("# EOF\n"))
        self.assertIn('outpost_messages{state="queued"} 1\n', out)
        self.assertIn('outpost_recipients_total{result="sent"} 0\n', out)
        for line in out.splitlines():
            self.assertRegex(line, r'^(# (TYPE|UNIT|HELP|EOF)|[a-z_]+(\{[a-z]+="[^"]*"\})? -?\d+$)')

    def test_metrics_are_openmetrics(self):
        """Families in one piece, TYPE, UNIT and HELP once each before the samples, names by type and unit, EOF last."""
        self.configure(self.start_relay())
        for to in ("you@example.net", "reject@example.net"):
            self.sendmail("-odq", to)
        self.outpost("flush")
        lines = self.outpost("metrics").out.split("\n")
        self.assertEqual(lines[-2:], ["# EOF", ""])
        seen, family, kind, samples = set(), None, None, 0
        for line in lines[:-2]:
            meta = re.fullmatch(r"# (TYPE|UNIT|HELP) (\w+) (.+)", line)
            if meta and meta[1] == "TYPE":
                family, kind, samples, told = meta[2], meta[3], 0, set()
                self.assertNotIn(family, seen)
                seen.add(family)
                self.assertIn(kind, ("gauge", "counter"))
                self.assertFalse(family.endswith("_total"))
            elif meta:
                self.assertEqual((meta[2], samples), (family, 0), line)
                self.assertNotIn(meta[1], told)
                told.add(meta[1])
                if meta[1] == "UNIT":
                    self.assertTrue(family.endswith("_" + meta[3]), line)
            else:
                sample = re.fullmatch(r'(\w+)(\{[a-z]+="(?:[^"\\]|\\["\\n])*"\})? \d+', line)
                self.assertTrue(sample, line)
                self.assertEqual(sample[1], family + ("_total" if kind == "counter" else ""))
                self.assertIn("HELP", told)
                samples += 1
        self.assertIn('outpost_recipients_total{result="sent"} 2', lines)  # the bounce is one
        self.assertIn('outpost_recipients_total{result="failed"} 1', lines)

    def test_completion(self):
        self.configure(self.start_relay())
        self.assertEqual(self.outpost("complete", "--", "st").out, "status\n")
        self.assertIn("--older-than\n", self.outpost("complete", "--", "delete", "--").out)

    def test_usage(self):
        self.configure(self.start_relay())
        for argv in (["nonsense"], ["queue", "--nonsense"], ["show"], ["queue", "extra"], ["flush", "--quiet=3"]):
            done = self.outpost(*argv, code=64)
            self.assertRegex(done.err, r"^outpost: .*outpost.*help")
        help_text = self.outpost("help").out
        for name in re.findall(r"^  (\w+) ", help_text, re.M):
            self.assertIn("outpost " + name, self.outpost(name, "--help").out)
            for line in self.outpost(name, "--help").out.splitlines():
                self.assertLessEqual(len(line), 110, line)


class Terminal(harness.SystemTest):
    """What is shown on a terminal alone: progress, colour, questions."""
    needs = ("sendmail", "outpostd", "outpost", "outpost-smtp")

    def on_terminal(self, *args, answer=b"", env=None):
        master, slave = pty.openpty()
        os.write(master, answer)
        process = subprocess.Popen([harness.program("outpost"), "-C", self.conf, *args], stdin=slave, stdout=slave, stderr=slave,
                                   env=self.environ(dict({"TERM": "xterm"}, **(env or {}))), start_new_session=True)
        os.close(slave)
        out = harness.read_terminal(master)
        return process.wait(), out.decode("utf-8", "replace")

    def test_flush_shows_progress(self):
        self.configure(self.start_relay("--rtt", "100"), smtp_pipeline_window="1")
        for _ in range(12):
            self.sendmail("-odq", "you@example.net")
        code, out = self.on_terminal("flush")
        self.assertEqual(code, 0, out)
        self.assertRegex(out, r"\r\[#*\.*\] \d+/12  \d+/s")
        self.assertRegex(out, r"12 sent, nothing is left to send")
        self.assertNotIn("[", self.outpost("flush").out)

    def test_delete_asks(self):
        self.configure(self.start_relay())
        for _ in range(2):
            self.sendmail("-odq", "you@example.net")
        _, out = self.on_terminal("delete", "--all", answer=b"n\n")
        self.assertIn("delete 2 messages? [y/N]", out)
        self.assertEqual(len(json_lines(self.outpost("queue", "--json"))), 2)
        _, out = self.on_terminal("delete", "--all", answer=b"y\n")
        self.assertIn("2 messages deleted", out)
        self.assertEqual(json_lines(self.outpost("queue", "--json")), [])

    def test_colour_of_the_queue(self):
        self.configure(self.start_relay())
        for to in ("reject@example.net", "tempfail@example.net"):
            self.sendmail("-odq", to)
        self.outpost("flush", code=75)
        flusher_left(self)
        self.sendmail("-odq", "held@example.net")
        self.sendmail("-odq", "new@example.net")
        held = [e for e in json_lines(self.outpost("queue", "--json")) if e["recipients"][0]["address"] == "held@example.net"]
        self.outpost("hold", held[0]["queue_id"])
        out = self.on_terminal("queue", "--all")[1]
        for color, to in ((33, "tempfail@"), (36, "held@"), (31, "reject@")):
            self.assertRegex(out, r"\x1b\[%dm[0-9A-Z]+[!#]? [^\n]*\x1b\[0m(?:\r\n *[^\n]*){1,2}%s" % (color, to))
        self.assertRegex(out, r"(?m)^[0-9A-Z]+ .*\r\n *new@")
        self.assertNotIn("\x1b", self.outpost("queue", "--all").out)

    def test_colour(self):
        self.configure(self.start_relay())
        self.assertIn("\x1b[32mok", self.on_terminal("check", "--offline")[1])
        self.assertNotIn("\x1b", self.on_terminal("check", "--offline", env={"NO_COLOR": "1"})[1])
        self.assertNotIn("\x1b", self.outpost("check", "--offline").out)


class PostfixNames(harness.SystemTest):
    needs = ("sendmail", "outpostd", "outpost", "outpost-smtp")

    def setUp(self):
        super().setUp()
        self.relay = self.start_relay()
        self.configure(self.relay)

    def call(self, name, *args, code=0, input=b""):
        link = os.path.join(self.tmp, name)
        if not os.path.lexists(link):
            os.symlink(harness.program("outpost"), link)
        return self.run_program(link, *args, env={"MAIL_CONFIG": self.conf}, code=code, input=input)

    def test_postqueue(self):
        self.sendmail("-odq", "you@example.net")
        self.assertRegex(self.call("postqueue", "-p").out, r"(?m)^-- \d+ Kbytes in 1 Request\.$")
        entry, = json_lines(self.call("postqueue", "-j"))
        self.call("postqueue", "-i", entry["queue_id"], code=None)
        done = self.call("postqueue", "-f")
        self.assertEqual(done.out + done.err, "")       # or cron would send it, each time
        self.relay.wait_messages(1)
        self.sendmail("-odq", "tempfail@example.net")
        done = self.call("postqueue", "-f")
        self.assertEqual(done.out + done.err, "")
        self.call("postqueue", code=64)

    def test_postsuper(self):
        for _ in range(4):
            self.sendmail("-odq", "you@example.net")
        ids = [e["queue_id"] for e in json_lines(self.call("postqueue", "-j"))]
        self.call("postsuper", "-h", ids[0])
        self.call("postsuper", "-d", ids[1])
        self.call("postsuper", "-d", "-", input=(ids[2] + "\n").encode())
        self.assertEqual(sorted(e["queue_id"] for e in json_lines(self.call("postqueue", "-j"))), sorted([ids[0], ids[3]]))
        self.call("postsuper", "-H", "ALL")
        self.call("postsuper", "-d", "ALL")
        self.assertRegex(self.call("postqueue", "-p").out, "Mail queue is empty")

    def test_postsuper_within_a_queue(self):
        """`postsuper -d ALL deferred` must not take what was never tried, nor what is held; nor must `-d ID hold`."""
        self.sendmail("-odq", "tempfail@example.net")
        self.call("postqueue", "-f")
        flusher_left(self)
        for _ in range(2):
            self.sendmail("-odq", "you@example.net")
        ids = {}
        for entry in json_lines(self.call("postqueue", "-j")):
            ids.setdefault(entry["queue_name"], []).append(entry["queue_id"])
        held, new = ids["incoming"]
        deferred, = ids["deferred"]

        def left():
            return {e["queue_id"] for e in json_lines(self.call("postqueue", "-j"))}
        self.call("postsuper", "-h", held)
        self.assertIn("there is no queue", self.call("postsuper", "-d", "ALL", "maildrop", code=64).err)
        self.assertIn("write ALL, in capitals", self.call("postsuper", "-d", "all", code=64).err)
        for which, queue in ((new, "hold"), (held, "deferred"), (deferred, "incoming"), (new, "active")):
            done = self.call("postsuper", "-d", which, queue)
            self.assertRegex(done.err, which + " is not in the queues that were named")
            self.assertIn("0 messages deleted", done.out)
        self.assertEqual(left(), {held, new, deferred})
        self.call("postsuper", "-d", "-", "deferred", "active", input="".join(i + "\n" for i in left()).encode())
        self.assertEqual(left(), {held, new})
        self.call("postsuper", "-d", "ALL", "hold")
        self.assertEqual(left(), {new})
        self.call("postsuper", "-d", new, "incoming")
        self.assertEqual(left(), set())

    def test_postsuper_says_what_has_no_use(self):
        for letter in ("-s", "-S", "-p"):
            self.assertRegex(self.call("postsuper", letter).out, letter + " has nothing to do here: ")
        for letter in ("-e", "-f"):
            self.assertRegex(self.call("postsuper", letter, "ALL", code=64).err, r"maximal_queue_lifetime; `outpost delete`")
        self.call("postsuper", code=64)

    def test_postqueue_of_a_site(self):
        self.sendmail("-odq", "you@example.net")
        self.assertIn("everything is tried", self.call("postqueue", "-s", "example.org").err)
        self.relay.wait_messages(1)

    def test_postcat(self):
        self.sendmail("-odq", "you@example.net")
        entry, = json_lines(self.call("postqueue", "-j"))
        self.assertIn("Subject: test", self.call("postcat", "-q", entry["queue_id"]).out)
        self.assertIn("hello", self.call("postcat", "-bq", entry["queue_id"]).out)
        whole = self.call("postcat", "-q", entry["queue_id"]).out
        self.assertRegex(whole, r"(?s) to +you@example\.net .*Subject: test\n.*\n\nhello\n\Z")
        self.assertNotIn("hello", self.call("postcat", "-hq", entry["queue_id"]).out)

    def test_postconf(self):
        self.assertIn("relayhost = [localhost]:%d" % self.relay.starttls, self.call("postconf", "-n").out)
        self.call("postconf", "-e", "relayhost=[smtp.example.com]:587", "myorigin = example.org")
        self.assertEqual(self.call("postconf", "relayhost").out, "relayhost = [smtp.example.com]:587\n")
        self.assertEqual(self.call("postconf", "-h", "myorigin").out, "example.org\n")
        self.assertRegex(self.call("postconf", "-d", "smtp_tls_security_level").out, r"^smtp_tls_security_level =")

    def test_postmap(self):
        passwd = os.path.join(self.conf, "sasl_passwd")
        done = self.call("postmap", "hash:" + passwd)
        self.assertIn("nothing needs to be built", done.out)
        self.assertEqual(os.listdir(self.conf).count("sasl_passwd.db"), 0)
        self.assertRegex(self.call("postmap", "/nonexistent/map", code=78).err, r"^\w+: cannot open /nonexistent/map: No such file")
        with open(os.path.join(self.conf, "generic"), "w") as f:
            f.write("root ops@example.com\n")
        self.assertEqual(self.call("postmap", "-q", "root", "hash:" + os.path.join(self.conf, "generic")).out, "ops@example.com\n")
        self.call("postmap", "-q", "nobody", "hash:" + os.path.join(self.conf, "generic"), code=1)
        done = self.call("postmap", "-q", "-", "hash:" + os.path.join(self.conf, "generic"), input=b"nobody\nroot\n")
        self.assertEqual(done.out, "root\tops@example.com\n")
        self.call("postmap", "-q", "-", "hash:" + os.path.join(self.conf, "generic"), input=b"nobody\n", code=1)
        self.assertIn("is not needed here", self.call("postmap", "-d", "root", "hash:" + os.path.join(self.conf, "generic"), code=64).err)

    def test_postalias(self):
        aliases = os.path.join(self.tmp, "aliases")
        with open(aliases, "w") as f:
            f.write("# none\nroot: ops@example.com\n")
        self.assertIn("nothing needs to be built", self.call("postalias", aliases).out)
        self.assertEqual(self.call("postalias", "-q", "root", "hash:" + aliases).out, "ops@example.com\n")
        self.call("postalias", "-q", "nobody", "hash:" + aliases, code=1)
        self.assertRegex(self.call("postalias", aliases + "2", code=78).err, r"^outpost: cannot open \S+/aliases2: No such file")

    def test_postfix(self):
        self.sendmail("-odq", "you@example.net")
        self.assertIn("All is well", self.call("postfix", "check").out)
        self.assertIn("1 message, ", self.call("postfix", "status", code=None).out)
        self.assertIn("nothing needs to be reloaded", self.call("postfix", "reload").err)
        self.call("postfix", "flush")
        self.relay.wait_messages(1)
        self.assertRegex(self.call("postfix", "stop", code=69).err, r"\Apostfix: nothing was stopped\. Type: systemctl stop ")
        self.assertRegex(self.call("postfix", "restart", code=64).err, r"\Ausage: postfix ")
        with open(os.path.join(self.conf, "main.cf"), "a") as f:
            f.write("relayhost\n")
        self.assertIn("main.cf", self.call("postfix", "reload", code=78).err)

    def test_postfix_start(self):
        """Where nobody keeps the door this is outpostd; where a service manager does, it is not to be in his way."""
        self.call("postfix", "stop", code=69)
        service = self.start(os.path.join(self.tmp, "postfix"), "start-fg", env={"MAIL_CONFIG": self.conf})
        harness.wait_for("outpostd's door", self.door_answers)
        self.sendmail("you@example.net")
        self.relay.wait_messages(1)
        self.assertIn("at work", self.call("postfix", "start", code=75).err)
        service.stop()
        open(os.path.join(self.queue_dir, "managed"), "w").close()
        self.assertIn("systemctl start outpost.socket", self.call("postfix", "start").err)
        self.assertIn("systemctl start outpost.socket", self.call("postfix", "start-fg", code=69).err)

    def test_a_map_is_named_from_here(self):
        """`cd /etc/postfix && postmap sasl_passwd`: not the file of that name beside outpost's main.cf."""
        here = os.path.join(self.tmp, "here")
        os.mkdir(here)
        with open(os.path.join(self.conf, "generic"), "w") as f:
            f.write("root there@example.com\n")
        link = os.path.join(self.tmp, "postmap")
        self.call("postmap", "-q", "x", "static:y")
        env = {"MAIL_CONFIG": self.conf}
        self.assertIn("cannot open generic", self.run_program(link, "generic", env=env, cwd=here, code=78).err)
        with open(os.path.join(here, "generic"), "w") as f:
            f.write("root here@example.com\n")
        self.assertEqual(self.run_program(link, "-q", "root", "hash:generic", env=env, cwd=here).out, "here@example.com\n")

    def test_the_flusher_says_its_usage(self):
        self.assertRegex(self.run_program("outpostd", "--help").out, r"\Ausage: outpostd .*\n\Z")
        self.assertRegex(self.run_program("outpostd", "--nonsense", code=64).err, r"(?m)^usage: outpostd ")

    def test_postconf_says_what_a_default_comes_to(self):
        self.configure(relayhost="mail.example.com:587", myhostname=None)
        for name in ("myhostname", "mydomain"):
            found = self.call("postconf", "-xh", name).out
            self.assertRegex(found, r"\A\S+\n\Z")
            self.assertEqual(self.call("postconf", "-h", name).out, found)
            self.assertIn("%s = %s" % (name, found), self.call("postconf").out)

    def test_postconf_as_scripts_use_it(self):
        version = self.run_program("outpost", "--version").out.split()[1]
        self.assertEqual(self.call("postconf", "mail_version").out, "mail_version = %s\n" % version)
        self.assertEqual(self.call("postconf", "-h", "mail_version").out, version + "\n")
        self.assertEqual(self.call("postconf", "-dh", "mail_version", "myorigin").out, version + "\n$myhostname\n")
        self.assertEqual(self.call("postconf", "-h", "config_directory", "myorigin").out, self.conf + "\nexample.com\n")
        self.assertEqual(set(self.call("postconf", "-m").out.split()) & {"hash", "static", "regexp"}, {"hash", "static", "regexp"})
        with open(os.path.join(self.conf, "main.cf")) as f:
            before = f.read()
        for argv in (["-M"], ["-Mf"], ["-Me", "submission/inet=submission inet n - y - - smtpd"], ["-P", "smtp/unix/x=y"], ["-F", "*/*/chroot=n"]):
            self.assertIn("no master.cf", self.call("postconf", *argv).err)
        with open(os.path.join(self.conf, "main.cf")) as f:
            self.assertEqual(f.read(), before)
        self.call("postconf", "-#", "smtp_tls_loglevel")
        self.assertEqual(self.call("postconf", "-n", "smtp_tls_loglevel").out, "smtp_tls_loglevel = 0\n")
        with open(os.path.join(self.conf, "main.cf")) as f:
            self.assertEqual(f.read(), before.replace("smtp_tls_loglevel", "#smtp_tls_loglevel"))
        self.call("postconf", "-X", "myorigin")
        with open(os.path.join(self.conf, "main.cf")) as f:
            self.assertNotIn("myorigin", f.read())


def flusher_left(test):
    """What is queued from here on, no flusher that is still there takes along."""
    harness.wait_for("the flusher to leave", lambda: re.search(r"\]: done$", test.log_text().rstrip()), 20)


def json_lines(done):
    return [json.loads(line) for line in done.out.splitlines() if line.strip()]


if __name__ == "__main__":
    harness.main()
