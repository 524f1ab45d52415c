/* SPDX-License-Identifier: ISC */
/*
 * Ancillary data of AF_UNIX: descriptors (SCM_RIGHTS) and credentials (SCM_CREDENTIALS). Source:
 * unix(7), cmsg(3).
 *
 * The files lie in a list in kin that their sender holds, then the message has, then their receiver
 * holds: one owner at every moment, so a death on the way closes them (kernel/kin/own.h).
 */
#include <asm/errno.h>
#include <linux/fcntl.h>

#include "kernel/arch/arch.h"
#include "kernel/lib/lib.h"
#include "kernel/mm/mm.h"
#include "kernel/net/net.h"
#include "kernel/task/cred.h"
#include "kernel/task/thread.h"
#include "kernel/vfs/vfs.h"

#define SOL_SOCKET_ 1
#define CONTROL_MAX 131072u /* net.core.optmem_max */

/* struct cmsghdr */
struct control {
	u64 len;
	s32 level, type;
};
#define CONTROL_SPACE(bytes) (sizeof(struct control) + ALIGN_UP(bytes, 8))

struct net_cred net_cred_self(void)
{
	struct kin_proc *kp = current->proc->kp;

	return (struct net_cred){kp->pid, kp->inherited.uid, kp->inherited.gid};
}

static void passed_release(void *what)
{
	struct passed_files *p = what;

	for (u32 i = 0; i < p->n; i++)
		ref_put(OWN_FILE, &p->file[i]);
}

const struct own_ops passed_own_ops = {
	.name = "list of passed files",
	.ref_at = OWN_NO_REF,
	.release = passed_release,
};

struct passed_files *passed_new(u32 n)
{
	struct passed_files *p = own_new(OWN_PASSED, sizeof(*p) + n * sizeof(*p->file));

	if (!p)
		return NULL;
	p->cap = n;
	own_give(hold_new(OWN_PASSED), p);
	return p;
}

static void passed_free(struct passed_files *p)
{
	own_free(own_take(OWN_PASSED, hold_of(OWN_PASSED, p), NULL));
}

/* Room for n files more. */
static bool passed_grow(struct net_message *m, u32 n)
{
	struct passed_files *old = m->passed, *p = passed_new((old ? old->n : 0) + n);

	if (!p)
		return false;
	for (u32 i = 0; old && i < old->n; i++, p->n++)
		ref_get(OWN_FILE, old->file[i], &p->file[i]);
	if (old)
		passed_free(old);
	m->passed = p;
	return true;
}

static s64 files_take(struct net_message *m, const s32 *fds, u32 n)
{
	if ((m->passed ? m->passed->n : 0) + n > SCM_FILES_MAX)
		return -EINVAL;
	if (n == 0)
		return 0;
	if (!passed_grow(m, n))
		return -ENOMEM;
	for (u32 i = 0; i < n; i++) {
		struct file *f = fd_get_any(fds[i]);

		if (!f)
			return -EBADF;
		m->passed->n++;
		ref_get(OWN_FILE, f, &m->passed->file[m->passed->n - 1]);
		file_put(f);
		file_pass(f);
	}
	return 0;
}

void scm_drop(struct net_message *m)
{
	if (m->passed)
		passed_free(m->passed);
	m->passed = NULL;
}

/* May the caller say that it is c? */
static s64 cred_check(const struct net_cred *c)
{
	struct kin_proc *me = current->proc->kp;
	bool known = true;

	if (c->pid != me->pid) {
		if (!cred_capable(CAP_SYS_ADMIN))
			return -EPERM;
		tree_lock();
		known = proc_find(c->pid) != NULL;
		tree_unlock();
	}
	if (!known)
		return -ESRCH;
	if (c->uid != me->inherited.uid && c->uid != me->inherited.euid &&
		c->uid != me->inherited.suid && !cred_capable(CAP_SETUID))
		return -EPERM;
	if (c->gid != me->inherited.gid && c->gid != me->inherited.egid &&
		c->gid != me->inherited.sgid && !cred_capable(CAP_SETGID))
		return -EPERM;
	return 0;
}

