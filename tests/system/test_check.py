"""`outpost check`: every mistake that people make with a relay is named, with the line that fixes it."""
import json
import os
import re
import socket
import subprocess

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
        self.names(done, r"/nonexistent/sasl_passwd", r"no such file|does not exist", r"--> +create that file, or write the path")

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
        self.answers_auth("535 5.7.8 Username and Password not accepted. Learn more at https://support.google.com/mail/?p=BadCredentials - gsmtp",
                          r"myaccount\.google\.com/apppasswords")

    def test_application_specific_password(self):
        self.answers_auth("534 5.7.9 Application-specific password required. InvalidSecondFactor", r"application password")

    def test_microsoft_wants_oauth2(self):
        self.answers_auth("535 5.7.139 Authentication unsuccessful, SmtpClientAuthentication is disabled for the Tenant",
                          r"OAuth2", r"smtp_sasl_password_maps = oauth2:")
        self.answers_auth("550 5.7.30 Basic authentication is not supported for Client Submission", r"OAuth2")

    def refuses_sender(self, reply, *patterns):
        self.configure(self.start_relay(dialogue='when mail do reply "%s"\n' % reply, name="relay%d" % abs(hash(reply))))
        done = self.outpost("test", "you@example.net", code=75)
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


if __name__ == "__main__":
    harness.main()
