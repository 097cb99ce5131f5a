"""What configure does without a library that the programs can do without: it ends and says which option allows that."""
import os
import shutil
import subprocess

import harness

CONFIGURE = os.path.join(harness.SRC, "configure")


class Missing(harness.SystemTest):
    def configure_without(self, missing, *options):
        """configure where pkg-config does not know a library: its process, and the directory that it configured."""
        real = shutil.which("pkg-config")
        if not real or not os.path.exists(CONFIGURE):
            self.skipTest("needs pkg-config and ./configure")
        fake = os.path.join(self.tmp, "pkg-config")
        with open(fake, "w") as f:
            f.write("#!/bin/sh\ncase \"$*\" in *%s*) exit 1; esac\nexec %s \"$@\"\n" % (missing, real))
        os.chmod(fake, 0o755)
        place = os.path.join(self.tmp, "build")
        os.mkdir(place)
        done = subprocess.run([CONFIGURE, "-q", "PKG_CONFIG=" + fake, *options], cwd=place, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=120 * harness.PATIENCE)
        return done.returncode, done.stdout.decode(), place

    def test_seccomp_is_asked_for(self):
        status, said, _ = self.configure_without("libseccomp")
        self.assertNotEqual(status, 0)
        self.assertIn("--without-seccomp", said)

    def test_without_seccomp(self):
        status, said, place = self.configure_without("libseccomp", "--without-seccomp")
        self.assertEqual(status, 0, said)
        with open(os.path.join(place, "config.h")) as f:
            text = f.read()
        self.assertIn("#define HAVE_SECCOMP 0\n", text)
        self.assertIn("#define HAVE_LANDLOCK 1\n", text)

    def test_oauth2_needs_curl(self):
        status, said, _ = self.configure_without("libcurl")
        self.assertNotEqual(status, 0)
        self.assertIn("libcurl", said)

    def test_with_cmocka(self):
        status, said, _ = self.configure_without("cmocka", "--with-cmocka")
        self.assertNotEqual(status, 0)
        self.assertIn("--with-cmocka", said)


if __name__ == "__main__":
    harness.main()
