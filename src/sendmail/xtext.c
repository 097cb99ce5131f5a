#include "config.h"
#include "sendmail/xtext.h"

#include "base/number.h"

int xtext_decode(struct span t, struct buf *out)
{
	for (size_t i = 0; i < t.n; i++) {
		int c = (unsigned char)t.p[i];

		if (c == '+') {
			if (i + 2 >= t.n || hex_digit(t.p[i + 1]) < 0 || hex_digit(t.p[i + 2]) < 0)
				return -1;
			c = hex_digit(t.p[i + 1]) * 16 + hex_digit(t.p[i + 2]);
			i += 2;
		}
		if (c < ' ' || c == 127 || buf_addc(out, (char)c) < 0)
			return -1;
	}
	return 0;
}
