/* SPDX-License-Identifier: ISC */
/*
 * The log of a detached family: a process of its own reads what the family writes to standard
 * output and error, and writes it to `log` in the family's directory. Neither a full disk nor a
 * reader of the log ever stops the family; the log has a bounded size, and its last part is the
 * one that is kept. The process ends when nobody is left who could write, however that came; it
 * holds no lock.
 *
 * A line of the log is `TIME STREAM TAG TEXT`: time in UTC with nanoseconds, stdout or stderr, F
 * for a whole line, P for a part of one that went on later or had no end. When half of the log is
 * full, `log` becomes `log.1`. Other engines write the same (k8s-file).
 */
#ifndef MONITOR_FAMILIES_JOURNAL_H
#define MONITOR_FAMILIES_JOURNAL_H

#include <sys/types.h>

#include "monitor/families/family_dir.h"

#define JOURNAL_BYTES_DEFAULT (8u << 20)
#define JOURNAL_BYTES_MIN (64u << 10)
#define JOURNAL_TEXT_MAX 16384 /* of one line of the log */

/*
 * Starts it, and makes this process' standard output and error lead there. It gives up whatever
 * else this process has open, but for dir. Its id, or -1.
 */
pid_t journal_start(const struct family_dir *dir, unsigned long long bytes,
					struct error *err) MUST_CHECK;
/* Does it still write? It holds a lock on `log`; who only wants to know takes none. */
bool journal_lives(const struct family_dir *dir);
/* At the end: nothing more is written here; waits until the log is whole, but not for ever. */
void journal_finish(pid_t journal);

#endif
