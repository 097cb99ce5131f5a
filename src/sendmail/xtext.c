#include "config.h"
#include "sendmail/xtext.h"

#include "base/text/number.h"

int xtext_decode(struct span t, struct buf *out)
{
	for (size_t i = 0; i < t.n; i++) {
		int c = (unsigned char)t.p[i];

		if (c == '+') {
			c = hex_byte(span_from(t, i + 1));
			i += 2;
		}
		if (c < ' ' || c == 127 || buf_addc(out, (char)c) < 0)
			return -1;
	}
	return 0;
}
