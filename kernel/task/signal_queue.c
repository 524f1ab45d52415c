/* SPDX-License-Identifier: ISC */
/*
 * Pending sets and their queues, of processes (in kin) and of threads (in the heap). Nothing here
 * allocates, locks or wakes: nodes come from the caller and go back to it.
 *
 * A member may be killed between any two stores. Every order of stores below leaves a state that
 * signal_queue_repair makes whole: the list is walked from head, everything else follows from it.
 * What the dead sender had not published yet is lost with it; a node that it had unlinked leaks.
 */
#include <asm/errno.h>
#include <asm/siginfo.h>

#include "kernel/lib/order.h"
#include "kernel/task/signal_queue.h"
#include "kernel/task/thread.h"

#define STANDARD_SIGNALS 0x7fffffffull

int signal_choose(sigset set)
{
	if (set & SIGBIT(SIGKILL))
		return SIGKILL;
	if (set & SIGSET_SYNCHRONOUS)
		set &= SIGSET_SYNCHRONOUS;
	return __builtin_ctzll(set) + 1;
}

/* As on Linux: kill(2) never fails for want of queue space, the signal then carries nothing. */
static bool needs_node(const struct ksiginfo *info)
{
	return info->code != SI_USER && info->code != SI_KERNEL;
}

int signal_queue_post(struct signal_queue *q, _Atomic u64 *pending, const struct ksiginfo *info,
	u64 limit, struct signal_node **node)
{
	struct signal_node *n = *node;
	int sig = info->signo;

	if (SIGBIT(sig) & STANDARD_SIGNALS) {
		if (*pending & SIGBIT(sig))
			return 0;
		q->info[sig] = *info;
		program_order();
		*pending |= SIGBIT(sig);
		return 1;
	}
	if (!n || q->queued >= limit) {
		if (needs_node(info))
			return -EAGAIN;
		*pending |= SIGBIT(sig);
		return 1;
	}
	*node = NULL;
	n->next = NULL;
	n->info = *info;
	program_order();
	if (q->head)
		q->tail->next = n;
	else
		q->head = n;
	q->tail = n;
	q->queued++;
	*pending |= SIGBIT(sig);
	return 1;
}

static void unlink_node(struct signal_queue *q, struct signal_node *before, struct signal_node *n)
{
	if (before)
		before->next = n->next;
	else
		q->head = n->next;
	program_order();
	if (q->tail == n)
		q->tail = before;
	q->queued--;
}

static struct signal_node *find_node(struct signal_queue *q, int sig, struct signal_node **before)
{
	*before = NULL;
	for (struct signal_node *n = q->head; n; n = n->next) {
		if (n->info.signo == sig)
			return n;
		*before = n;
	}
	return NULL;
}

struct signal_node *signal_queue_take(struct signal_queue *q, _Atomic u64 *pending, int sig,
	struct ksiginfo *info)
{
	struct signal_node *n, *before, *other;

	*info = (struct ksiginfo){ .signo = sig, .code = SI_USER };
	if (SIGBIT(sig) & STANDARD_SIGNALS) {
		*info = q->info[sig];
		*pending &= ~SIGBIT(sig);
		return NULL;
	}
	n = find_node(q, sig, &before);
	if (n) {
		*info = n->info;
		unlink_node(q, before, n);
		n->next = NULL; /* the caller frees a list */
	}
	if (!find_node(q, sig, &other))
		*pending &= ~SIGBIT(sig);
	return n;
}

struct signal_node *signal_queue_flush(struct signal_queue *q, _Atomic u64 *pending, sigset set)
{
	struct signal_node *freed = NULL, *before = NULL, *next;

	for (struct signal_node *n = q->head; n; n = next) {
		next = n->next;
		if (!(SIGBIT(n->info.signo) & set)) {
			before = n;
			continue;
		}
		unlink_node(q, before, n);
		n->next = freed;
		freed = n;
	}
	*pending &= ~set;
	return freed;
}

void signal_queue_repair(struct signal_queue *q, _Atomic u64 *pending)
{
	u64 set = *pending & STANDARD_SIGNALS;

	q->tail = NULL;
	q->queued = 0;
	for (struct signal_node *n = q->head; n; n = n->next) {
		set |= SIGBIT(n->info.signo);
		q->tail = n;
		q->queued++;
	}
	*pending = set;
}
