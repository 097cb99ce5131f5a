"""peers.py: outpost and the other programs that do its work, each behind the same few verbs, for side-by-side runs.

Postfix, Exim, nullmailer and dma come from Debian's packages, unpacked into private roots below the build
directory (tests/interop/servers.py); they relay to the project's relay over verified TLS with AUTH.

    peer.up(port)       configured for the relay at this STARTTLS port, daemons running
    peer.hold(True)     accepts, but delivers nothing; hold(False) and flush() let it go
    peer.command        the command that submits; peer.root the root it is started in (None: this one)
"""
import glob
import json
import os
import shutil
import signal
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "..", "system"), os.path.join(HERE, "..", "interop")]
import harness  # noqa: E402  pylint: disable=wrong-import-position
import servers  # noqa: E402  pylint: disable=wrong-import-position

RECIPIENT = "user@dest.example.net"
HOSTS = "127.0.0.1 localhost relay.test\n127.0.0.2 client.example.com\n"


def spawn(peer, n, at_once, size=2048):
    """tests/bench/spawn: n submissions, so many at once."""
    argv = [harness.program("spawn"), "-n", str(n), "-p", str(at_once), "-s", str(size)]
    if peer.root:
        argv += ["-r", peer.root]
    argv += ["--", *peer.command]
    done = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL,
                          env=peer.test.environ(), timeout=600)
    try:
        return json.loads(done.stdout)
    except ValueError:
        raise AssertionError("%s: %s" % (peer.name, done.stderr.decode("utf-8", "replace"))) from None


class Outpost:
    name, root = "outpost", None

    def __init__(self, test):
        self.test = test
        self.command = [harness.program("sendmail"), "-C", test.conf, "-i", RECIPIENT]
        self.service = None

    def up(self, port, env=None, **params):
        class At:
            starttls = port
        self.test.configure(At, **params)
        self.service = self.test.start_outpostd(env=env)

    def hold(self, on):
        self.command[3:] = (["-odq"] if on else []) + ["-i", RECIPIENT]

    def flush(self):
        return self.test.start(harness.program("outpost"), "-C", self.test.conf, "flush",
                               log=os.path.join(self.test.tmp, "flush.log"))

    def stop(self):
        if self.service:
            self.service.stop()


class Drop(Outpost):
    """outpost without its daemon: the drop."""
    name = "outpost, drop"

    def up(self, port, **params):
        class At:
            starttls = port
        self.test.configure(At, **params)
        self.hold(True)

    def hold(self, on):
        super().hold(True)


class Yardstick:
    name, root = "yardstick", None

    def __init__(self, test, place=None):
        self.test = test
        place = os.path.join(place or test.tmp, "yardstick")
        os.makedirs(place, exist_ok=True)
        self.command = [harness.program("yardstick"), place]

    def up(self, port):
        pass

    def stop(self):
        pass


class Chrooted(servers.Server):
    """A peer in a root of its own. One at a time for each: its spool is where its package has it."""

    def __init__(self, test):
        super().__init__(test)
        with open(os.path.join(self.root, "etc/hosts"), "w") as f:
            f.write(HOSTS)
        self.services = []
        shutil.copyfile(os.path.join(harness.certificates(), "ca.pem"), os.path.join(self.root, "etc/relay-ca.pem"))
        self.command = ["/usr/sbin/sendmail", "-i", RECIPIENT]

    def put(self, path, text, mode=0o644, uid=0, gid=0):
        path = os.path.join(self.root, path)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w") as f:
            f.write(text)
        os.chmod(path, mode)
        os.chown(path, uid, gid)

    def make(self, path, uid=0, gid=0, mode=0o755):
        path = os.path.join(self.root, path)
        os.makedirs(path, exist_ok=True)
        os.chown(path, uid, gid)
        os.chmod(path, mode)

    def empty(self, *patterns):
        for pattern in patterns:
            for path in glob.glob(os.path.join(self.root, pattern), recursive=True):
                if os.path.isfile(path):
                    os.unlink(path)

    def run(self, *argv):
        return subprocess.run(["/usr/sbin/chroot", self.root, *argv], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, env=self.test.environ(), timeout=600)

    def daemon(self, label, *argv):
        service = self.start(label, *argv)
        self.services.append(service)
        return service

    def hold(self, on):
        pass

    def stop(self):
        for service in self.services:
            for pid in harness.descendants(service.pid):
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass
            service.kill()
        self.services = []


