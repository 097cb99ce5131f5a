/*
 * sandbox.h: giving rights up, as far as this kernel lets us. Best effort: what did not take hold
 * is said in the text and never fatal. All of it is inherited over exec.
 */
#ifndef BASE_SANDBOX_H
#define BASE_SANDBOX_H

#include <stdbool.h>
#include <stddef.h>

struct sandbox_path {
	const char *path;	/* a file or directory; what isn't there is left out */
	bool write;
	bool exec;
};

/* no_new_privs, then a Landlock domain (file system only) in which nothing but these paths can be
 * opened. n = 0: nothing at all. Descriptors that are open stay usable. May be called again with
 * less. Returns true when Landlock took hold. */
bool sandbox_files(const struct sandbox_path *paths, size_t n);

/* A system call filter by a list of names; anything else answers EPERM (or kills under kill=true).
 * Returns true when it took hold. */
bool sandbox_calls(const char *const *names, size_t n, bool kill);

#endif
