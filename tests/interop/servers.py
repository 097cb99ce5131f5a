"""servers.py: real mail servers as relays, from Debian's packages, without installing them.

A set of packages, with all that they depend on, is fetched by apt-get into a private directory below the
build directory, unpacked there (cached from run to run) and run in a chroot on free ports of loopback. The
machine's own packages, configuration and mail system are neither used nor changed. Each server keeps what
it writes in a directory of its own inside that root (/work/ID), which goes when the test ends.

Needs root (for chroot), and a Debian whose packages can be fetched; otherwise a test is skipped, with the
reason.
"""
import fcntl
import glob
import os
import re
import shutil
import subprocess
import tempfile
import unittest

import harness

PLACE = os.path.join(harness.BUILD, "tests", "servers")
POSTFIX = ("postfix", "dovecot-core", "dovecot-submissiond")
EXIM = ("exim4-daemon-light",)

# Users that the packages' own scripts would make. All of them exist inside the root alone.
PASSWD = """\
root:x:0:0:root:/:/bin/false
daemon:x:1:1::/:/bin/false
mail:x:8:8::/:/bin/false
nobody:x:65534:65534::/:/bin/false
postfix:x:20001:20001::/:/bin/false
dovecot:x:20003:20003::/:/bin/false
dovenull:x:20004:20004::/:/bin/false
Debian-exim:x:20005:20005::/:/bin/false
vmail:x:20006:20006::/:/bin/false
"""
GROUP = """\
root:x:0:
daemon:x:1:
mail:x:8:
nogroup:x:65534:
postfix:x:20001:
postdrop:x:20002:
dovecot:x:20003:
dovenull:x:20004:
Debian-exim:x:20005:
vmail:x:20006:
"""


def _fetch(packages, into, *options):
    """apt-get's own resolver against an empty status: the packages and everything below them."""
    os.makedirs(os.path.join(into, "partial"), exist_ok=True)
    argv = ["apt-get", *options, "-o", "Dir::Cache::archives=" + into, "-o", "Debug::NoLocking=1",
            "-o", "APT::Sandbox::User=root", "--no-install-recommends", "-y", "-d", "-qq", "install", *packages]
    return subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          env=dict(os.environ, DEBIAN_FRONTEND="noninteractive", LC_ALL="C"), timeout=300)


def _unknown(said):
    """The packages that apt-get says it does not have."""
    return set(re.findall(r"Unable to locate package (\S+)", said) + re.findall(r"Package '?([^\s']+)'? has no installation candidate", said))


def _fetch_known(packages, into, *options):
    """Fetches those that this Debian has: what apt-get said in the end, whether all went well, and those that it hasn't."""
    missing = set()
    while True:
        done = _fetch([p for p in packages if p not in missing], into, *options)
        said = done.stdout.decode("utf-8", "replace").strip()
        new = _unknown(said) & set(packages) - missing
        if done.returncode == 0 or not new or missing | new == set(packages):
            return done.returncode == 0, said, missing
        missing |= new


def missing(root):
    """The packages of this root that this Debian does not have."""
    with open(os.path.join(root, ".missing")) as f:
        return f.read().split()


def _unpack(debs, root):
    for deb in debs:
        tar = subprocess.Popen(["dpkg-deb", "--fsys-tarfile", deb], stdout=subprocess.PIPE)
        subprocess.run(["tar", "-x", "-C", root, "--no-same-owner", "--keep-directory-symlink",
                        "--exclude=./usr/share/doc", "--exclude=./usr/share/man", "--exclude=./usr/share/locale"],
                       stdin=tar.stdout, check=True)
        tar.stdout.close()
        if tar.wait() != 0:
            raise RuntimeError("dpkg-deb failed on " + deb)