class Postfix(Chrooted):
    """Postfix as its manual's smarthost; best=True: reused TLS connections and 20 of them."""
    name, packages, root_name = "Postfix", ("postfix", "libsasl2-modules"), "peer.postfix"

    MAIN = """\
compatibility_level = 3.6
myhostname = client.example.com
mydestination =
inet_interfaces = loopback-only
inet_protocols = ipv4
command_directory = /usr/sbin
daemon_directory = /usr/lib/postfix/sbin
shlib_directory = /usr/lib/postfix
relayhost = [relay.test]:%d
smtp_tls_security_level = secure
smtp_tls_CAfile = /etc/relay-ca.pem
smtp_sasl_auth_enable = yes
smtp_sasl_password_maps = texthash:/etc/postfix/sasl_passwd
smtp_sasl_security_options = noanonymous
smtp_host_lookup = native
message_size_limit = 104857600
mailbox_size_limit = 0
alias_maps =
alias_database =
"""
    BEST = """\
smtp_tls_connection_reuse = yes
smtp_tls_session_cache_database = btree:${data_directory}/smtp_scache
initial_destination_concurrency = 20
smtp_destination_concurrency_limit = 20
"""

    def __init__(self, test, best=False):
        super().__init__(test)
        self.best = best
        self.name = "Postfix, best settings" if best else "Postfix"

    def up(self, port):
        spool = "var/spool/postfix"
        for name in ("public", "private", "pid"):       # sockets of an earlier run look like services
            shutil.rmtree(os.path.join(self.root, spool, name), ignore_errors=True)
        self.empty("var/lib/postfix/*", "var/log/mail.log")
        self.make(spool)
        for name in ("incoming", "active", "deferred", "bounce", "defer", "trace", "corrupt", "hold", "flush", "saved",
                     "private"):
            self.make(os.path.join(spool, name), 20001, 0, 0o700)
        self.make(spool + "/maildrop", 20001, 20002, 0o1730)
        self.make(spool + "/public", 20001, 20002, 0o2710)
        self.make(spool + "/pid")
        self.make("var/lib/postfix", 20001, 20001, 0o700)
        self.make("var/log")
        for name in ("postdrop", "postqueue"):
            os.chown(os.path.join(self.root, "usr/sbin", name), 0, 20002)
            os.chmod(os.path.join(self.root, "usr/sbin", name), 0o2755)
        self.empty(*(spool + "/%s/**" % n for n in ("incoming", "active", "deferred", "defer", "bounce", "maildrop", "trace")))
        self.main = self.MAIN % port + (self.BEST if self.best else "")
        self.put("etc/postfix/main.cf", self.main)
        master = [line for line in servers.Postfix.MASTER.splitlines() if "inet" not in line]
        master.append("tlsproxy unix - - n - 0 tlsproxy")
        self.put("etc/postfix/master.cf", "\n".join(master) + "\n")
        self.put("etc/postfix/dynamicmaps.cf", "")
        self.put("etc/postfix/sasl_passwd", "[relay.test]:%d %s:%s\n" % (port, harness.USER, harness.PASSWORD), 0o600)
        service = self.daemon("postfix", "/usr/lib/postfix/sbin/master", "-d")
        harness.wait_for("Postfix", lambda: not service.alive() or
                         os.path.exists(os.path.join(self.root, spool, "public/pickup")))
        assert service.alive(), service.output()

    def hold(self, on):
        self.put("etc/postfix/main.cf", self.main + ("defer_transports = smtp\n" if on else ""))
        self.services[0].signal(signal.SIGHUP)
        time.sleep(1.2)         # there is no event to wait for: qmgr reads it when it starts anew

    def flush(self):
        self.run("/usr/sbin/postqueue", "-f")

    def count(self):
        return sum(len([f for f in glob.glob("%s/var/spool/postfix/%s/**" % (self.root, q), recursive=True)
                        if os.path.isfile(f)]) for q in ("deferred", "active", "incoming", "maildrop"))


