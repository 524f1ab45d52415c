/* SPDX-License-Identifier: ISC */
/*
 * Output of a terminal: what the slave writes and what typing echoes, on its way to the master.
 * The column of the cursor is followed, for tabs and for erasing them. Source: termios(3), c_oflag.
 */
#include "kernel/lib/lib.h"
#include "kernel/tty/pty.h"

static bool is_control(u8 c)
{
	return c < 32 || c == 127;
}

/* The caller has looked for room. */
static void put(struct pty *p, char c)
{
	p->output[p->out_head % PTY_RING] = c;
	atomic_store(&p->out_head, p->out_head + 1);
}

static void put_newline(struct pty *p)
{
	u32 flags = p->settings.c_oflag;

	if (flags & (ONLRET | ONLCR))
		p->column = 0;
	if (flags & ONLCR)
		put(p, '\r');
	p->line_column = p->column;
	put(p, '\n');
}

static void put_return(struct pty *p)
{
	u32 flags = p->settings.c_oflag;

	if ((flags & ONOCR) && p->column == 0)
		return;
	if (!(flags & OCRNL) || (flags & ONLRET))
		p->line_column = p->column = 0;
	put(p, flags & OCRNL ? '\n' : '\r');
}

static void put_tab(struct pty *p)
{
	u32 spaces = 8 - (p->column & 7);

	p->column += spaces;
	if ((p->settings.c_oflag & TABDLY) != XTABS) {
		put(p, '\t');
		return;
	}
	while (spaces--)
		put(p, ' ');
}

static void put_processed(struct pty *p, char c)
{
	bool continues = (p->settings.c_iflag & IUTF8) && (c & 0xc0) == 0x80;

	switch (c) {
	case '\n': put_newline(p); return;
	case '\r': put_return(p); return;
	case '\t': put_tab(p); return;
	case '\b':
		if (p->column)
			p->column--;
		break;
	default:
		if (is_control((u8)c))
			break;
		if ((p->settings.c_oflag & OLCUC) && c >= 'a' && c <= 'z')
			c = (char)(c - 'a' + 'A');
		if (!continues)
			p->column++;
	}
	put(p, c);
}

static void put_output(struct pty *p, char c)
{
	if (p->settings.c_oflag & OPOST)
		put_processed(p, c);
	else
		put(p, c);
}

size_t output_write(struct pty *p, const char *s, size_t n)
{
	size_t done = 0;

	while (done < n && output_room(p) >= OUTPUT_MARGIN)
		put_output(p, s[done++]);
	return done;
}

size_t output_take(struct pty *p, char *buf, size_t n)
{
	u64 tail = p->out_tail;

	n = MIN(n, p->out_head - tail);
	for (size_t i = 0; i < n; i++)
		buf[i] = p->output[(tail + i) % PTY_RING];
	atomic_store(&p->out_tail, tail + n);
	return n;
}

/* Echo that finds no room is lost: nobody could wait for the one who does not read it. */
void echo_raw(struct pty *p, char c)
{
	if (output_room(p) >= OUTPUT_MARGIN)
		put_output(p, c);
}

void echo_visible(struct pty *p, char c)
{
	if (!(p->settings.c_lflag & ECHOCTL) || !is_control((u8)c) || c == '\t') {
		echo_raw(p, c);
		return;
	}
	if (output_room(p) < OUTPUT_MARGIN)
		return;
	put(p, '^');
	put(p, (char)(c ^ 0100));
	p->column += 2;
}