static s64 control_item(struct net_message *m, struct socket *s, const struct control *c)
{
	const struct net_ops *ops = net_family(s->family);
	u64 bytes = c->len - sizeof(*c);
	s64 err;

	if (ops->control)
		return ops->control(s, m, c->level, c->type, c + 1, bytes);
	if (c->level != SOL_SOCKET_)
		return 0;
	switch (c->type) {
	case SCM_RIGHTS: return files_take(m, (const s32 *)(c + 1), (u32)(bytes / sizeof(s32)));
	case SCM_CREDENTIALS:
		if (bytes != sizeof(m->cred))
			return -EINVAL;
		memcpy(&m->cred, c + 1, sizeof(m->cred));
		err = cred_check(&m->cred);
		m->cred_given = !err;
		return err;
	default: return -EINVAL;
	}
}

static s64 control_parse(struct net_message *m, struct socket *s, char *buf)
{
	s64 err = 0;

	for (u64 at = 0; !err && at + sizeof(struct control) <= m->control_len;) {
		struct control *c = (struct control *)(buf + at);

		if (c->len < sizeof(*c) || c->len > m->control_len - at)
			return -EINVAL;
		err = control_item(m, s, c);
		at += ALIGN_UP(c->len, 8);
	}
	return err;
}

s64 scm_send(struct net_message *m, struct socket *s)
{
	char *buf;
	s64 err;

	m->cred = net_cred_self();
	if (!m->control || !m->control_len)
		return 0;
	if (m->control_len > CONTROL_MAX)
		return -ENOBUFS;
	buf = kmalloc(m->control_len);
	if (!buf)
		return -ENOBUFS;
	err = copy_in(buf, (void *)m->control, m->control_len) ? -EFAULT : control_parse(m, s, buf);
	kfree(buf);
	if (err)
		scm_drop(m);
	return err;
}

void scm_put(struct net_message *m, s32 level, s32 type, const void *data, u64 bytes)
{
	struct control c = {.len = sizeof(c) + bytes, .level = level, .type = type};
	u64 space = MIN(CONTROL_SPACE(bytes), m->control_len);

	if (m->control_len < sizeof(c)) {
		m->out_flags |= MSG_CTRUNC;
		return;
	}
	if (m->control_len < c.len) {
		m->out_flags |= MSG_CTRUNC;
		c.len = m->control_len;
	}
	if (copy_out((void *)m->control, &c, sizeof(c)) ||
		copy_out((char *)m->control + sizeof(c), data, c.len - sizeof(c)))
		return;
	m->control += space;
	m->control_len -= space;
}

/*
 * As many descriptors as fit, and as the table takes. The files that stay are the caller's to drop.
 */
static void files_put(struct net_message *m)
{
	u64 room =
		m->control_len > sizeof(struct control) ? m->control_len - sizeof(struct control) : 0;
	struct passed_files *p = m->passed;
	u32 n = (u32)MIN(room / sizeof(s32), (u64)p->n), done = 0;
	s32 *slot = (s32 *)(m->control + sizeof(struct control));
	struct control c = {.level = SOL_SOCKET_, .type = SCM_RIGHTS};
	u64 space;

	for (; done < n; done++) {
		struct file *f = p->file[done];

		ref_move(OWN_FILE, &p->file[done], hold_new(OWN_FILE));
		s32 fd = fd_install(f, 0, m->flags & MSG_CMSG_CLOEXEC ? FD_CLOEXEC : 0);
		if (fd < 0)
			break;
		if (copy_out(slot + done, &fd, sizeof(fd))) {
			fd_close(fd);
			break;
		}
	}
	if (done < p->n)
		m->out_flags |= MSG_CTRUNC;
	if (!done)
		return;
	c.len = sizeof(c) + done * sizeof(s32);
	space = MIN(CONTROL_SPACE(done * sizeof(s32)), m->control_len);
	if (copy_out((void *)m->control, &c, sizeof(c)))
		return;
	m->control += space;
	m->control_len -= space;
}

void scm_receive(struct net_message *m, struct socket *s)
{
	bool wants_cred = atomic_load(&s->flags) & SOCKET_PASSCRED;

	if (!m->control) {
		if (wants_cred || m->passed)
			m->out_flags |= MSG_CTRUNC;
	} else {
		if (wants_cred && m->cred_known)
			scm_put(m, SOL_SOCKET_, SCM_CREDENTIALS, &m->cred, sizeof(m->cred));
		if (m->passed)
			files_put(m);
	}
	scm_drop(m);
}
