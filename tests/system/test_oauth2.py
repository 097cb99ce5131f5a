"""OAuth2: outpost-token and outpost login against a token endpoint on loopback (RFC 6749, RFC 8628)."""
import base64
import hashlib
import http.server
import json
import os
import re
import shutil
import ssl
import subprocess
import tempfile
import threading
import time
import unittest
import urllib.parse

import harness

# The exit status of each reason.
with open(os.path.join(harness.SRC, "src/base/reasons.def"), encoding="utf-8") as reasons:
    EXITS = {name: getattr(os, status) for name, status in
             re.findall(r'^REASON\(\w+, "([a-z0-9-]+)", \w+, (EX_[A-Z]+)', reasons.read(), re.M)}

USER = "me@example.com"
SECRET = "client-secret-to-be-hidden"
REFRESH = "refresh-token-to-be-hidden"


class Endpoint(http.server.ThreadingHTTPServer):
    """Answers each path from a list of (status, body); the last one again and again. A body may be a function of the form."""
    daemon_threads = True

    def __init__(self, cert, key):
        super().__init__(("127.0.0.1", 0), Handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(cert, key)
        self.socket = context.wrap_socket(self.socket, server_side=True)
        self.answers = {}
        self.forms = {}
        self.delay = 0
        self.answering = threading.Event()
        self.answering.set()
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()

    def url(self, path):
        return "https://localhost:%d%s" % (self.server_port, path)

    def handle_error(self, request, address):
        pass


class Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        server = self.server
        form = dict(urllib.parse.parse_qsl(self.rfile.read(int(self.headers["Content-Length"])).decode(), strict_parsing=True))
        server.forms.setdefault(self.path, []).append(form)
        time.sleep(server.delay)
        server.answering.wait(60)
        answers = server.answers[self.path]
        status, body = answers.pop(0) if len(answers) > 1 else answers[0]
        if callable(body):
            body = body(form)
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *args):
        pass


def token(n=1, **more):
    return (200, dict({"access_token": "access-%d" % n, "token_type": "Bearer", "expires_in": 3600}, **more))


def error(name, status=400, description="the provider's words"):
    return (status, {"error": name, "error_description": description})


class OAuth2Base(harness.SystemTest):
    needs = ("outpost-token", "outpost")

    def setUp(self):
        super().setUp()
        certs = harness.certificates()
        self.endpoint = Endpoint(certs + "/server.pem", certs + "/server.key")
        self.addCleanup(self.endpoint.server_close)
        self.addCleanup(self.endpoint.shutdown)
        self.ca = certs + "/ca.pem"
        os.makedirs(self.queue_dir, mode=0o700, exist_ok=True)
        self.tokens = os.path.join(self.queue_dir, "oauth2-" + USER)
        with open(os.path.join(self.conf, "main.cf"), "w") as f:
            f.write("queue_directory = %s\nrelayhost = [localhost]:587\nsmtp_sasl_auth_enable = yes\n"
                    "smtp_sasl_password_maps = oauth2:%s/oauth2\n" % (self.queue_dir, self.conf))
        self.write()

    def write(self, **settings):
        merged = {"user": USER, "client_id": "client id&=", "grant": "refresh_token", "refresh_token": REFRESH,
                  "token_endpoint": self.endpoint.url("/token"), "device_endpoint": self.endpoint.url("/device"),
                  "ca_file": self.ca, "scope": "mail send"}
        merged.update(settings)
        path = os.path.join(self.conf, "oauth2")
        with open(path, "w") as f:
            f.writelines("%s = %s\n" % item for item in merged.items() if item[1] is not None)
        os.chmod(path, 0o600)

    def answer(self, path, *answers):
        self.endpoint.answers[path] = list(answers)

    def forms(self, path="/token"):
        return self.endpoint.forms.get(path, [])

    def get(self, *args, code=0):
        """What outpost-token says to outpostd: a credential, or the reason why there is none."""
        done = self.run_program("outpost-token", "credential", *args, self.conf, input=None,
                                env={"OUTPOST_TOKEN_RELAY": "[localhost]:587", "OUTPOST_TOKEN_SENDER": ""})
        self.assertNotIn(SECRET, done.out + done.err)
        self.assertNotIn(REFRESH, done.out + done.err)
        said = dict(line.split("=", 1) for line in done.out.splitlines())
        self.assertEqual(EXITS[said["reason"]] if said["found"] != "1" else 0, code, said)
        return said

    def stored(self):
        with open(self.tokens) as f:
            return dict(line.rstrip("\n").split("=", 1) for line in f)

    def age(self, seconds):
        """The stored token as it will be after so many seconds."""
        stored = self.stored()
        for name in ("issued", "expires"):
            stored[name] = str(int(stored[name]) - seconds)
        with open(self.tokens, "w") as f:
            f.writelines("%s=%s\n" % item for item in stored.items())


