"""As a container runs it: any uid, no privileges to gain, a read-only root file system; outpostd as the first process, or no
daemon at all. (packaging/container/Dockerfile; docs/containers.md.)"""
import os
import re
import shutil
import subprocess

import harness

UID, GUEST = 54321, 54322
INSIDE = """
mount --make-rprivate / && mount --bind "$PLACE" "$PLACE" && mount -o remount,bind,ro / || exit 77
exec setpriv --reuid %d --regid %d --clear-groups --no-new-privs --inh-caps=-all --bounding-set=-all "$@"
""" % (UID, UID)

# /run holds the program and the door, and what else there is of this test is out of sight.
ALONE = """
mount --make-rprivate / && mount -t tmpfs -o mode=755 tmpfs /run && mkdir /run/outpost && cp "$1" /run/sendmail && : >/run/outpost/door &&
mount --bind "$2" /run/outpost/door && mount -t tmpfs tmpfs "$3" && mount -o remount,ro /run || exit 77
exec setpriv --reuid %d --regid %d --clear-groups --no-new-privs --inh-caps=-all --bounding-set=-all /run/sendmail you@example.net
""" % (GUEST, GUEST)


def make_variable(name):
    with open(os.path.join(harness.BUILD, "Makefile")) as f:
        return re.search(r"(?m)^%s = (.*)$" % name, f.read()).group(1)


class Container(harness.SystemTest):
    needs = ("sendmail", "outpostd", "outpost", "outpost-smtp", "relay")

    def setUp(self):
        super().setUp()
        if os.geteuid() != 0:
            self.skipTest("needs root, to make a mount namespace")
        if not shutil.which("setpriv") or not shutil.which("unshare"):
            self.skipTest("needs setpriv and unshare")
        made = subprocess.run(["unshare", "--mount", "true"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        if made.returncode:         # in a chroot whose root is no mount, for one
            self.skipTest("no mount namespace: " + made.stdout.decode().strip())
        self.relay = self.start_relay()
        self.volume = os.path.join(self.tmp, "volume")
        os.mkdir(self.volume)
        os.chmod(self.volume, 0o1777)
        self.queue_dir = os.path.join(self.volume, "queue")
        self.log = os.path.join(self.volume, "log")
        # Beside the queue, which is its owner's alone: others are to reach it.
        self.door = os.path.join(self.volume, "door")
        self.configure(self.relay, door_socket=self.door)
        os.chown(os.path.join(self.conf, "sasl_passwd"), UID, UID)
        if self.boxed("/bin/true", code=None).returncode == 77:
            self.skipTest("can't make the root read-only in a mount namespace here")

    def command(self, *argv):
        return ["unshare", "--mount", "/bin/sh", "-c", INSIDE, "sh", *argv]

    def boxed(self, *argv, code=0, input=b""):
        done = subprocess.run(self.command(*argv), input=input, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60 * harness.PATIENCE,
                              env=self.environ({"MAIL_CONFIG": self.conf, "PLACE": self.tmp}))
        done.out = done.stdout.decode("utf-8", "replace")
        if code is not None:
            self.assertEqual(done.returncode, code, done.out)
        return done

    def start_first(self):
        service = self.start(*self.command(harness.program("outpostd"), "-f"), log=os.path.join(self.tmp, "first.log"),
                             env={"MAIL_CONFIG": self.conf, "PLACE": self.tmp})
        harness.wait_for("the door", lambda: self.door_answers(self.door) or not service.alive())
        self.assertTrue(service.alive(), service.output())

    def test_without_a_daemon(self):
        self.boxed(harness.program("outpost"), "check")
        self.boxed(harness.program("sendmail"), "-odq", "you@example.net", input=b"Subject: x\n\nhello\n")
        self.assertIn("1 sent", self.boxed(harness.program("outpost"), "flush").out)
        self.relay.wait_messages(1)
        self.assertEqual(os.stat(self.queue_dir).st_uid, UID)
        self.boxed(harness.program("outpost"), "status", "--quiet")

    def test_outpostd_as_the_first_process(self):
        self.start_first()
        # Another container, which has the volume and another uid, knocks at the door.
        self.sendmail("you@example.net", user=GUEST, group=GUEST, extra_groups=[])
        self.boxed(harness.program("sendmail"), "me@example.net", input=b"Subject: x\n\nhello\n")
        self.relay.wait_messages(2)

    def test_with_the_door_and_nothing_else(self):
        """A container that has /run/outpost of the host and the program sendmail: no configuration, no queue, no helper."""
        if make_variable("RUNDIR") != "/run/outpost" or os.path.exists("/etc/outpost"):
            self.skipTest("needs a build for /run/outpost, and no /etc/outpost")
        self.start_first()
        program = os.path.join(self.tmp, "sendmail")
        shutil.copy(harness.program("sendmail"), program)
        done = subprocess.run(["unshare", "--mount", "/bin/sh", "-c", ALONE, "sh", program, self.door, self.tmp], input=b"Subject: x\n\nhello\n",
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=self.environ(), timeout=60 * harness.PATIENCE)
        self.assertEqual((done.returncode, done.stdout), (0, b""))
        message, = self.relay.wait_messages(1)
        self.assertIn("userid %d" % GUEST, message.header("Received"))


if __name__ == "__main__":
    harness.main()
