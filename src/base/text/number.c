#include "config.h"
#include "base/text/number.h"

bool text_u64(struct span s, uint64_t max, uint64_t *out)
{
	uint64_t v = 0;

	if (!s.n)
		return false;
	for (size_t i = 0; i < s.n; i++) {
		uint64_t digit = (uint64_t)(unsigned char)s.p[i] - '0';

		if (!ascii_digit(s.p[i]) || digit > max || v > (max - digit) / 10)
			return false;
		v = v * 10 + digit;
	}
	*out = v;
	return true;
}

uint64_t number_be(const void *p, size_t n)
{
	const unsigned char *at = p;
	uint64_t v = 0;

	while (n--)
		v = v << 8 | *at++;
	return v;
}

int hex_digit(char c)
{
	char lower = ascii_lower(c);

	if (ascii_digit(c))
		return c - '0';
	return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

int hex_byte(struct span s)
{
	int high = s.n > 1 ? hex_digit(s.p[0]) : -1, low = s.n > 1 ? hex_digit(s.p[1]) : -1;

	return high < 0 || low < 0 ? -1 : high << 4 | low;
}
