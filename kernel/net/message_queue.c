/* SPDX-License-Identifier: ISC */
/* Queues of messages in kin: see message_queue.h for locks and deaths. */
#include "kernel/net/message_queue.h"

#include "kernel/arch/arch.h"
#include "kernel/lib/lib.h"

#define SMALL_MAX 2000u /* larger objects are whole pages, and these need not be cleared */

struct msg *msg_alloc(u32 len, u32 address_len)
{
	size_t size = sizeof(struct msg) + address_len + len;
	struct msg *m;

	if (size > SMALL_MAX) {
		size = ALIGN_UP(size, PAGE_SIZE);
		m = own_pages(size / PAGE_SIZE, PAGES_RAW);
	} else {
		m = own_new(OWN_MEMORY, size);
	}
	if (!m)
		return NULL;
	*m = (struct msg){.size = (u32)size, .len = len, .address_len = address_len};
	own_is(m, OWN_MSG);
	own_give(hold_new(OWN_MSG), m);
	return m;
}

static void msg_release(void *what)
{
	struct msg *m = what;

	own_free(own_take(OWN_PASSED, &m->passed, NULL));
}

const struct own_ops msg_own_ops = {
	.name = "message",
	.ref_at = OWN_NO_REF,
	.release = msg_release,
};

/*
 * The files of a message may be sockets with messages of their own: freed one after the other, not
 * nested. Private: those whose turn has not come; they are held.
 */
static struct msg *waiting;
static bool freeing;

void msg_free_taken(struct msg *m)
{
	if (freeing && m->passed) {
		own_give(hold_new(OWN_MSG), m);
		m->next = waiting;
		waiting = m;
		return;
	}
	if (freeing || !m->passed) {
		own_free(m);
		return;
	}
	freeing = true;
	own_free(m);
	while ((m = waiting)) {
		waiting = m->next;
		own_free(own_take(OWN_MSG, hold_of(OWN_MSG, m), NULL));
	}
	freeing = false;
}

void msg_free(struct msg *m)
{
	if (m)
		msg_free_taken(own_take(OWN_MSG, hold_of(OWN_MSG, m), NULL));
}

static bool msgq_recover(void *arg)
{
	struct msgq *q = arg;
	u64 unread = 0, used = 0;
	u32 count = 0;

	q->last = NULL;
	for (struct msg *m = q->head; m; m = m->next) {
		q->last = m;
		unread += m->len - m->offset;
		used += m->size;
		count++;
	}
	atomic_store(&q->unread, unread);
	atomic_store(&q->used, used);
	atomic_store(&q->count, count);
	/* Who looked when the dead was buried saw the counts as it had left them. */
	queue_wake_all(&q->readable);
	queue_wake_all(&q->writable);
	return true;
}

static void msgq_lock(struct msgq *q)
{
	kin_lock_recover(&q->lock, msgq_recover, q);
}

/* The dead may have taken the first message and not have counted that. */
static bool msgq_read_recover(void *arg)
{
	struct msgq *q = arg;

	msgq_lock(q);
	kin_unlock(&q->lock);
	return true;
}

void msgq_read_lock(struct msgq *q)
{
	kin_lock_recover(&q->read_lock, msgq_read_recover, q);
}

void msgq_read_unlock(struct msgq *q)
{
	kin_unlock(&q->read_lock);
}

void msgq_init(struct msgq *q)
{
	queue_init(&q->readable);
	queue_init(&q->writable);
}

bool msgq_link(struct msgq *q, struct msg *m)
{
	bool open;

	m->next = NULL;
	msgq_lock(q);
	open = !atomic_load(&q->closed);
	if (open) {
		own_move(OWN_MSG, hold_of(OWN_MSG, m), q->last ? &q->last->next : &q->head);
		q->last = m;
		atomic_fetch_add(&q->unread, m->len);
		atomic_fetch_add(&q->used, m->size);
		atomic_fetch_add(&q->arrived, 1);
		atomic_store_explicit(&q->last_writer, BOOT_INFO->member, memory_order_relaxed);
		atomic_fetch_add(&q->count, 1);
	}
	kin_unlock(&q->lock);
	return open;
}

bool msgq_append(struct msgq *q, struct msg *m)
{
	bool open = msgq_link(q, m);

	if (open)
		queue_wake(&q->readable, 1);
	return open;
}

struct msg *msgq_consume(struct msgq *q, u32 n, bool whole)
{
	struct msg *m, *gone = NULL;

	msgq_lock(q);
	m = q->head;
	m->offset += n;
	atomic_store_explicit(&q->last_reader, BOOT_INFO->member, memory_order_relaxed);
	atomic_fetch_sub(&q->unread, n);
	if (whole || m->offset == m->len) {
		gone = own_take(OWN_MSG, &q->head, m->next);
		if (!m->next)
			q->last = NULL;
		atomic_fetch_sub(&q->unread, m->len - m->offset);
		atomic_fetch_sub(&q->used, m->size);
		atomic_fetch_sub(&q->count, 1);
		atomic_fetch_add(&q->left, 1);
	}
	kin_unlock(&q->lock);
	return gone;
}

bool msgq_close(struct msgq *q)
{
	struct msg *m;
	bool any = false;

	do {
		/* A reader of another thread may be copying from the first message. */
		msgq_read_lock(q);
		msgq_lock(q);
		atomic_store(&q->closed, 1);
		m = q->head;
		kin_unlock(&q->lock);
		if (m)
			m = msgq_consume(q, 0, true);
		msgq_read_unlock(q);
		if (m)
			msg_free_taken(m);
		any |= m != NULL;
	} while (m);
	return any;
}

void msgq_destroy(struct msgq *q)
{
	queue_destroy(&q->readable);
	queue_destroy(&q->writable);
}
