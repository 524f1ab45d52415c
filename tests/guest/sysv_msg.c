/* SPDX-License-Identifier: ISC */
/*
 * System V message queues between processes: types, order, truncation, full and empty queues,
 * removal.
 * @test timeout=20 members=4
 */
#include "guest.h"
#include <sys/ipc.h>
#include <sys/msg.h>

struct message {
	long type;
	char text[2048];
};

static struct message m;

static int put(int id, long type, const char *text)
{
	m.type = type;
	strcpy(m.text, text);
	return msgsnd(id, &m, strlen(text), 0);
}

static void get(const char *what, int id, long type, int flags)
{
	ssize_t n = msgrcv(id, &m, sizeof(m.text), type, flags | IPC_NOWAIT);

	if (n < 0)
		result(what, n);
	else
		say("%s: type %ld, %.*s", what, m.type, (int)n, m.text);
}

int main(void)
{
	int id = msgget(IPC_PRIVATE, 0600), n = 0;
	struct msqid_ds ds;

	okay("msgget", id);
	put(id, 3, "three");
	put(id, 1, "one");
	put(id, 2, "two");
	put(id, 3, "three again");
	get("copy of the second", id, 1, MSG_COPY | IPC_NOWAIT);
	get("copy of the last", id, 3, MSG_COPY | IPC_NOWAIT);
	get("copy of the fifth", id, 4, MSG_COPY | IPC_NOWAIT);
	get("type 3", id, 3, 0);
	get("at most 2", id, -2, 0);
	get("first", id, 0, 0);
	get("none of type 7", id, 7, 0);
	get("not 7", id, 7, MSG_EXCEPT);
	get("empty", id, 0, 0);
	put(id, 1, "too long for it");
	result("E2BIG", msgrcv(id, &m, 4, 0, 0));
	result("cut", msgrcv(id, &m, 4, 0, MSG_NOERROR));
	result("bad type", put(id, 0, "x"));
	pid_t pid = fork_or_die();
	if (pid == 0) {
		pause_ms(30);
		put(id, 9, "from the child");
		_exit(0);
	}
	ssize_t got = msgrcv(id, &m, sizeof(m.text), 9, 0);
	say("waited: %.*s", (int)got, m.text);
	child_report("child", pid);
	m.type = 1;
	while (msgsnd(id, &m, 2000, IPC_NOWAIT) == 0)
		n++;
	say("%d messages of 2000 fit, then %s", n, errno_name(errno));
	okay("IPC_STAT", msgctl(id, IPC_STAT, &ds));
	say("%d messages, %d bytes at most", (int)ds.msg_qnum, (int)ds.msg_qbytes);
	pid = fork_or_die();
	if (pid == 0)
		_exit(msgsnd(id, &m, 2000, 0) == 0 ? 5 : 1);
	pause_ms(30);
	msgrcv(id, &m, sizeof(m.text), 0, 0);
	child_report("waited for room", pid);
	pid = fork_or_die();
	if (pid == 0) /* EINVAL: it was removed before the child, on a busy machine, came to sleep. */
		_exit(msgrcv(id, &m, sizeof(m.text), 77, 0) == -1 && (errno == EIDRM || errno == EINVAL)
				  ? 6
				  : 1);
	pause_ms(50);
	okay("IPC_RMID", msgctl(id, IPC_RMID, NULL));
	child_report("removed under it", pid);
	result("gone", put(id, 1, "x"));
	return finish();
}
