/* terminal.c: durations, sizes, times and the terminal: what a screen is made of. */
#include "config.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "base/text/text.h"
#include "outpost/command.h"

enum { PRINT_MAX = 8 << 20 };

/* In microseconds, too, it is a number. */
static const int64_t AGE_MAX_S = INT64_C(100000000000);

bool term_color(void)
{
	const char *term = getenv("TERM"), *no = getenv("NO_COLOR");

	return isatty(STDOUT_FILENO) && !(no && *no) && term && strcmp(term, "dumb") != 0;
}

void term_print(const char *fmt, ...)
{
	struct buf b;
	va_list ap;

	buf_init(&b, PRINT_MAX);
	va_start(ap, fmt);
	buf_addv(&b, fmt, ap);
	va_end(ap);
	text_clean_bytes(b.data, b.len, "\n\t");
	fwrite(buf_str(&b), 1, b.len, stdout);
	buf_free(&b);
}

/* Columns of stdout; 80 where it is no terminal. */
static unsigned term_width(void)
{
	struct winsize w;
	const char *columns = getenv("COLUMNS");
	uint64_t n;

	if (isatty(STDOUT_FILENO) && ioctl(STDOUT_FILENO, TIOCGWINSZ, &w) == 0 && w.ws_col >= 40)
		return w.ws_col;
	if (columns && text_u64(span_of(columns), 1000, &n) && n >= 40)
		return (unsigned)n;
	return 80;
}

bool term_confirm(const char *question, bool unattended)
{
	char line[64];

	if (!isatty(STDIN_FILENO))
		return unattended;
	fflush(stdout);
	fprintf(stderr, "%s [y/N] ", question);
	if (!fgets(line, sizeof(line), stdin))
		return false;
	return line[0] == 'y' || line[0] == 'Y';
}

void words_wrap(const char *text, size_t column, size_t margin)
{
	size_t width = term_width();
	struct span rest = span_of(text), word;
	bool first = true;

	while (span_word(&rest, " \n", &word)) {
		if (!first && column + 1 + word.n > width) {
			printf("\n%*s", (int)margin, "");
			column = margin;
			first = true;
		}
		term_print("%s%.*s", first ? "" : " ", (int)word.n, word.p);
		column += word.n + !first;
		first = false;
	}
	printf("\n");
}

static const struct {
	int64_t seconds;
	const char *name;
} units[] = {{86400, "d"}, {3600, "h"}, {60, "min"}, {1, "s"}};

const char *words_duration(int64_t s, char *out, size_t size)
{
	size_t u = 0;
	int64_t whole, rest;

	if (s < 0)
		s = 0;
	while (u < 3 && s < units[u].seconds)
		u++;
	whole = s / units[u].seconds;
	rest = u < 2 ? s % units[u].seconds / units[u + 1].seconds : 0;
	if (rest && whole < 10)
		snprintf(out, size, "%lld %s %lld %s", (long long)whole, units[u].name, (long long)rest,
			 units[u + 1].name);
	else
		snprintf(out, size, "%lld %s", (long long)whole, units[u].name);
	return out;
}

const char *words_size(uint64_t bytes, char *out, size_t size)
{
	static const char *const name[] = {"KB", "MB", "GB", "TB"};
	double v = (double)bytes / 1024;
	size_t u = 0;

	if (bytes < 1024) {
		snprintf(out, size, "%u %s", (unsigned)bytes, bytes == 1 ? "byte" : "bytes");
		return out;
	}
	for (; v >= 1023.5 && u < 3; u++)
		v /= 1024;
	snprintf(out, size, v < 9.95 ? "%.1f %s" : "%.0f %s", v, name[u]);
	return out;
}

const char *words_count(uint64_t n, const char *singular, const char *plural, char *out, size_t size)
{
	snprintf(out, size, "%llu %s", (unsigned long long)n, n == 1 ? singular : plural);
	return out;
}

const char *words_time(int64_t us, char *out, size_t size)
{
	time_t t = (time_t)(us / 1000000);
	struct tm tm;

	if (!localtime_r(&t, &tm) || strftime(out, size, "%Y-%m-%d %H:%M", &tm) == 0)
		snprintf(out, size, "?");
	return out;
}

int words_parse_age(const char *s, int64_t *seconds, struct error *err)
{
	if (conf_time(s, "s", seconds) && *seconds <= AGE_MAX_S)
		return 0;
	return error_set(err, REASON_USAGE, "\"%s\" is no age; write 90s, 15m, 2h, 3d or 1w", s);
}
