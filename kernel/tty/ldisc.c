/* SPDX-License-Identifier: ISC */
/*
 * Input of a terminal: from typed characters to what a read gets. Source: termios(3), "Canonical
 * and noncanonical mode", and the meaning of c_iflag, c_lflag and c_cc there.
 *
 * A line under edit lies in the ring behind in_line; its end makes in_line pass it. An end of file
 * is a NUL with its bit in line_ends set, and is not given to the reader. Everything under p->lock.
 */
#include "kernel/lib/lib.h"
#include "kernel/tty/pty.h"

#define END_OF_FILE '\0'

static bool has(struct pty *p, u32 lflag)
{
	return (p->settings.c_lflag & lflag) == lflag;
}

/* A special character that is switched off is NUL. */
static bool is(struct pty *p, char c, u32 which)
{
	return c && (cc_t)c == p->settings.c_cc[which];
}

static bool is_control(u8 c)
{
	return c < 32 || c == 127;
}

static char *at(struct pty *p, u64 n)
{
	return &p->input[n % PTY_RING];
}

static void end_mark(struct pty *p, u64 n, bool end)
{
	u64 *word = &p->line_ends[n % PTY_RING / 64], bit = 1ull << (n % 64);

	*word = end ? *word | bit : *word & ~bit;
}

static bool end_marked(struct pty *p, u64 n)
{
	return p->line_ends[n % PTY_RING / 64] >> (n % 64) & 1;
}

/* A line that is too long keeps its beginning; its last character is replaced. */
static void store(struct pty *p, char c, bool end)
{
	u64 head = p->in_head;

	if (has(p, ICANON) && head - p->in_line >= PTY_LINE_MAX)
		head--;
	*at(p, head) = c;
	end_mark(p, head, end);
	atomic_store(&p->in_head, head + 1);
}

static void end_line(struct pty *p, char c)
{
	store(p, c, true);
	atomic_store(&p->in_line, p->in_head);
}

static void note_line_column(struct pty *p)
{
	if (p->in_head == p->in_line)
		p->line_column = p->column;
}

/* ---- editing */

static void erase_on_screen(struct pty *p)
{
	echo_raw(p, '\b');
	echo_raw(p, ' ');
	echo_raw(p, '\b');
}

/* The cursor goes back to where it was before the tab that stood at number n. */
static void erase_tab(struct pty *p, u64 n)
{
	u32 columns = 0;
	bool after_tab = false;

	for (u64 i = n; i-- > p->in_line && !after_tab;) {
		u8 c = (u8)*at(p, i);
		if (c == '\t')
			after_tab = true;
		else if (is_control(c))
			columns += has(p, ECHOCTL) ? 2 : 0;
		else if (!((p->settings.c_iflag & IUTF8) && (c & 0xc0) == 0x80))
			columns++;
	}
	if (!after_tab)
		columns += p->line_column;
	for (u32 back = 8 - (columns & 7); back--;)
		echo_raw(p, '\b');
}

/* The last character of the line under edit goes; key is what was typed for that. */
static void erase_one(struct pty *p, char key, bool echo_key)
{
	u64 n = p->in_head;
	char c;

	do
		c = *at(p, --n);
	while ((p->settings.c_iflag & IUTF8) && (c & 0xc0) == 0x80 && n > p->in_line);
	atomic_store(&p->in_head, n);
	if (!has(p, ECHO))
		return;
	if (echo_key) {
		echo_visible(p, key);
	} else if (c == '\t') {
		erase_tab(p, n);
	} else {
		if (is_control((u8)c) && has(p, ECHOCTL))
			erase_on_screen(p);
		if (!is_control((u8)c) || has(p, ECHOCTL))
			erase_on_screen(p);
	}
}

static bool is_word(u8 c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
		   c >= 0xc0;
}

static void erase_word(struct pty *p, char key)
{
	bool seen = false;

	while (p->in_head > p->in_line) {
		bool word = is_word((u8)*at(p, p->in_head - 1));
		if (seen && !word)
			break;
		seen |= word;
		erase_one(p, key, false);
	}
}

static void erase_line(struct pty *p, char key)
{
	if (has(p, ECHO | ECHOK | ECHOKE | ECHOE)) {
		while (p->in_head > p->in_line)
			erase_one(p, key, false);
		return;
	}
	atomic_store(&p->in_head, p->in_line);
	if (!has(p, ECHO))
		return;
	echo_visible(p, key);
	if (has(p, ECHOK))
		echo_raw(p, '\n');
}

static void reprint(struct pty *p, char key)
{
	echo_visible(p, key);
	echo_raw(p, '\n');
	for (u64 i = p->in_line; i < p->in_head; i++)
		echo_visible(p, *at(p, i));
}

/* True: c edits the line and is not part of it. */
static bool edit(struct pty *p, char c)
{
	bool extended = has(p, IEXTEN);

	if (is(p, c, VERASE)) {
		if (p->in_head > p->in_line)
			erase_one(p, c, !has(p, ECHOE));
	} else if (is(p, c, VKILL)) {
		erase_line(p, c);
	} else if (extended && is(p, c, VWERASE)) {
		erase_word(p, c);
	} else if (extended && is(p, c, VLNEXT)) {
		p->literal = 1;
		if (has(p, ECHO | ECHOCTL)) {
			echo_raw(p, '^');
			echo_raw(p, '\b');
		}
	} else if (extended && has(p, ECHO) && is(p, c, VREPRINT)) {
		reprint(p, c);
	} else {
		return false;
	}
	return true;
}