def _furnish(root):
    """What a chroot needs beside its packages."""
    for name in ("dev", "tmp", "run", "work", "var/lib", "var/spool", "etc"):
        os.makedirs(os.path.join(root, name), exist_ok=True)
    os.chmod(os.path.join(root, "tmp"), 0o1777)
    for name, minor in (("null", 3), ("zero", 5), ("random", 8), ("urandom", 9)):
        path = os.path.join(root, "dev", name)
        if not os.path.exists(path):
            os.mknod(path, 0o020666, os.makedev(1, minor))
            os.chmod(path, 0o666)
    for name, text in (("passwd", PASSWD), ("group", GROUP), ("hosts", "127.0.0.1 localhost relay.test\n"),
                       ("nsswitch.conf", "passwd: files\ngroup: files\nhosts: files dns\nservices: files\n"),
                       ("resolv.conf", "nameserver 127.0.0.1\noptions timeout:1 attempts:1\n")):
        with open(os.path.join(root, "etc", name), "w") as f:
            f.write(text)
    subprocess.run(["ldconfig", "-r", root], stdin=subprocess.DEVNULL, check=False)


def root_with(name, packages):
    """The path of a root with those of these packages that this Debian has; made once per build directory. SkipTest where it
    can't be. A test that wants a certain one asks missing()."""
    if os.geteuid() != 0:
        raise unittest.SkipTest("needs root, to chroot")
    if not shutil.which("apt-get") or not shutil.which("dpkg-deb"):
        raise unittest.SkipTest("needs apt-get and dpkg-deb, to unpack " + " ".join(packages))
    root = os.path.join(PLACE, name)
    os.makedirs(PLACE, exist_ok=True)
    with open(os.path.join(PLACE, name + ".lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if _is_ready(root, packages):
            return root
        cache, status = os.path.join(PLACE, name + ".packages"), os.path.join(PLACE, "status")
        open(status, "w").close()
        fetched, said, lacking = _fetch_known(packages, cache, "-o", "Dir::State::status=" + status)
        if not fetched or lacking:
            subprocess.run(["apt-get", "update", "-qq"], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                           stderr=subprocess.DEVNULL, timeout=300)
            fetched, said, lacking = _fetch_known(packages, cache, "-o", "Dir::State::status=" + status)
        if not fetched:
            raise unittest.SkipTest("can't fetch %s: %s" % (" ".join(packages), said[-200:]))
        shutil.rmtree(root, ignore_errors=True)
        os.makedirs(os.path.join(root, "usr"))
        for d in ("bin", "sbin", "lib", "lib64"):
            os.makedirs(os.path.join(root, "usr", d))
            os.symlink("usr/" + d, os.path.join(root, d))
        _unpack(sorted(glob.glob(os.path.join(cache, "*.deb"))), root)
        _furnish(root)
        shutil.rmtree(cache)
        with open(os.path.join(root, ".missing"), "w") as f:
            f.write(" ".join(sorted(lacking)))
        with open(os.path.join(root, ".ready"), "w") as f:
            f.write(" ".join(packages))
    return root


def _is_ready(root, packages):
    """One that was made for other packages is made anew."""
    try:
        with open(os.path.join(root, ".ready")) as f:
            return f.read() == " ".join(packages) and os.path.exists(os.path.join(root, ".missing"))
    except FileNotFoundError:
        return False


class Server:
    """A server inside a root. self.work is its directory as seen from inside, self.out from outside."""
    packages = ()
    root_name = ""

    def __init__(self, test):
        self.test = test
        self.root = root_with(self.root_name, self.packages)
        self.out = tempfile.mkdtemp(prefix="t.", dir=os.path.join(self.root, "work"))
        os.chmod(self.out, 0o755)
        self.work = self.out[len(self.root):]
        test.addCleanup(shutil.rmtree, self.out, True)
        for name in ("server.pem", "server.key", "ca.pem"):
            shutil.copyfile(os.path.join(harness.certificates(), name), os.path.join(self.out, name))
        os.chmod(os.path.join(self.out, "server.key"), 0o600)
        self.starttls, self.tls = harness.free_port(), harness.free_port()

    def write(self, name, text, mode=0o644):
        path = os.path.join(self.out, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w") as f:
            f.write(text)
        os.chmod(path, mode)
        return os.path.join(self.work, name)

    def mkdir(self, name, uid=0, gid=0, mode=0o755):
        path = os.path.join(self.out, name)
        os.makedirs(path, exist_ok=True)
        os.chown(path, uid, gid)
        os.chmod(path, mode)
        return os.path.join(self.work, name)

    def start(self, label, *argv):
        return self.test.start("/usr/sbin/chroot", self.root, *argv, log=os.path.join(self.test.tmp, label + ".log"))

    def log_file(self, name):
        """The server's own log is printed with the others when the test fails."""
        path = os.path.join(self.test.tmp, name)
        self.test.addCleanup(lambda: os.path.exists(os.path.join(self.out, name)) and
                             shutil.copyfile(os.path.join(self.out, name), path))
        return os.path.join(self.work, name)

    def wait_ports(self, *ports):
        for port in ports:
            harness.wait_for("port %d" % port, lambda p=port: _listening(p), 20)


def _listening(port):
    """Whether somebody listens on this port; looked up, since a connection would count as one at the server."""
    for name in ("tcp", "tcp6"):
        try:
            with open("/proc/net/" + name) as f:
                if re.search(r"^ *\d+: [0-9A-F]+:%04X [0-9A-F:]+ 0A " % port, f.read(), re.M):
                    return True
        except OSError:
            pass
    return False


class Delivered:
    """One delivered copy: for one recipient."""

    def __init__(self, path):
        self.path = path
        with open(path, "rb") as f:
            self.raw = f.read().replace(b"\r\n", b"\n")
        self.header, _, self.body = self.raw.partition(b"\n\n")

    def field(self, name):
        found = re.search(rb"^%s:[ \t]*(.*)$" % re.escape(name.encode()), self.header, re.M | re.I)
        return found.group(1).decode("utf-8", "replace").strip() if found else None

    @property
    def sender(self):
        return (self.field("Return-Path") or "").strip("<>")

    @property
    def recipient(self):
        return (self.field("X-Original-To") or self.field("Envelope-To") or self.field("Delivered-To") or "").strip("<>")


class Dovecot(Server):
    """Dovecot's authentication service (and its submission server, with submission_to=port of a relay)."""
    packages, root_name = POSTFIX, "postfix"

    VERSION_2_3 = """\
ssl_cert = <{w}/server.pem
ssl_key = <{w}/server.key
ssl_dh =
mail_location = maildir:{w}/home/mail
passdb {{
  driver = passwd-file
  args = scheme=PLAIN username_format=%u {w}/users
}}
userdb {{
  driver = static
  args = uid=20006 gid=20006 home={w}/home
}}
"""
    # The two versions have to be the first lines.
    VERSION_2_4 = """\
dovecot_config_version = 2.4.0
dovecot_storage_version = 2.4.0
ssl_server_cert_file = {w}/server.pem
ssl_server_key_file = {w}/server.key
mail_driver = maildir
mail_path = {w}/home/mail
auth_username_format = %{{user}}
passdb passwd-file {{
  passwd_file_path = {w}/users
  default_password_scheme = PLAIN
}}
userdb static {{
  fields {{
    uid = 20006
    gid = 20006
    home = {w}/home
  }}
}}
"""

    def is_2_4(self):
        """Whether its configuration is that of Dovecot 2.4 (Debian 13), another language than 2.3's."""
        done = subprocess.run(["/usr/sbin/chroot", self.root, "/usr/sbin/dovecot", "--version"], stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False, timeout=30 * harness.PATIENCE)
        return [int(n) for n in re.findall(rb"\d+", done.stdout)[:2]] >= [2, 4]

    def __init__(self, test, users=None, submission_to=None):
        super().__init__(test)
        users = users or {harness.USER: harness.PASSWORD}
        self.write("users", "".join("%s:{PLAIN}%s::::::\n" % kv for kv in users.items()), 0o644)
        for name, uid in (("run", 0), ("state", 0), ("home", 20006)):
            self.mkdir(name, uid, uid)
        self.auth = os.path.join(self.work, "auth")
        new = self.is_2_4()
        submission = "" if submission_to is None else """
protocols = submission
submission_relay_host = 127.0.0.1
submission_relay_port = %(to)d
submission_relay_trusted = yes
service submission-login {
  chroot =
  inet_listener submission {
    %(listen)s = 127.0.0.1
    port = %(starttls)d
  }
  inet_listener submissions {
    %(listen)s = 127.0.0.1
    port = %(tls)d
    ssl = yes
  }
}
service submission {
  chroot =
}
""" % {"to": submission_to, "starttls": self.starttls, "tls": self.tls, "listen": "listen" if new else "address"}
        conf = self.write("dovecot.conf", (self.VERSION_2_4 if new else self.VERSION_2_3).format(w=self.work) + """\
base_dir = {w}/run
state_dir = {w}/state
log_path = {log}
auth_verbose = yes
auth_mechanisms = plain login cram-md5 scram-sha-1 scram-sha-256
auth_failure_delay = 0
ssl = {ssl}
first_valid_uid = 0
service auth {{
  chroot =
  unix_listener {w}/auth {{
    mode = 0666
  }}
}}
service anvil {{
  chroot =
}}
service stats {{
  chroot =
}}
{protocols}
""".format(w=self.work, log=self.log_file("dovecot.log"), ssl="no" if submission_to is None else "required",
                   protocols=submission or "protocols =\n"))
        self.service = self.start("dovecot-start", "/usr/sbin/dovecot", "-F", "-c", conf)
        outside = os.path.join(self.out, "auth")
        harness.wait_for("Dovecot's socket", lambda: os.path.exists(outside) or not self.service.alive(), 20)
        test.assertTrue(self.service.alive(), "Dovecot ended at once")
        if submission_to is not None:
            self.wait_ports(self.starttls, self.tls)


class Postfix(Server):
    """Postfix as a submission relay on .starttls and .tls, SASL by Dovecot; it delivers every address of the
    world into one maildir, which is read back by delivered()."""
    packages, root_name = POSTFIX, "postfix"

    MASTER = """\
127.0.0.1:{starttls} inet n - n - - smtpd
127.0.0.1:{tls} inet n - n - - smtpd -o smtpd_tls_wrappermode=yes
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
smtp unix - - n - - smtp
relay unix - - n - - smtp
showq unix n - n - - showq
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
local unix - n n - - local
virtual unix - n n - - virtual
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
"""
    PLACES = """\
compatibility_level = 3.6
maillog_file = {log}
maillog_file_prefixes = {w}
queue_directory = {w}/spool
data_directory = {w}/data
command_directory = /usr/sbin
daemon_directory = /usr/lib/postfix/sbin
shlib_directory = /usr/lib/postfix
"""
    MAIN = PLACES + """\
myhostname = relay.test
mydestination =
mynetworks =
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
alias_maps =
alias_database =
smtpd_peername_lookup = no
smtpd_relay_restrictions = permit_sasl_authenticated, reject
smtpd_sasl_auth_enable = yes
smtpd_sasl_type = dovecot
smtpd_sasl_path = {auth}
smtpd_sasl_security_options = noanonymous
smtpd_tls_security_level = encrypt
smtpd_tls_auth_only = yes
smtpd_tls_cert_file = {w}/server.pem
smtpd_tls_key_file = {w}/server.key
smtpd_client_connection_count_limit = 0
message_size_limit = 104857600
virtual_mailbox_limit = 0
mailbox_size_limit = 0
virtual_mailbox_domains = static:all
virtual_mailbox_maps = static:maildir/
virtual_mailbox_base = {w}/mail
virtual_uid_maps = static:20006
virtual_gid_maps = static:20006
virtual_transport = virtual
strict_smtputf8 = no
"""

    def __init__(self, test, auth=None, extra="", users=None, plain=None):
        super().__init__(test)
        self.auth = auth or Dovecot(test, users)
        self.make_spool()
        self.mkdir("mail", 20006, 20006)
        values = {"w": self.work, "auth": self.auth.auth, "starttls": self.starttls, "tls": self.tls,
                  "log": self.log_file("postfix.log")}
        self.write("etc/main.cf", self.MAIN.format(**values) + extra)
        master = self.MASTER.format(**values)
        if plain:       # a port without TLS and login, for a server in front of this one
            master += ("127.0.0.1:%d inet n - n - - smtpd -o smtpd_tls_security_level=none "
                       "-o smtpd_relay_restrictions=permit_mynetworks,reject\n" % plain)
        self.write("etc/master.cf", master)
        self.start_master()
        self.wait_ports(self.starttls, self.tls)

    def make_spool(self):
        self.mkdir("spool")
        for name in ("incoming", "active", "deferred", "bounce", "defer", "trace", "corrupt", "hold", "flush", "saved",
                     "private"):
            self.mkdir(os.path.join("spool", name), 20001, 0, 0o700)
        self.mkdir("spool/maildrop", 20001, 20002, 0o1730)
        self.mkdir("spool/public", 20001, 20002, 0o2710)
        self.mkdir("spool/pid")
        self.mkdir("data", 20001, 20001, 0o700)

    def start_master(self):
        dynamic = os.path.join(self.root, "etc/postfix/dynamicmaps.cf")
        if not os.path.exists(dynamic):
            open(dynamic, "w").close()
        self.service = self.start("postfix-start", "/usr/lib/postfix/sbin/master", "-c", self.work + "/etc", "-d")

    def delivered(self):
        return [Delivered(p) for p in sorted(glob.glob(os.path.join(self.out, "mail/maildir/new/*")))]

    def wait_delivered(self, n, timeout=30):
        harness.wait_for("%d delivered copies" % n,
                         lambda: len(glob.glob(os.path.join(self.out, "mail/maildir/new/*"))) >= n, timeout)
        found = self.delivered()
        self.test.assertEqual(len(found), n, "delivered copies")
        return found

    def log_text(self):
        try:
            with open(os.path.join(self.out, "postfix.log")) as f:
                return f.read()
        except FileNotFoundError:
            return ""


class PostfixSender(Postfix):
    """Postfix with its own sendmail, as somebody has it who sends all mail to a relay: a port of loopback, in clear. files: name
    and text of what stands beside main.cf; "@D" in params is their directory."""

    MAIN = Postfix.PLACES + """\
mail_owner = postfix
setgid_group = postdrop
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
disable_dns_lookups = yes
alias_maps =
alias_database =
smtp_tls_security_level = none
relayhost = [127.0.0.1]:{port}
"""

    def __init__(self, test, port, files, params):   # pylint: disable=super-init-not-called
        Server.__init__(self, test)
        self.make_spool()
        for name, text in files.items():
            self.write("etc/" + name, text)
        lines = "".join("%s = %s\n" % (k, v.replace("@D", self.work + "/etc")) for k, v in params.items())
        self.write("etc/main.cf", self.MAIN.format(w=self.work, port=port, log=self.log_file("postfix.log")) + lines)
        self.write("etc/master.cf", self.MASTER.split("\n", 2)[2])      # without the two ports
        self.start_master()
        pickup = os.path.join(self.out, "spool/public/pickup")
        harness.wait_for("Postfix's pickup", lambda: os.path.exists(pickup), 20)

    def sendmail(self, *args, input):
        return subprocess.run(["/usr/sbin/chroot", self.root, "/usr/sbin/sendmail", "-C", self.work + "/etc", *args],
                              input=input, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=30 * harness.PATIENCE,
                              env=self.test.environ({"TMPDIR": None}), check=False)


class DovecotSubmission(Server):
    """Dovecot's submission server; what it takes it hands at once to a Postfix behind it."""
    packages, root_name = POSTFIX, "postfix"

    def __init__(self, test, extra=""):
        super().__init__(test)
        self.front = None
        port = harness.free_port()
        self.behind = Postfix(test, extra="mynetworks = 127.0.0.0/8\n" + extra, plain=port)
        self.front = Dovecot(test, submission_to=port)
        self.starttls, self.tls = self.front.starttls, self.front.tls

    def delivered(self):
        return self.behind.delivered()

    def wait_delivered(self, n, timeout=30):
        return self.behind.wait_delivered(n, timeout)


class Maildir(Server):
    """A server that keeps one file for each recipient in mail/maildir/new."""

    def place(self):
        return os.path.join(self.out, "mail/maildir/new")

    def delivered(self):
        return [Delivered(p) for p in sorted(glob.glob(self.place() + "/*"))]

    def wait_delivered(self, n, timeout=30):
        harness.wait_for("%d delivered copies" % n, lambda: len(glob.glob(self.place() + "/*")) >= n, timeout)
        found = self.delivered()
        self.test.assertEqual(len(found), n, "delivered copies")
        return found


class Exim(Maildir):
    """Exim as a submission relay on .starttls and .tls, its limits as Debian ships them."""
    packages, root_name = EXIM, "exim"

    CONFIG = """\
primary_hostname = relay.test
spool_directory = {w}/spool
log_file_path = {w}/log/%slog
pid_file_path = {w}/exim.pid
local_interfaces = 127.0.0.1
daemon_smtp_ports = {starttls} : {tls}
tls_on_connect_ports = {tls}
tls_advertise_hosts = *
tls_certificate = {w}/server.pem
tls_privatekey = {w}/server.key
auth_advertise_hosts = ${{if eq{{$tls_in_cipher}}{{}}{{}}{{*}}}}
rfc1413_hosts =
host_lookup =
smtputf8_advertise_hosts =
accept_8bitmime = true
keep_environment =
message_size_limit = 100M
never_users =
acl_smtp_rcpt = check
acl_smtp_data = accept
begin acl
check:
  deny recipients = refused@example.net
       message = no such user here
  accept authenticated = *
  deny message = log in first
begin routers
everything:
  driver = accept
  transport = keep
begin transports
keep:
  driver = appendfile
  directory = {w}/mail/maildir
  maildir_format
  create_directory
  envelope_to_add
  return_path_add
  user = vmail
  group = vmail
begin retry
* * F,1h,1m
begin authenticators
plain:
  driver = plaintext
  public_name = PLAIN
  server_prompts = :
  server_condition = ${{if and{{{{eq{{$auth2}}{{{user}}}}}{{eq{{$auth3}}{{{password}}}}}}}}}
  server_set_id = $auth2
cram:
  driver = cram_md5
  public_name = CRAM-MD5
  server_secret = ${{if eq{{$auth1}}{{{user}}}{{{password}}}fail}}
  server_set_id = $auth1
"""

    def __init__(self, test):
        super().__init__(test)
        for name in ("spool", "log"):
            self.mkdir(name, 20005, 20005, 0o750)
        self.mkdir("mail", 20006, 20006)
        os.chown(os.path.join(self.out, "server.key"), 20005, 20005)
        config = os.path.join(self.root, "etc/exim4/exim4.conf")
        with open(config, "w") as f:
            f.write(self.CONFIG.format(w=self.work, starttls=self.starttls, tls=self.tls, user=harness.USER,
                                       password=harness.PASSWORD))
        os.chmod(config, 0o644)
        self.log_file("log/mainlog")
        self.service = self.start("exim-start", "/usr/sbin/exim4", "-bdf", "-q1s")
        self.wait_ports(self.starttls, self.tls)

    def log_file(self, name):
        path = os.path.join(self.test.tmp, "exim.log")
        self.test.addCleanup(lambda: os.path.exists(os.path.join(self.out, name)) and
                             shutil.copyfile(os.path.join(self.out, name), path))


class Script(Maildir):
    """A server written with a library, run by an interpreter of this machine: no chroot."""

    def __init__(self, test):   # pylint: disable=super-init-not-called
        self.test, self.root = test, "/"
        self.out = tempfile.mkdtemp(prefix="server.", dir=test.tmp)
        self.work = self.out
        os.makedirs(self.place())
        self.starttls, self.tls = harness.free_port(), harness.free_port()

    def run(self, argv, **env):
        place = harness.certificates()
        env.update(PORT_STARTTLS=str(self.starttls), PORT_TLS=str(self.tls), MAILDIR=self.place(), USER=harness.USER,
                   PASSWORD=harness.PASSWORD, CERT=os.path.join(place, "server.pem"),
                   KEY=os.path.join(place, "server.key"))
        self.service = self.test.start(*argv, env=env, log=os.path.join(self.test.tmp, "server.log"))
        self.wait_ports(self.starttls, self.tls)


class Aiosmtpd(Script):
    def __init__(self, test):
        super().__init__(test)
        place = os.path.join(PLACE, "aiosmtpd")
        os.makedirs(PLACE, exist_ok=True)
        with open(place + ".lock", "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not os.path.exists(os.path.join(place, ".ready")):
                self.make(place)
        self.run(["/usr/bin/python3", "-B", os.path.join(harness.SRC, "tests/interop/aiosmtpd_server.py")],
                 PYTHONPATH=os.path.join(place, "usr/lib/python3/dist-packages"))

    def make(self, place):
        cache = place + ".packages"
        os.makedirs(cache, exist_ok=True)
        done = subprocess.run(["apt-get", "download", "-qq", "python3-aiosmtpd", "python3-public", "python3-attr"],
                              cwd=cache, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              timeout=300)
        if done.returncode != 0:
            self.test.skipTest("can't fetch python3-aiosmtpd: " + done.stdout.decode("utf-8", "replace").strip()[-200:])
        os.makedirs(place, exist_ok=True)
        _unpack(sorted(glob.glob(cache + "/*.deb")), place)
        shutil.rmtree(cache)
        open(os.path.join(place, ".ready"), "w").close()


_NOT_TO_BE_HAD = {}     # a registry that can't be reached costs minutes: not for each test


def node_modules(test, name, version):
    """A node_modules folder with this package; made once per build directory. SkipTest where it can't be."""
    if not shutil.which("node") or not shutil.which("npm"):
        test.skipTest("needs node and npm, for " + version)
    if version in _NOT_TO_BE_HAD:
        test.skipTest(_NOT_TO_BE_HAD[version])
    place = os.path.join(PLACE, "node" if name == "smtp-server" else "node-" + name)
    os.makedirs(place, exist_ok=True)
    with open(place + ".lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not os.path.isdir(os.path.join(place, "node_modules", name)):
            done = subprocess.run(["npm", "install", "--prefix", place, "--no-audit", "--no-fund", "--ignore-scripts",
                                   "--cache", os.path.join(place, "cache"), version],
                                  stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=180)
            if done.returncode != 0:
                _NOT_TO_BE_HAD[version] = "can't fetch %s: %s" % (version, done.stdout.decode("utf-8", "replace").strip()[-200:])
                test.skipTest(_NOT_TO_BE_HAD[version])
    return os.path.join(place, "node_modules")


class SmtpServer(Script):
    """nodemailer's smtp-server."""
    version = "smtp-server@3.13.4"

    def __init__(self, test):
        super().__init__(test)
        self.run([shutil.which("node"), os.path.join(harness.SRC, "tests/interop/smtp_server.js")],
                 NODE_PATH=node_modules(test, "smtp-server", self.version))
