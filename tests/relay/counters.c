/* counters.c: what was seen, as one JSON object. */
#include "config.h"

#include <stdio.h>
#include <sys/resource.h>

#include "tests/relay/relay.h"

static double cpu_seconds(void)
{
	struct rusage u;

	getrusage(RUSAGE_SELF, &u);
	return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
	       (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

static void write_to(const struct relay *r, FILE *f)
{
	const struct counters *k = &r->n;
	double s = (double)(k->last_accepted_us - k->first_mail_us) / 1e6;

	fputc('{', f);
#define X(name) fprintf(f, "\"" #name "\":%llu,", (unsigned long long)k->name);
	COUNTERS(X)
#undef X
	s = k->last_accepted_us > k->first_mail_us ? s : 0;
	/* on the monotonic clock */
	fprintf(f, "\"first_mail_us\":%lld,\"last_accepted_us\":%lld,", (long long)k->first_mail_us,
		(long long)k->last_accepted_us);
	fprintf(f, "\"seconds\":%.6f,\"messages_per_second\":%.1f,\"cpu_seconds\":%.4f}\n", s,
		s > 0 ? (double)k->messages / s : 0.0, cpu_seconds());
}

void counters_write(const struct relay *r)
{
	char tmp[4200];
	FILE *f;

	if (r->log)
		fflush(r->log);
	if (!r->opt.stats) {
		if (!r->opt.keep_quiet) {
			write_to(r, stdout);
			fflush(stdout);
		}
		return;
	}
	snprintf(tmp, sizeof tmp, "%s.tmp", r->opt.stats);
	f = fopen(tmp, "w");
	if (!f) {
		perror(tmp);
		return;
	}
	write_to(r, f);
	if (fclose(f) || rename(tmp, r->opt.stats))
		perror(r->opt.stats);
}