/* ---- typing */

static void type_plain(struct pty *p, char c)
{
	if (has(p, ECHO)) {
		note_line_column(p);
		if (c == '\n' && !p->literal)
			echo_raw(p, c);
		else
			echo_visible(p, c);
	}
	if ((u8)c == 0377 && (p->settings.c_iflag & PARMRK))
		store(p, c, false);
	store(p, c, false);
}

/* True: c ends the line. */
static bool type_end(struct pty *p, char c)
{
	if (c == '\n') {
		if (p->settings.c_lflag & (ECHO | ECHONL))
			echo_raw(p, c);
	} else if (is(p, c, VEOF)) {
		c = END_OF_FILE;
	} else if (is(p, c, VEOL) || (has(p, IEXTEN) && is(p, c, VEOL2))) {
		if (has(p, ECHO)) {
			note_line_column(p);
			echo_visible(p, c);
		}
	} else {
		return false;
	}
	end_line(p, c);
	return true;
}

void ldisc_flush_input(struct pty *p)
{
	atomic_store(&p->in_tail, p->in_head);
	atomic_store(&p->in_line, p->in_head);
	p->literal = 0;
}

/* The bit of the signal that c sends, or 0. */
static u32 type_signal(struct pty *p, char c)
{
	u32 sig = is(p, c, VINTR) ? LDISC_SIGINT
			  : is(p, c, VQUIT) ? LDISC_SIGQUIT
			  : is(p, c, VSUSP) ? LDISC_SIGTSTP
								: 0;

	if (!sig)
		return 0;
	if (!has(p, NOFLSH))
		ldisc_flush_input(p);
	if (p->settings.c_iflag & IXON)
		p->stopped = 0;
	if (has(p, ECHO))
		echo_visible(p, c);
	return sig;
}

/* XON, XOFF. True: c is used up. */
static bool type_flow(struct pty *p, char c)
{
	if (!(p->settings.c_iflag & IXON))
		return false;
	if (is(p, c, VSTART)) {
		p->stopped = 0;
		return true;
	}
	if (is(p, c, VSTOP)) {
		p->stopped = 1;
		return true;
	}
	if (p->settings.c_iflag & IXANY)
		p->stopped = 0;
	return false;
}

static u32 type_one(struct pty *p, char c)
{
	u32 flags = p->settings.c_iflag, sig;

	if (flags & ISTRIP)
		c &= 0x7f;
	if ((flags & IUCLC) && has(p, IEXTEN) && c >= 'A' && c <= 'Z')
		c = (char)(c - 'A' + 'a');
	if (p->literal) {
		type_plain(p, c);
		p->literal = 0;
		return 0;
	}
	if (type_flow(p, c))
		return 0;
	sig = has(p, ISIG) ? type_signal(p, c) : 0;
	if (sig)
		return sig;
	if (c == '\r') {
		if (flags & IGNCR)
			return 0;
		if (flags & ICRNL)
			c = '\n';
	} else if (c == '\n' && (flags & INLCR)) {
		c = '\r';
	}
	if (!has(p, ICANON) || (!edit(p, c) && !type_end(p, c)))
		type_plain(p, c);
	return 0;
}

size_t ldisc_type(struct pty *p, const char *s, size_t n, u32 *signals)
{
	size_t done = 0;

	while (done < n && p->in_head - p->in_tail < PTY_RING - 2)
		*signals |= type_one(p, s[done++]);
	return done;
}

/* ---- reading */

/* Where a read stops: in_line, or the last byte typed. */
static u64 limit(struct pty *p)
{
	return has(p, ICANON) ? p->in_line : p->in_head;
}

bool ldisc_ready(struct pty *p, u32 at_least)
{
	u64 n = limit(p) - p->in_tail;

	return has(p, ICANON) ? n != 0 : n >= at_least;
}

u64 ldisc_readable(struct pty *p)
{
	u64 n = 0, end = limit(p);

	for (u64 i = p->in_tail; i < end; i++)
		n += !(has(p, ICANON) && end_marked(p, i) && *at(p, i) == END_OF_FILE);
	return n;
}

size_t ldisc_take(struct pty *p, char *buf, size_t n, bool *end)
{
	u64 tail = p->in_tail, stop = limit(p);
	bool lines = has(p, ICANON);
	size_t done = 0;

	*end = false;
	/* An end of file right behind the last byte that fits goes with it. */
	while (tail < stop && !*end) {
		bool marked = lines && end_marked(p, tail), eof = marked && *at(p, tail) == END_OF_FILE;

		if (done == n && !eof)
			break;
		if (!eof)
			buf[done++] = *at(p, tail);
		*end = marked;
		tail++;
	}
	atomic_store(&p->in_tail, tail);
	return done;
}

/*
 * Between the modes: what was typed without an end of line is a line of its own for the new mode;
 * without canonical mode there are no lines.
 */
void ldisc_set(struct pty *p, const struct termios2 *t)
{
	bool turned = (p->settings.c_lflag ^ t->c_lflag) & ICANON;

	p->settings = *t;
	termios_settle(&p->settings);
	if (turned) {
		for (u64 i = p->in_tail; i < p->in_head; i++)
			end_mark(p, i, false);
		if (p->in_head != p->in_tail)
			end_mark(p, p->in_head - 1, true);
		atomic_store(&p->in_line, p->in_head);
		p->literal = 0;
	}
	if (!(t->c_iflag & IXON))
		p->stopped = 0;
}
