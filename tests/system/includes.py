"""includes.py: who includes whom, by folders: `make includes` prints it, test_tree.py tests it.

A room is a folder of sources; one within another is a room of its own. A file belongs to the folder that it is in; x.c, x.h
and x.def are one module. Of each room it is printed how many modules it has, and which rooms its files include, with the
number of #include lines. Rooms that include one another, directly or by way of others, are a circle. The folder of a program
holds both what is above its rooms (main, the commands) and what all of them share, so that its rooms may include it. A
folder of more than MOST modules should have rooms within it. Exit status 1 when there is a circle or such a folder.
"""
import collections
import glob
import os
import re
import sys

MOST = 16                               # modules of a folder
PLACES = ("src", "queue", "conf")       # where the sources of programs are


def sources(top, *places):
    """The paths of all sources below these folders, from the top of the tree."""
    found = [p for place in places or PLACES for suffix in ("c", "h", "def")
             for p in glob.glob(os.path.join(top, place, "**", "*." + suffix), recursive=True)]
    return sorted(os.path.relpath(p, top) for p in found)


def included(top, path):
    """The files of the tree that one of them includes, as the compiler finds them."""
    with open(os.path.join(top, path), encoding="utf-8") as f:
        names = re.findall(r'^\s*#\s*include\s+"([^"]+)"', f.read(), re.M)
    for name in names:
        for place in (os.path.dirname(path), "src", ""):
            if os.path.exists(os.path.join(top, place, name)):
                yield os.path.normpath(os.path.join(place, name))
                break


def graph(top):
    """{room: {room that it includes: lines}}, itself left out."""
    rooms = {os.path.dirname(p): collections.Counter() for p in sources(top)}
    for path in sources(top):
        here = os.path.dirname(path)
        rooms[here].update(there for there in map(os.path.dirname, included(top, path)) if there != here)
    return rooms


def circles(rooms):
    """The sets of rooms that can be reached from one another, of two or more, sorted."""
    def reached(room):
        seen, todo = set(), [room]
        while todo:
            here = todo.pop()
            for there in rooms.get(here, ()):
                if there not in seen and not here.startswith(there + os.sep):
                    seen.add(there)
                    todo.append(there)
        return seen
    far = {room: reached(room) for room in rooms}
    found = {tuple(sorted(there for there in far[room] if room in far[there])) for room in rooms}
    return sorted(c for c in found if len(c) > 1)


def modules(top):
    """{folder: modules in it, those of its rooms left out}"""
    return collections.Counter(os.path.dirname(m) for m in {os.path.splitext(p)[0] for p in sources(top)})


def full(top):
    """Folders of more than MOST modules that have no rooms within them."""
    count = modules(top)
    return {room: n for room, n in count.items() if n > MOST and not any(r.startswith(room + os.sep) for r in count)}


def main():
    top = os.path.abspath(sys.argv[1] if len(sys.argv) > 1 else os.path.join(os.path.dirname(__file__), "..", ".."))
    rooms, count = graph(top), modules(top)
    for room in sorted(rooms):
        print("%-24s %3d modules -> %s" % (room, count[room],
                                           ", ".join("%s %d" % line for line in sorted(rooms[room].items())) or "nothing"))
    print()
    wrong = ["circle: " + " ".join(circle) for circle in circles(rooms)]
    wrong += ["more than %d modules: %s has %d" % (MOST, *line) for line in sorted(full(top).items())]
    print("\n".join(wrong) or "no circle, and no folder of more than %d modules without rooms" % MOST)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
