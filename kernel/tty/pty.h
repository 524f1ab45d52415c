/* SPDX-License-Identifier: ISC */
/*
 * Pseudo-terminals: a slave that behaves as a terminal, and a master that plays the user in front
 * of it. What is written to the master goes through the line discipline (echo, editing, signals)
 * into the input ring, which the slave reads; what the slave writes, and echo, goes through output
 * processing into the output ring, which the master reads.
 *
 * A struct pty is a slot of a table in kin: made on demand, used again, never given back, so a
 * stale pointer reads another terminal at worst. One with neither master nor slaves is free.
 *
 * Death: every single store leaves a terminal usable (bytes count once head is stored), so its
 * lock is simply inherited; the counts of masters and slaves follow from the files, as in
 * kernel/pipe/pipe_file.c.
 */
#ifndef KERNEL_TTY_PTY_H
#define KERNEL_TTY_PTY_H

#include <stdatomic.h>

#include <asm/termbits.h>
#include <linux/termios.h>

#include "kernel/tty/job.h"
#include "kernel/vfs/inode.h"

#define PTY_MAX 1024
#define PTY_RING 65536u   /* each way; a power of two */
#define PTY_LINE_MAX 4096 /* of a line that is being edited, its end included */
#define PTY_MAJOR 136

enum pty_side { PTY_NONE, PTY_MASTER, PTY_SLAVE };
enum { PTY_FILE_TERMINAL, PTY_FILE_SIDE }; /* priv of a FILE_PTY file */

struct pty {
	KIN_LOCK(lock, PTY);          /* all that has no rule of its own; before queues' locks */
	u32 index;                    /* /dev/pts/index; no lock: constant */
	_Atomic u32 masters, slaves;  /* open file descriptions by side */
	_Atomic u32 slave_came;       /* a slave was open since the master was: none left is EOF */
	_Atomic u32 hung_up;          /* the master is gone */
	_Atomic u32 slave_locked;     /* TIOCSPTLCK */
	/* no lock: that of the table. Who is opening the master; void if that member is gone. */
	u32 claimed, claim_member, claim_generation;
	struct {                      /* a change of sides in progress; file is stored last */
		struct file *file;
		u32 side, masters, slaves;
	} intent;
	struct inode *node;           /* of /dev/pts/index: a reference; NULL once hung up */
	struct console job;           /* no lock: atomics */
	struct termios2 settings;     /* the slave's; the master has none */
	struct termios2 locked;       /* TIOCSLCKTRMIOS: what is set here cannot be changed */
	struct winsize window;
	char *input, *output;         /* rings: byte number n lies at [n % PTY_RING] */
	u64 *line_ends;               /* a bit for each byte of input that ends a line */
	_Atomic u64 in_head, in_tail; /* bytes ever typed, bytes ever read */
	_Atomic u64 in_line;          /* canonical mode: the bytes before it are complete lines */
	_Atomic u64 out_head, out_tail;
	u32 column, line_column;      /* of the cursor; where the line under edit began */
	u8 literal;                   /* VLNEXT was typed */
	_Atomic u8 stopped;           /* VSTOP, TCOOFF: output waits */
	u8 packet, packet_events;     /* TIOCPKT */
	struct kin_queue slave_events, master_events;
};

struct pty_shared {
	KIN_LOCK(lock, PTY_TABLE);    /* which slots are claimed */
	_Atomic u32 used;             /* slots below may exist */
	struct inode *directory;      /* /dev/pts; no lock: constant */
	struct pty *_Atomic slot[PTY_MAX];
};

/* ---- pty.c */
void pty_init(struct inode *directory); /* first member */
s64 pty_master_open(struct inode *node, u32 flags, struct file **out);
/*
 * The slave, which becomes the controlling terminal unless O_NOCTTY; -EIO: it is locked
 * (TIOCSPTLCK) or gone. By its node in /dev/pts, of this terminal, and by the name /dev/tty: of the
 * controlling terminal c of this session, which is a pty.
 */
s64 pty_slave_open(struct inode *node, u32 flags, struct file **out);
s64 pty_peer_open(struct pty *p, u32 flags, struct file **out);
s64 pty_terminal_open(struct console *c, struct inode *node, u32 flags, struct file **out);
void pty_file_release(struct file *f);
void pty_lock(struct pty *p);
u64 pty_rdev(u32 index);

/* ---- termios.c */
void termios_init(struct termios2 *t);
/* What is locked in t stays as it was. */
void termios_keep(struct termios2 *t, const struct termios2 *old, const struct termios2 *locked);
/* What a pseudo-terminal cannot be set to stays; speeds follow c_cflag. */
void termios_settle(struct termios2 *t);

/* ---- ldisc.c, all under p->lock */
enum { LDISC_SIGINT = 1, LDISC_SIGQUIT = 2, LDISC_SIGTSTP = 4 };
/*
 * Typed: takes as many of n characters as there is room for and returns how many. *signals:
 * LDISC_SIG* to send to the foreground group once the lock is released.
 */
size_t ldisc_type(struct pty *p, const char *s, size_t n, u32 *signals);
/* What a read gets now; bytes stored, at most n. *end: a line ended, perhaps an empty one. */
size_t ldisc_take(struct pty *p, char *buf, size_t n, bool *end);
/* Is there something to read? In raw mode at least this many bytes. */
bool ldisc_ready(struct pty *p, u32 at_least);
void ldisc_flush_input(struct pty *p);
void ldisc_set(struct pty *p, const struct termios2 *t);
u64 ldisc_readable(struct pty *p); /* FIONREAD */

/* ---- ldisc_output.c, all under p->lock */
#define OUTPUT_MARGIN 16 /* one character may become this many */
static inline u64 output_room(struct pty *p)
{
	return PTY_RING - (p->out_head - p->out_tail);
}
/* Written: as many of n as fit, with output processing. */
size_t output_write(struct pty *p, const char *s, size_t n);
size_t output_take(struct pty *p, char *buf, size_t n);
void echo_raw(struct pty *p, char c);    /* as the slave would write it */
void echo_visible(struct pty *p, char c); /* control characters as ^X under ECHOCTL */

/* ---- pty_ioctl.c */
s64 pty_ioctl(struct file *f, u32 cmd, u64 arg);

static inline struct pty *pty_of(const struct file *f)
{
	return (struct pty *)f->priv[PTY_FILE_TERMINAL];
}

static inline bool pty_is_master(const struct file *f)
{
	return f->priv[PTY_FILE_SIDE] == PTY_MASTER;
}

#endif