class Exim(Chrooted):
    name, packages, root_name = "Exim", servers.EXIM, "peer.exim"

    CONFIG = """\
primary_hostname = client.example.com
local_interfaces = 127.0.0.1
domainlist local_domains =
keep_environment =
log_file_path = /var/log/exim4/%slog
{best}begin routers
smarthost:
  driver = manualroute
  domains = *
  transport = remote_smtp
  route_list = * relay.test::{port} byname
  self = send
begin transports
remote_smtp:
  driver = smtp
  hosts_require_auth = *
  hosts_require_tls = *
  tls_verify_certificates = /etc/relay-ca.pem
  tls_verify_hosts = *
  tls_verify_cert_hostnames = *
begin authenticators
plain:
  driver = plaintext
  public_name = PLAIN
  client_send = ^{user}^{password}
begin retry
* * F,2h,15m
"""

    def up(self, port):
        for name in ("var/spool/exim4", "var/log/exim4"):
            self.make(name, 20005, 20005, 0o750)
        self.empty("var/spool/exim4/**")
        self.put("etc/exim4/exim4.conf", self.CONFIG.format(port=port, user=harness.USER, password=harness.PASSWORD, best=""))
        self.put("etc/mailname", "client.example.com\n")
        os.chmod(os.path.join(self.root, "usr/sbin/exim4"), 0o4755)

    def hold(self, on):
        self.command[1:] = (["-odq"] if on else []) + ["-i", RECIPIENT]

    def flush(self):
        self.daemon("exim-flush", "/usr/sbin/exim4", "-qff")


class Nullmailer(Chrooted):
    name, packages, root_name = "nullmailer", ("nullmailer",), "peer.nullmailer"

    def up(self, port):
        for name in ("queue", "tmp", "failed"):
            self.make("var/spool/nullmailer/" + name, 8, 8, 0o700)
        self.make("var/spool/nullmailer", 8, 8, 0o700)
        self.empty("var/spool/nullmailer/queue/*", "var/spool/nullmailer/tmp/*", "var/spool/nullmailer/failed/*")
        self.put("etc/nullmailer/remotes", "relay.test smtp --port=%d --starttls --user=%s '--pass=%s' --x509cafile=/etc/relay-ca.pem\n" %
                 (port, harness.USER, harness.PASSWORD), 0o600, 8, 8)
        self.put("etc/nullmailer/me", "client.example.com\n")
        self.put("etc/mailname", "client.example.com\n")
        trigger = os.path.join(self.root, "var/spool/nullmailer/trigger")
        if not os.path.exists(trigger):
            os.mkfifo(trigger)
        os.chmod(trigger, 0o622)
        os.chown(trigger, 8, 8)
        for name in ("nullmailer-queue", "nullmailer-send"):
            os.chown(os.path.join(self.root, "usr/sbin", name), 8, 8)
            os.chmod(os.path.join(self.root, "usr/sbin", name), 0o4755)

    def hold(self, on):
        if on:
            self.stop()

    def flush(self):
        # It wants to be who its package makes it; setuid on the program does what its starter would.
        self.daemon("nullmailer", "/usr/sbin/nullmailer-send")


class Dma(Chrooted):
    name, packages, root_name = "dma", ("dma",), "peer.dma"

    def up(self, port):
        self.make("var/spool/dma", 0, 8, 0o2775)
        self.empty("var/spool/dma/*")
        text = subprocess.run(["openssl", "x509", "-in", os.path.join(harness.certificates(), "server.pem"), "-noout",
                               "-fingerprint", "-sha256"], stdout=subprocess.PIPE, check=True).stdout.decode()
        self.conf = ("SMARTHOST relay.test\nPORT %d\nAUTHPATH /etc/dma/auth.conf\nSECURETRANSFER\nSTARTTLS\nFINGERPRINT %s\n"
                     "MAILNAME /etc/mailname\nNULLCLIENT\n" % (port, text.split("=")[1].strip().replace(":", "")))
        self.put("etc/mailname", "client.example.com\n")
        self.put("etc/dma/auth.conf", "%s|relay.test:%s\n" % (harness.USER, harness.PASSWORD), 0o640, 0, 8)
        self.hold(False)
        binary = os.path.join(self.root, "usr/sbin/dma")
        os.chown(binary, 0, 8)
        os.chmod(binary, 0o2755)
        self.command[0] = "/usr/sbin/dma"

    def hold(self, on):
        self.put("etc/dma/dma.conf", self.conf + ("DEFER\n" if on else ""), 0o640, 0, 8)

    def flush(self):
        self.daemon("dma", "/usr/sbin/dma", "-q")


PEERS = (Postfix, Exim, Nullmailer, Dma)
