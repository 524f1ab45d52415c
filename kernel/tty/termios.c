/* SPDX-License-Identifier: ISC */
/* Terminal settings of pseudo-terminals: what they begin as, and speeds. Source: termios(3). */
#include "kernel/lib/lib.h"
#include "kernel/tty/pty.h"

static const u32 speeds[] = {
	0, 50, 75, 110, 134, 150, 200, 300, 600, 1200, 1800, 2400, 4800, 9600, 19200, 38400,
};
static const u32 fast_speeds[] = {
	57600, 115200, 230400, 460800, 500000, 576000, 921600, 1000000,
	1152000, 1500000, 2000000, 2500000, 3000000, 3500000, 4000000,
};

void termios_init(struct termios2 *t)
{
	static const cc_t characters[NCCS] = {
		[VINTR] = 3,	[VQUIT] = 034,	  [VERASE] = 0177, [VKILL] = 025,	[VEOF] = 4,
		[VMIN] = 1,		[VSTART] = 021,	  [VSTOP] = 023,   [VSUSP] = 032,	[VREPRINT] = 022,
		[VDISCARD] = 017, [VWERASE] = 027, [VLNEXT] = 026,
	};

	memset(t, 0, sizeof(*t));
	t->c_iflag = ICRNL | IXON;
	t->c_oflag = OPOST | ONLCR;
	t->c_cflag = B38400 | CS8 | CREAD;
	t->c_lflag = ISIG | ICANON | ECHO | ECHOE | ECHOK | ECHOCTL | ECHOKE | IEXTEN;
	memcpy(t->c_cc, characters, sizeof(characters));
	t->c_ispeed = t->c_ospeed = 38400;
}

static u32 speed_of(u32 code, u32 free_choice)
{
	if (code == BOTHER)
		return free_choice;
	if (!(code & CBAUDEX))
		return speeds[code & CBAUD];
	code &= ~(u32)CBAUDEX;
	return code && code <= ARRAY_SIZE(fast_speeds) ? fast_speeds[code - 1] : free_choice;
}

void termios_settle(struct termios2 *t)
{
	u32 in = t->c_cflag >> IBSHIFT & CBAUD;

	t->c_cflag = (t->c_cflag & ~(u32)(CSIZE | PARENB)) | CS8 | CREAD;
	t->c_ospeed = speed_of(t->c_cflag & CBAUD, t->c_ospeed);
	t->c_ispeed = in == B0 ? t->c_ospeed : speed_of(in, t->c_ispeed);
}

static u32 kept(u32 fresh, u32 old, u32 locked)
{
	return (fresh & ~locked) | (old & locked);
}

void termios_keep(struct termios2 *t, const struct termios2 *old, const struct termios2 *locked)
{
	t->c_iflag = kept(t->c_iflag, old->c_iflag, locked->c_iflag);
	t->c_oflag = kept(t->c_oflag, old->c_oflag, locked->c_oflag);
	t->c_cflag = kept(t->c_cflag, old->c_cflag, locked->c_cflag);
	t->c_lflag = kept(t->c_lflag, old->c_lflag, locked->c_lflag);
	if (locked->c_line)
		t->c_line = old->c_line;
	for (u32 i = 0; i < NCCS; i++)
		if (locked->c_cc[i])
			t->c_cc[i] = old->c_cc[i];
}
