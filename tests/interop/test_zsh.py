"""The completion for zsh, in a zsh from Debian's package in a private root (zpty gives it a terminal)."""
import os
import subprocess

import harness
import servers

# A shell on a terminal of zsh's own making: types, asks for the words with a tab, prints the line.
DRIVER = """
module_path=($ROOT/usr/lib/*/zsh/*(/[1]))
zmodload zsh/zpty || exit 9
zpty shell "$ZSH -f -i"
say() { zpty -w shell "$1" }
say "module_path=($module_path) fpath=($PLACE $ROOT/usr/share/zsh/functions/**/*(/)); PS1=; unsetopt zle_bracketed_paste prompt_sp prompt_cr"
say "autoload -Uz compinit; compinit -u -D; zstyle ':completion:*' insert-tab no; unsetopt list_ambiguous"
say "show() { print -r -- \\"LINE<\\$BUFFER>\\"; BUFFER=; zle .redisplay }; zle -N show; bindkey '^X' show; print re''ady"
zpty -r shell out '*ready*' || exit 8
for line in "$@"; do
	zpty -w -n shell "$line"$'\\t\\x18'
	zpty -r shell out '*LINE<*>*' || exit 7
	out=${out##*LINE<}
	print -r -- "${out%%>*}"
done
zpty -d shell
"""


class Zsh(harness.SystemTest):
    needs = ("outpost",)

    def test_words(self):
        root = servers.root_with("zsh", ("zsh",))
        self.configure(relayhost="[localhost]:587")
        self.assertTrue(os.path.exists(os.path.join(root, "usr/bin/zsh")))
        wanted = {"outpost stat": "outpost status ", "outpost queue --sen": "outpost queue --sender ",
                  "outpost config smtp_tls_wrapp": "outpost config smtp_tls_wrappermode ", "outpost import nul": "outpost import nullmailer ",
                  "outpost -C %s queue --older" % self.conf: "outpost -C %s queue --older-than " % self.conf}
        libraries = ":".join(os.path.join(root, d) for d in ("usr/lib/x86_64-linux-gnu", "usr/lib/aarch64-linux-gnu", "lib"))
        env = self.environ({"PATH": harness.BUILD + ":/usr/bin:/bin", "ROOT": root, "ZSH": os.path.join(root, "usr/bin/zsh"),
                            "PLACE": os.path.join(harness.SRC, "packaging", "completion"), "TERM": "dumb", "LD_LIBRARY_PATH": libraries})
        done = subprocess.run([os.path.join(root, "usr/bin/zsh"), "-f", "-c", DRIVER, "zsh", *wanted], env=env, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60 * harness.PATIENCE, cwd=self.tmp)
        out = done.stdout.decode("utf-8", "replace").replace("\r", "")
        self.assertEqual(done.returncode, 0, out)
        self.assertEqual(out.splitlines(), list(wanted.values()))


if __name__ == "__main__":
    harness.main()
