/*
 * io.h: files and descriptors. Every call that may be interrupted is taken up again.
 */
#ifndef BASE_IO_H
#define BASE_IO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/deadline.h"
#include "base/error.h"

/* Opens /dev/null on descriptors 0-2 that are closed, so that no file gets them by chance. */
int io_standard_fds(void);

/* Closes every descriptor from first upwards. */
void io_close_from(int first);

int io_nonblock(int fd, bool on);
int io_cloexec(int fd, bool on);

/* poll(2) for one descriptor: 1 ready (or an error or hang-up to be read), 0 the deadline came, -1 errno. */
int io_wait(int fd, short events, deadline until);

/* Writes all of it; a non-blocking fd is waited for until the deadline (then -1, ETIMEDOUT). */
int io_write_all(int fd, const void *p, size_t n, deadline until);

/* One read: bytes, 0 at the end, -1 errno (EAGAIN included). */
ssize_t io_read(int fd, void *p, size_t n);

/* n bytes, or those up to the end; -1 errno. The second from an offset, wherever the descriptor stands. */
ssize_t io_read_full(int fd, void *p, size_t n);
ssize_t io_pread_full(int fd, void *p, size_t n, uint64_t at);

/* By errno, why a file could not be opened. What is short here and now (descriptors) says nothing about the file. */
enum reason io_reason_of_open(void);

/* Reads a whole regular file (opened with O_NOFOLLOW if nofollow) into out, up to out's ceiling; fills
 * *st if st is not NULL. The error text names the path: no such file, not regular, too large, ... */
int io_read_file(const char *path, bool nofollow, struct buf *out, struct stat *st, struct error *err);
/* All that an open file or pipe gives; path is for the error text. */
int io_read_to_end(int fd, const char *path, struct buf *out, struct error *err);

/* Replaces path by these bytes: temporary file beside it, fsync, rename, fsync of the directory.
 * Mode, and owner where it may, are kept from the old file, else mode. What is there and is no regular file (/dev/null)
 * stays: EX_CANTCREAT. */
int io_replace_file(const char *path, const void *p, size_t n, mode_t mode, struct error *err);

/* Whether the file is another by now than when this was its stat, or was changed. All zero: it was missing. */
bool io_changed(const char *path, const struct stat *was);

/* fsync(2) of a file or directory. */
int io_sync(const char *path);

/* A directory of mode 0700, durably: the directory that it is made in is synced. 0 also where it is there already. */
int io_make_dir(const char *path);

/* The path of another program of ours, in buf of size bytes: beside our own executable if one is
 * there and we run without set-id rights (an uninstalled build), otherwise HELPERDIR or SBINDIR.
 * Returns buf, or NULL when it does not fit. */
const char *io_program_path(const char *name, const char *installed_dir, char *buf, size_t size);

#endif