@unittest.skipUnless(harness.OAUTH2, "built with --disable-oauth2")
class OAuth2(OAuth2Base):
    def test_refresh(self):
        self.answer("/token", token(1), token(2))
        got = self.get()
        self.assertEqual((got["user"], got["token"]), (USER, "access-1"))
        self.assertTrue(3200 < int(got["expires"]) <= 3300, got)
        self.assertEqual(self.forms(), [{"client_id": "client id&=", "grant_type": "refresh_token", "refresh_token": REFRESH,
                                         "scope": "mail send"}])
        self.assertEqual(os.stat(self.tokens).st_mode & 0o777, 0o600)
        self.assertEqual(self.get()["token"], "access-1")
        self.assertEqual(len(self.forms()), 1)
        self.age(3200)
        self.assertEqual(self.get()["token"], "access-1")
        self.age(101)
        self.assertEqual(self.get()["token"], "access-2", "renewed before it expires")

    def test_forced(self):
        self.answer("/token", token(1), token(2))
        self.get()
        self.assertEqual(self.get("-f")["token"], "access-1", "it has only just been got")
        self.age(60)
        self.assertEqual(self.get("-f")["token"], "access-2")

    def test_rotation(self):
        self.answer("/token", token(1, refresh_token="second"), token(2))
        self.get()
        self.age(4000)
        self.get()
        self.assertEqual([f["refresh_token"] for f in self.forms()], [REFRESH, "second"])
        self.assertEqual(self.stored()["refresh_token"], "second")

    def test_client_credentials(self):
        self.write(grant="client_credentials", client_secret=SECRET, refresh_token=None)
        self.answer("/token", token(1, expires_in="1200"))
        got = self.get()
        self.assertLessEqual(int(got["expires"]), 900)
        self.assertEqual(self.forms()[0]["grant_type"], "client_credentials")
        self.assertEqual(self.forms()[0]["client_secret"], SECRET)

    def test_other_account(self):
        self.answer("/token", token(1, refresh_token="of-me"), token(2))
        self.get()
        self.write(client_id="another")
        self.assertEqual(self.get()["token"], "access-2")
        self.assertEqual(self.forms()[1]["refresh_token"], REFRESH)

    def test_short_lived(self):
        self.answer("/token", token(1, expires_in=100), token(2))
        self.assertLessEqual(int(self.get()["expires"]), 50)
        self.assertEqual(self.get()["token"], "access-1")
        self.age(51)
        self.assertEqual(self.get()["token"], "access-2")

    def test_no_login_yet(self):
        self.write(refresh_token=None)
        self.assertIn("outpost login " + USER, self.get(code=77)["text"])
        self.assertEqual(self.forms(), [])

    def test_errors(self):
        for name, status, code, words in (
                ("invalid_grant", 400, 77, "no longer accepted"), ("invalid_client", 401, 78, "client_id and client_secret"),
                ("unauthorized_client", 400, 78, "not allowed"), ("unsupported_grant_type", 400, 78, "does not know this grant"),
                ("invalid_scope", 400, 78, "scope"), ("invalid_request", 400, 78, "does not understand"),
                ("interaction_required", 400, 77, "log in again"), ("temporarily_unavailable", 503, 75, "can't answer now"),
                ("server_error", 500, 75, "can't answer now"), ("slow_down", 429, 75, "can't answer now"),
                ("something_new", 400, 78, "refuses")):
            self.answer("/token", error(name, status, "AADSTS7000: words\r\nTrace: x"))
            said = self.get(code=code)["text"]
            self.assertIn(words, said, name)
            self.assertIn("(%s: AADSTS7000: words)" % name, said)

    def test_nonsense(self):
        for status, body, words in (
                (200, b"<html>", "without an access token"), (200, b"", "without an access token"),
                (200, b"[1]", "without an access token"), (200, {"token_type": "Bearer"}, "without an access token"),
                (200, {"access_token": ["x"]}, "without an access token"), (200, {"access_token": ""}, "without an access token"),
                (200, {"access_token": "a\r\nb"}, "without an access token"),
                (200, {"access_token": "x" * 20000}, "without an access token"),
                (502, b"<html>", "status 502"), (302, b"", "status 302"), (404, {"x": 1}, "status 404"),
                (200, b" " * 300000, "too much")):
            self.answer("/token", (status, body))
            self.assertIn(words, self.get(code=75)["text"])
        self.answer("/token", (200, {"access_token": "x", "token_type": "mac"}))
        self.assertIn("Bearer is wanted", self.get(code=78)["text"])
        self.assertFalse(os.path.exists(self.tokens))

    def test_unverified_endpoint(self):
        self.write(ca_file=None)
        self.answer("/token", token(1))
        self.assertIn("certificate", self.get(code=75)["text"])
        self.assertEqual(self.forms(), [])
        self.write(token_endpoint=self.endpoint.url("/token").replace("localhost", "127.0.0.2"))
        self.get(code=75)
        self.assertEqual(self.forms(), [])
        self.write(token_endpoint=self.endpoint.url("/token").replace("https", "http"))
        self.assertIn("https://", self.get(code=78)["text"])

    def test_endpoint_down(self):
        self.answer("/token", token(1))
        self.get()
        self.age(3400)
        down = "https://localhost:%d/token" % harness.free_port()
        stored = self.stored()
        self.write(token_endpoint=down)
        self.assertIn("no token from " + down, self.get(code=75)["text"])
        self.write()
        with open(self.tokens, "w") as f:
            f.writelines("%s=%s\n" % item for item in stored.items())
        self.answer("/token", (503, b""))
        self.assertEqual(self.get()["token"], "access-1", "still good for a while")

    def test_slow_endpoint(self):
        self.answer("/token", token(1))
        self.endpoint.answering.clear()
        with open(os.path.join(self.conf, "main.cf"), "a") as f:
            f.write("sasl_exec_timeout = 2\n")
        self.get(code=75)
        self.endpoint.answering.set()

    def test_open_token_file(self):
        self.answer("/token", token(1))
        self.get()
        os.chmod(self.tokens, 0o644)
        self.assertIn("chmod 0600", self.get(code=78)["text"])

    # -- the device flow

    def device(self, *polls, interval=0, **more):
        self.answer("/device", (200, dict({"device_code": "device-code", "user_code": "ABCD-EFGH", "expires_in": 900,
                                           "verification_uri": "https://provider.example/device", "interval": interval}, **more)))
        self.answer("/token", *polls)

    def login(self, *args, code=0):
        done = self.outpost("login", *args, code=code)
        self.assertNotIn("access-", done.out + done.err)
        self.assertNotIn("new-refresh", done.out + done.err)
        return done

    def test_login(self):
        self.write(grant="device_code", refresh_token=None)
        self.device(error("authorization_pending"), error("authorization_pending"), (503, b""), token(1, refresh_token="new-refresh"))
        done = self.login(USER)
        self.assertIn("https://provider.example/device", done.out)
        self.assertIn("ABCD-EFGH", done.out)
        self.assertIn("Logged in as " + USER, done.out)
        self.assertEqual(self.forms("/device"), [{"client_id": "client id&=", "scope": "mail send"}])
        self.assertEqual(self.forms()[-1], {"client_id": "client id&=", "device_code": "device-code",
                                            "grant_type": "urn:ietf:params:oauth:grant-type:device_code"})
        self.assertEqual(len(self.forms()), 4)
        self.assertEqual(self.stored()["refresh_token"], "new-refresh")
        self.assertEqual(os.stat(self.tokens).st_mode & 0o777, 0o600)
        self.assertEqual(self.get()["token"], "access-1")

    def test_login_slow_down(self):
        self.device(error("slow_down"), token(1, refresh_token="new-refresh"))
        start = time.monotonic()
        self.login()
        self.assertGreaterEqual(time.monotonic() - start, 5)

    def test_login_refused(self):
        self.device(error("access_denied"))
        self.assertIn("refused", self.login(code=77).err)
        self.device(error("expired_token"))
        self.assertIn("not entered in time", self.login(code=77).err)
        self.device(error("authorization_pending"), expires_in=1, interval=3600)
        self.assertIn("not entered in time", self.login(code=77).err)
        self.device(token(1))
        self.assertIn("no refresh token", self.login(code=78).err)
        self.answer("/device", error("invalid_client", 401))
        self.assertIn("client_id", self.login(code=78).err)
        self.answer("/device", (200, {"device_code": "x"}))
        self.assertIn("without a code", self.login(code=75).err)
        self.assertIn("for user who", self.login("who", code=78).err)

    # -- the authorization code, copied from the browser

    def browser(self, paste, code=0):
        """Runs outpost login; paste(query of the address shown) is what the person copies back."""
        self.write(grant="authorization_code", refresh_token=None, auth_endpoint="https://provider.example/auth", client_secret=SECRET)
        p = subprocess.Popen([harness.program("outpost"), "-C", self.conf, "login"], stdin=subprocess.PIPE,
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=self.environ(), text=True)
        shown = ""
        while "address line" not in shown:
            line = p.stdout.readline()
            self.assertTrue(line, shown)
            shown += line
        address = next(line for line in shown.splitlines() if line.startswith("https://provider.example/auth?"))
        query = dict(urllib.parse.parse_qsl(address.split("?", 1)[1], strict_parsing=True))
        out, err = p.communicate(paste(query) + "\n", timeout=30 * harness.PATIENCE)
        self.assertEqual(p.returncode, code, shown + out + err)
        self.assertNotIn(SECRET, shown + out + err)
        return query, out + err

    def test_browser(self):
        self.answer("/token", token(1, refresh_token="new-refresh"), token(2))
        query, out = self.browser(lambda q: "%s?state=%s&code=4%%2Fthe-code&scope=x" % (q["redirect_uri"], q["state"]))
        self.assertIn("Logged in as " + USER, out)
        self.assertEqual((query["response_type"], query["client_id"], query["scope"], query["login_hint"]),
                         ("code", "client id&=", "mail send", USER))
        form, = self.forms()
        self.assertEqual((form["grant_type"], form["code"], form["redirect_uri"]),
                         ("authorization_code", "4/the-code", query["redirect_uri"]))
        challenge = base64.urlsafe_b64encode(hashlib.sha256(form["code_verifier"].encode()).digest()).rstrip(b"=").decode()
        self.assertEqual((query["code_challenge_method"], query["code_challenge"]), ("S256", challenge))
        self.assertEqual(self.get()["token"], "access-1")
        self.age(4000)
        self.get()
        self.assertEqual(self.forms()[1]["refresh_token"], "new-refresh")

    def test_browser_refused(self):
        self.answer("/token", error("invalid_grant"))
        for paste, code, words in (
                (lambda q: "http://127.0.0.1:53682/?state=forged&code=x", 77, "another login"),
                (lambda q: "http://127.0.0.1:53682/?code=x", 77, "another login"),
                (lambda q: "http://127.0.0.1:53682/?state=%s&error=access_denied" % q["state"], 77, "refused (access_denied)"),
                (lambda q: "http://127.0.0.1:53682/?state=%s&code=%%zz" % q["state"], 77, "no code"),
                (lambda q: "http://127.0.0.1:53682/?state=%s&code=a%%0ab" % q["state"], 77, "no code"),
                (lambda q: "", 77, "no address"), (lambda q: "just-a-code", 77, "no longer accepted")):
            self.assertIn(words, self.browser(paste, code)[1])
        self.assertEqual(len(self.forms()), 1)

    def test_two_at_once(self):
        """A refresh token may be good for one use: the second of two waits for the first."""
        self.endpoint.delay = 0.5
        self.answer("/token", token(1, refresh_token="second"), error("invalid_grant"))
        results = []
        threads = [threading.Thread(target=lambda: results.append(self.get()["token"])) for _ in range(2)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        self.assertEqual(results, ["access-1", "access-1"])


@unittest.skipUnless(harness.OAUTH2, "built with --disable-oauth2")
class Delivery(OAuth2Base):
    """Mail through a relay that wants a token."""
    needs = ("sendmail", "outpostd", "outpost", "outpost-smtp", "outpost-token", "relay")

    def relay(self, mechanism, accepted, **options):
        relay = self.start_relay("--auth", mechanism, "--token", "%s:%s" % (USER, accepted), **options)
        self.configure(relay, smtp_sasl_password_maps="oauth2:%s/oauth2" % self.conf)
        return relay

    def go(self, mechanism):
        self.answer("/token", token(1))
        relay = self.relay(mechanism, "access-1")
        self.start_outpostd()
        for _ in range(2):
            self.sendmail("you@example.net")
        relay.wait_messages(2)
        self.wait_queue_empty()
        self.assertEqual(len(self.forms()), 1)
        self.assertNotIn("access-1", self.log_text())
        self.assertNotIn(REFRESH, self.log_text())

    def test_xoauth2(self):
        self.go("XOAUTH2")

    def test_oauthbearer(self):
        self.go("OAUTHBEARER")

    def test_tokens_kept_elsewhere(self):
        """In no directory that outpostd may write to anyhow."""
        place = tempfile.mkdtemp(prefix="outpost-test-", dir="/var/tmp")
        self.addCleanup(shutil.rmtree, place)
        owner = os.stat(self.queue_dir)
        os.chown(place, owner.st_uid, owner.st_gid)
        self.write(token_file=place + "/tokens")
        self.go("XOAUTH2")
        self.assertIn("tokens", os.listdir(place))

    def test_renewed_once_on_535(self):
        self.answer("/token", token(1), token(2))
        relay = self.relay("XOAUTH2", "access-2")
        self.get()
        self.age(60)
        self.start_outpostd()
        self.sendmail("you@example.net")
        relay.wait_messages(1)
        self.wait_log("asking for a new credential")
        self.assertEqual(len(self.forms()), 2)

    def test_refused_for_good(self):
        self.answer("/token", token(1), token(2))
        self.relay("XOAUTH2", "access-9")
        self.get()
        self.age(60)
        self.sendmail("-odq", "you@example.net")
        done = self.outpost("flush", code=75)
        self.assertEqual(len(self.forms()), 2, "renewed once, not again and again")
        self.assertIn("535", done.out + done.err + self.mailq().out)

    def test_let_in_and_refused_at_each_message(self):
        """That the login went well does not give it another new credential, and another, without a pause."""
        self.answer("/token", token(1))
        relay = self.relay("XOAUTH2", "access-1", dialogue='when mail do reply "530 5.7.57 client not authenticated"\n')
        with open(os.path.join(self.conf, "main.cf"), "a") as f:    # one at a time, or slow answers open a second connection
            f.write("smtp_pipeline_window = 1\nsmtp_destination_concurrency_limit = 1\n")
        self.get()
        self.age(60)
        for _ in range(5):
            self.sendmail("-odq", "you@example.net")
        self.outpost("flush", code=75)
        self.assertEqual(relay.counters()["connections"], 2)
        self.assertEqual(len(self.forms()), 2, "renewed once, not again and again")

    def test_endpoint_down(self):
        """A token endpoint that can't answer is a pause of the relay; the mail waits and says why."""
        self.answer("/token", (503, b""))
        relay = self.relay("XOAUTH2", "access-1")
        self.start_outpostd()
        self.sendmail("you@example.net")
        self.wait_log("answers with status 503 and no token")
        harness.wait_for("mailq to say so", lambda: "status 503" in self.mailq().out)
        harness.wait_for("the commit", lambda: self.rows("SELECT failures FROM relay") == [(1,)])
        # Nobody refused a login: it is looked at again as soon as any relay that is down, not as seldom as an account may be locked.
        self.assertLess(self.rows("SELECT down_until FROM relay")[0][0] / 1e6 - time.time(), 600)
        self.answer("/token", token(1))
        self.outpost("flush")
        relay.wait_messages(1)

    def test_not_logged_in(self):
        self.write(refresh_token=None)
        self.relay("XOAUTH2", "access-1")
        self.start_outpostd()
        self.sendmail("you@example.net")
        self.wait_log("outpost login " + USER)

    def test_the_door_does_not_wait(self):
        """While a token endpoint takes its time, outpostd takes mail."""
        self.answer("/token", token(1))
        self.endpoint.answering.clear()
        relay = self.relay("XOAUTH2", "access-1")
        self.start_outpostd()
        self.sendmail("you@example.net")
        harness.wait_for("the question", lambda: self.forms())
        self.sendmail("you@example.net")
        self.mailq()
        self.assertEqual(relay.count(), 0)
        self.endpoint.answering.set()
        relay.wait_messages(2)
        self.assertEqual(len(self.forms()), 1)

    def program(self, text):
        path = self.write_secret("program", "#!/bin/sh\n" + text)
        os.chmod(path, 0o700)
        return path

    def test_exec(self):
        relay = self.start_relay()
        path = self.program("echo asked $# >&2\necho %s:%s\n" % (harness.USER, harness.PASSWORD))
        self.configure(relay, smtp_sasl_password_maps="exec:" + path)
        self.start_outpostd()
        self.sendmail("you@example.net")
        relay.wait_messages(1)
        self.wait_log(r"outpost/credential\[\d+\]: warning: %s: asked 1" % path)
        self.assertNotIn(harness.PASSWORD, self.log_text())

    def test_exec_is_kept(self):
        """As long as the program says, and not beyond a refusal."""
        relay = self.start_relay()
        runs = os.path.join(self.tmp, "runs")
        answer = "echo x >>%s\necho %s:%s\n" % (runs, harness.USER, harness.PASSWORD)

        def configure(program):
            self.configure(relay, smtp_sasl_password_maps="exec:" + self.program(program), smtp_connection_reuse_count_limit=1)

        def send(total, expected):
            self.sendmail("you@example.net")
            relay.wait_messages(total)
            self.wait_queue_empty()
            self.assertEqual(os.path.getsize(runs) // 2, expected)

        configure(answer + "echo expires=60\n")
        self.start_outpostd()
        send(1, 1)
        send(2, 1)
        configure(answer)
        send(3, 2)
        send(4, 3)

    def test_exec_that_hangs_with_who_asks(self):
        """Nobody is left to look at sasl_exec_timeout: the agent does."""
        relay = self.start_relay()
        self.configure(relay, smtp_sasl_password_maps="exec:" + self.program("kill -STOP $PPID\nsleep 0\n"), sasl_exec_timeout="1s")
        self.start_outpostd()
        self.sendmail("you@example.net")
        self.wait_log("no credential came within 12 seconds", timeout=40)
        harness.wait_for("all of them to go", lambda: not harness.children(self.outpostd_service.pid))

    def test_exec_fails(self):
        relay = self.start_relay()
        path = self.program("echo no key in the ring >&2\nexit 2\n")
        self.configure(relay, smtp_sasl_password_maps="exec:" + path, minimal_backoff_time="1s", maximal_backoff_time="1s")
        self.start_outpostd()
        self.sendmail("you@example.net")
        self.wait_log("no key in the ring")
        self.wait_log("failed with status 2")
        self.program("test $1 = localhost || exit 1\necho %s:%s\n" % (harness.USER, harness.PASSWORD))
        self.outpost("flush")
        relay.wait_messages(1)

    def test_exec_knows_nothing(self):
        relay = self.start_relay()
        self.configure(relay, smtp_sasl_password_maps="exec:" + self.program("exit 1\n"))
        self.start_outpostd()
        self.sendmail("you@example.net")
        self.wait_log(r"keys tried: localhost, \[localhost\]:%d" % relay.starttls)

    def test_service_credential(self):
        relay = self.start_relay()
        given = os.path.join(self.tmp, "given")
        os.mkdir(given, 0o700)
        with open(os.path.join(given, "sasl_passwd"), "w") as f:
            os.fchmod(f.fileno(), 0o400)
            f.write("[localhost]:%d %s:%s\n" % (relay.starttls, harness.USER, harness.PASSWORD))
        self.configure(relay)
        os.unlink(os.path.join(self.conf, "sasl_passwd"))
        self.start_outpostd(env={"CREDENTIALS_DIRECTORY": given})
        self.sendmail("you@example.net")
        relay.wait_messages(1)

    def test_check(self):
        self.answer("/token", token(1))
        self.relay("XOAUTH2", "access-1")
        done = self.outpost("check", code=None)
        self.assertIn("XOAUTH2", done.out)
        self.assertNotIn("access-1", done.out + done.err)


if __name__ == "__main__":
    harness.main()
