"""bench.py: what the bench files share: a table of figures, each a ratio of two things measured in the same run.

A bench file is tests/bench/bench_*.py: a unittest file that prints lines by figure(). With --peers (or
OUTPOST_PEERS=postfix,exim,nullmailer,dma) the programs that do the same work are unpacked and measured beside.
`make bench` runs them all; a target that is missed is printed as such and does not fail the run: machines differ.
"""
import json
import os
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "..", "system"), os.path.join(HERE, "..", "interop")]
import harness  # noqa: E402  pylint: disable=wrong-import-position,unused-import

WANTED = os.environ.get("OUTPOST_PEERS", "").replace(",", " ").lower().split()
SCALE = float(os.environ.get("OUTPOST_BENCH_SCALE", "1"))      # of the numbers of messages


def figure(what, value, unit="x", most=None, least=None, note=""):
    """One line: a figure, the target, whether it is met."""
    target = "" if most is None and least is None else \
        "at most %g" % most if least is None else "at least %g" % least
    met = "" if not target else "met" if (value <= most if least is None else value >= least) else "MISSED"
    print("%-62s %10.3g %-6s %-14s %-6s %s" % (what, value, unit, target, met, note), flush=True)
    path = os.environ.get("OUTPOST_BENCH_RESULTS")
    if path:
        with open(path, "a") as f:
            f.write(json.dumps({"what": what, "value": value, "unit": unit, "target": target, "met": met, "note": note}) + "\n")


def now_us():
    """The clock of the relay's counters."""
    return time.monotonic() * 1e6


def memory(pid):
    """(private KiB, private + shared KiB without files): what a process costs."""
    total = {}
    with open("/proc/%d/smaps_rollup" % pid) as f:
        for line in f:
            words = line.split()
            if len(words) >= 2 and words[1].isdigit():
                total[words[0][:-1]] = int(words[1])
    private = total.get("Private_Clean", 0) + total.get("Private_Dirty", 0)
    return private, total.get("Pss_Anon", 0) + total.get("Pss_Shmem", 0)


def cpu_seconds(pid):
    """User and system time of a process and its ended children."""
    with open("/proc/%d/stat" % pid) as f:
        fields = f.read().rsplit(")", 1)[1].split()
    return sum(int(fields[i]) for i in (11, 12, 13, 14)) / os.sysconf("SC_CLK_TCK")


def journaled(test):
    """A directory on a fresh ext4 with all of mkfs's defaults, which is what most servers have. Machines for tests are often
    on an ext4 without a journal: there a new inode is looked for among those that were removed during the last minute, and
    a figure says how much was removed before it was measured. Without the right to mount: the test's own directory."""
    place, image = os.path.join(test.tmp, "disk"), os.path.join(test.tmp, "image")
    os.mkdir(place)
    with open(image, "wb") as f:
        os.posix_fallocate(f.fileno(), 0, 2 << 30)
    done = None
    if os.geteuid() == 0:
        subprocess.run(["mkfs.ext4", "-q", image], check=True, stdout=subprocess.DEVNULL)
        done = subprocess.run(["mount", "-o", "loop", image, place], stderr=subprocess.PIPE, check=False)
    if done is None or done.returncode:
        print("  no file system of its own (%s): measured on that of %s" %
              ("only root can mount" if done is None else done.stderr.decode().strip(), test.tmp), flush=True)
        return test.tmp
    test.addCleanup(subprocess.run, ["umount", "-l", place], check=False)
    return place
