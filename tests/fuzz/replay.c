/*
 * replay.c: the main of a fuzzing entry where there is no fuzzer. Runs every file of its corpus
 * (tests/fuzz/corpus/X for fuzz_X, or the files and directories named), and some hundred variations of
 * each that are the same every time.
 */
#include "config.h"

#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/buf.h"
#include "base/io.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { VARIATIONS = 200, LARGEST = 16 << 20 };

static unsigned long files, runs;
static uint64_t state = 88172645463325252u;

static size_t chance(size_t below)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return below ? (size_t)(state % below) : 0;
}

/* A copy of its own size, so that a sanitizer sees every byte too far. */
static void run(const char *p, size_t n)
{
	uint8_t *copy = malloc(n ? n : 1);

	if (!copy)
		abort();
	memcpy(copy, p, n);
	LLVMFuzzerTestOneInput(copy, n);
	free(copy);
	runs++;
}

static void vary(struct buf *b, const struct buf *whole)
{
	static const char telling[] = "\r\n\0.:;<>=\"\\,@ \xff\x80" "0-";
	size_t from = chance(b->len), n = chance(16) + 1;

	switch (chance(5)) {
	case 0:
		buf_cut(b, from);
		break;
	case 1:
		if (b->len)
			b->data[from] ^= (char)(1u << chance(8));
		break;
	case 2:
		if (b->len)
			b->data[from] = telling[chance(sizeof telling - 1)];
		break;
	case 3:
		if (whole->len > n)
			buf_add(b, whole->data + chance(whole->len - n), n);
		break;
	default:
		if (b->len - from > n) {
			memmove(b->data + from, b->data + from + n, b->len - from - n);
			buf_cut(b, b->len - n);
		}
	}
}

static void run_variations(const struct buf *whole)
{
	struct buf b;

	buf_init(&b, LARGEST + 65536);
	for (int i = 0; i < VARIATIONS && whole->len < 65536; i++) {
		buf_reset(&b);
		buf_add(&b, buf_str(whole), whole->len);
		for (size_t k = chance(4) + 1; k > 0; k--)
			vary(&b, whole);
		run(buf_str(&b), b.len);
	}
	buf_free(&b);
}

static int run_file(const char *path)
{
	struct error err;
	struct buf b;

	buf_init(&b, LARGEST);
	if (io_read_file(path, false, &b, NULL, &err)) {
		fprintf(stderr, "%s\n", err.text);
		return -1;
	}
	run(buf_str(&b), b.len);
	run_variations(&b);
	buf_free(&b);
	files++;
	return 0;
}

static int run_path(const char *path)
{
	struct dirent *e;
	struct stat st;
	char file[4200];
	DIR *d;
	int rc = 0;

	if (stat(path, &st)) {
		perror(path);
		return -1;
	}
	if (!S_ISDIR(st.st_mode))
		return run_file(path);
	d = opendir(path);
	while (d && !rc && (e = readdir(d)))
		if (*e->d_name != '.') {
			snprintf(file, sizeof file, "%s/%s", path, e->d_name);
			rc = run_path(file);
		}
	if (d)
		closedir(d);
	return rc;
}

static int run_own_corpus(const char *argv0)
{
	const char *src = getenv("srcdir"), *name = strstr(argv0, "fuzz_");
	char path[4200];

	for (const char *p = name; p && (p = strstr(p + 1, "fuzz_"));)
		name = p;
	if (!name) {
		fprintf(stderr, "%s: a fuzzing entry is called fuzz_X\n", argv0);
		return -1;
	}
	snprintf(path, sizeof path, "%s/tests/fuzz/corpus/%s", src ? src : ".", name + 5);
	return run_path(path);
}

int main(int argc, char **argv)
{
	int rc = 0;

	run("", 0);
	for (int i = 1; i < argc && !rc; i++)
		rc = run_path(argv[i]);
	if (argc == 1)
		rc = run_own_corpus(argv[0]);
	printf("%lu files, %lu inputs\n", files, runs);
	return rc ? 1 : 0;
}
