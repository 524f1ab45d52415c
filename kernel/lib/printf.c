/* SPDX-License-Identifier: ISC */
/*
 * Formatted printing into a buffer: %d %i %u %x %o %s %c %p %% with the flags - 0, a width, a
 * precision, and l, ll, z.
 */
#include "kernel/lib/lib.h"

struct out {
	char *buf;
	size_t size, at; /* at: what would have been written so far */
};

struct spec {
	bool left, zero, wide;
	int width, precision; /* precision -1: none given */
	bool upper;
};

static void put(struct out *o, char c)
{
	if (o->at + 1 < o->size)
		o->buf[o->at] = c;
	o->at++;
}

static void pad(struct out *o, char c, int n)
{
	while (n-- > 0)
		put(o, c);
}

static void put_text(struct out *o, const struct spec *s, const char *text, int len)
{
	if (!s->left)
		pad(o, ' ', s->width - len);
	for (int i = 0; i < len; i++)
		put(o, text[i]);
	if (s->left)
		pad(o, ' ', s->width - len);
}

static void put_number(struct out *o, const struct spec *s, u64 value, u32 base, const char *prefix)
{
	char digits[24];
	int n = 0, len, zeros, plen = (int)strlen(prefix);

	do {
		digits[n++] = (s->upper ? "0123456789ABCDEF" : "0123456789abcdef")[value % base];
		value /= base;
	} while (value);
	zeros = s->precision > n ? s->precision - n : 0;
	if (s->zero && !s->left && s->precision < 0 && s->width > n + plen)
		zeros = s->width - n - plen;
	len = plen + zeros + n;
	if (!s->left)
		pad(o, ' ', s->width - len);
	while (*prefix)
		put(o, *prefix++);
	pad(o, '0', zeros);
	while (n)
		put(o, digits[--n]);
	if (s->left)
		pad(o, ' ', s->width - len);
}

static const char *parse_number(const char *f, int *n, va_list *ap)
{
	*n = 0;
	if (*f == '*') {
		*n = va_arg(*ap, int);
		return f + 1;
	}
	while (*f >= '0' && *f <= '9')
		*n = *n * 10 + (*f++ - '0');
	return f;
}

static const char *parse_spec(const char *f, struct spec *s, va_list *ap)
{
	*s = (struct spec){ .precision = -1 };
	for (;; f++) {
		if (*f == '-')
			s->left = true;
		else if (*f == '0')
			s->zero = true;
		else
			break;
	}
	f = parse_number(f, &s->width, ap);
	if (*f == '.')
		f = parse_number(f + 1, &s->precision, ap);
	for (; *f == 'l' || *f == 'z'; f++)
		s->wide = true;
	return f;
}

static void put_signed(struct out *o, const struct spec *s, s64 v)
{
	put_number(o, s, v < 0 ? -(u64)v : (u64)v, 10, v < 0 ? "-" : "");
}

int kvsnprintf(char *buf, size_t size, const char *fmt, va_list args)
{
	struct out o = { .buf = buf, .size = size };
	va_list ap;

	va_copy(ap, args);
	for (const char *f = fmt; *f; f++) {
		struct spec s;
		const char *text;
		u64 u;

		if (*f != '%') {
			put(&o, *f);
			continue;
		}
		f = parse_spec(f + 1, &s, &ap);
		switch (*f) {
		case 'd':
		case 'i': put_signed(&o, &s, s.wide ? va_arg(ap, s64) : va_arg(ap, int)); break;
		case 'u':
		case 'o':
		case 'x':
		case 'X':
			s.upper = *f == 'X';
			u = s.wide ? va_arg(ap, u64) : va_arg(ap, u32);
			put_number(&o, &s, u, *f == 'u' ? 10 : *f == 'o' ? 8 : 16, "");
			break;
		case 'p': put_number(&o, &s, (u64)va_arg(ap, void *), 16, "0x"); break;
		case 'c': {
			char c = (char)va_arg(ap, int);

			put_text(&o, &s, &c, 1);
			break;
		}
		case 's':
			text = va_arg(ap, const char *);
			if (!text)
				text = "(null)";
			u = s.precision < 0 ? ~0ull : (u64)s.precision;
			put_text(&o, &s, text, (int)strnlen(text, u));
			break;
		case 0: f--; break;
		default: put(&o, *f);
		}
	}
	va_end(ap);
	if (size)
		buf[MIN(o.at, size - 1)] = 0;
	return (int)o.at;
}

int ksnprintf(char *buf, size_t size, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = kvsnprintf(buf, size, fmt, ap);
	va_end(ap);
	return n;
}
