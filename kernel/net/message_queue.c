/* SPDX-License-Identifier: ISC */
/* Queues of messages in kin: see message_queue.h for locks and deaths. */
#include "kernel/net/message_queue.h"

#include "kernel/arch/arch.h"
#include "kernel/lib/lib.h"

#define SMALL_MAX 2000u /* larger objects are whole pages, and these need not be cleared */

#define publish(p, v) __atomic_store_n((p), (v), __ATOMIC_RELEASE)

struct msg *msg_alloc(u32 len, u32 address_len)
{
	size_t size = sizeof(struct msg) + address_len + len;
	struct msg *m;

	if (size > SMALL_MAX) {
		size = ALIGN_UP(size, PAGE_SIZE);
		m = kin_pages_alloc_raw(size / PAGE_SIZE);
	} else {
		m = kin_alloc(size);
	}
	if (!m)
		return NULL;
	*m = (struct msg){.size = (u32)size, .len = len, .address_len = (u16)address_len};
	return m;
}

static void msg_free_memory(struct msg *m)
{
	if (m->files)
		kin_free(m->files, m->nfiles * sizeof(*m->files));
	kin_free(m, m->size);
}

/*
 * Private: messages whose files are still to be put, while a put further up the stack is at work.
 */
static struct msg *waiting;
static bool freeing;

void msg_free_list(struct msg *m)
{
	while (m) {
		struct msg *next = m->next;

		m->next = waiting;
		waiting = m;
		m = next;
	}
	if (freeing)
		return;
	freeing = true;
	while ((m = waiting)) {
		waiting = m->next;
		if (m->nfiles)
			scm_files_drop(m->files, m->nfiles);
		msg_free_memory(m);
	}
	freeing = false;
}

void msg_free(struct msg *m)
{
	if (!m)
		return;
	m->next = NULL;
	msg_free_list(m);
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
	return true;
}

static void msgq_lock(struct msgq *q)
{
	kin_lock_recover(&q->lock, msgq_recover, q);
}

void msgq_read_lock(struct msgq *q)
{
	kin_lock_recover(&q->read_lock, kin_recover_whole, NULL);
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
		publish(q->last ? &q->last->next : &q->head, m);
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
		gone = m;
		publish(&q->head, m->next);
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

struct msg *msgq_close(struct msgq *q)
{
	struct msg *all;

	/* A reader of another thread may be copying from the first message. */
	msgq_read_lock(q);
	msgq_lock(q);
	atomic_store(&q->closed, 1);
	all = q->head;
	publish(&q->head, NULL);
	q->last = NULL;
	atomic_store(&q->unread, 0);
	atomic_store(&q->used, 0);
	atomic_store(&q->count, 0);
	kin_unlock(&q->lock);
	msgq_read_unlock(q);
	return all;
}

void msgq_destroy(struct msgq *q)
{
	queue_destroy(&q->readable);
	queue_destroy(&q->writable);
}
