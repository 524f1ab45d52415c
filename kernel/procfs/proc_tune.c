/* SPDX-License-Identifier: ISC */
/*
 * Files of /proc/sys that root may write: limits (kernel/task/tunables.h) and the family's names.
 * Source: proc_sys_kernel(5), proc_sys_fs(5), mq_overview(7).
 */
#include <asm/errno.h>

#include "kernel/lib/lib.h"
#include "kernel/pipe/pipe.h"
#include "kernel/procfs/procfs.h"
#include "kernel/task/tunables.h"

/* The next number of *s, which moves behind it and the blanks around: 1, 0 at the end, -EINVAL. */
static s64 number_next(const char **s, u64 *value)
{
	const char *p = *s;
	u64 v = 0;

	while (*p == ' ' || *p == '\t')
		p++;
	if (!*p || *p == '\n')
		return 0;
	if (*p < '0' || *p > '9')
		return -EINVAL;
	for (; *p >= '0' && *p <= '9'; p++)
		if (__builtin_mul_overflow(v, 10ull, &v) || __builtin_add_overflow(v, (u64)(*p - '0'), &v))
			return -EINVAL;
	if (*p && *p != ' ' && *p != '\t' && *p != '\n')
		return -EINVAL;
	*value = v;
	*s = p;
	return 1;
}

s64 show_tunable(struct text *t, const struct proc_target *p)
{
	text_add(t, "%lu\n", tunable_get((enum tunable)p->entry->value));
	return 0;
}

s64 set_tunable(const struct proc_target *p, const char *text)
{
	enum tunable t = (enum tunable)p->entry->value;
	u64 value;
	s64 n = number_next(&text, &value);

	if (n <= 0)
		return -EINVAL;
	if (t == TUNE_PIPE_SIZE)
		value = pipe_size_round(value);
	return t == TUNE_PIPE_SIZE && !value ? -EINVAL : tunable_set(t, value);
}

static const enum tunable sem_order[] = {
	TUNE_SEM_PER_SET, TUNE_SEM_ALL, TUNE_SEM_OPERATIONS, TUNE_SEM_SETS,
};

s64 show_sem(struct text *t, const struct proc_target *p)
{
	for (u32 i = 0; i < ARRAY_SIZE(sem_order); i++)
		text_add(t, "%s%lu", i ? "\t" : "", tunable_get(sem_order[i]));
	text_add(t, "\n");
	return 0;
}

/* The first of the four, or more. */
s64 set_sem(const struct proc_target *p, const char *text)
{
	u64 value;
	s64 n = 1;

	for (u32 i = 0; n > 0 && i < ARRAY_SIZE(sem_order); i++) {
		n = number_next(&text, &value);
		if ((n <= 0 && !i) || (n > 0 && tunable_set(sem_order[i], value)))
			return -EINVAL;
	}
	return MIN(n, 0);
}

s64 show_hostname(struct text *t, const struct proc_target *p)
{
	text_add(t, "%s\n", KIN->start.hostname);
	return 0;
}

s64 show_domainname(struct text *t, const struct proc_target *p)
{
	text_add(t, "%s\n", KIN->start.domainname);
	return 0;
}

/* To the end of the line; the last byte stays 0, as after sethostname(2). */
s64 set_name(const struct proc_target *p, const char *text)
{
	char *name = p->entry->show == show_hostname ? KIN->start.hostname : KIN->start.domainname;
	char fresh[HOSTNAME_MAX + 1] = {0};

	for (u32 i = 0; i < HOSTNAME_MAX && text[i] && text[i] != '\n'; i++)
		fresh[i] = text[i];
	tree_lock();
	memcpy(name, fresh, HOSTNAME_MAX);
	tree_unlock();
	return 0;
}
