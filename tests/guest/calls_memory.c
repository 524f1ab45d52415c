/* SPDX-License-Identifier: ISC */
/*
 * msync, mincore and memfd_create, and semop in its first form.
 * @test timeout=30 members=1
 */
#include "guest.h"
#include <sys/ipc.h>
#include <sys/sem.h>

int main(void)
{
	unsigned char present[4];
	char text[8] = "";
	size_t page = 4096;

	int fd = (int)syscall(SYS_memfd_create, "name", 1 /* MFD_CLOEXEC */);
	okay("memfd_create", fd);
	result("flags", fcntl(fd, F_GETFD));
	result("memfd_create wrong", syscall(SYS_memfd_create, "name", 0x100));
	result("ftruncate", ftruncate(fd, (off_t)(4 * page)));
	char *map = mmap(NULL, 4 * page, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	check("mmap", map != MAP_FAILED);
	memcpy(map + page, "shared", 6);
	result("msync", msync(map, 4 * page, MS_SYNC));
	result("msync not aligned", msync(map + 1, page, MS_SYNC));
	result("msync both", msync(map, page, MS_SYNC | MS_ASYNC));
	result("pread", pread(fd, text, 6, (off_t)page));
	say("%s", text);
	char *private =
		mmap(NULL, 4 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	private[page] = 1;
	result("mincore", mincore(private, 4 * page, present));
	say("touched page: %d", present[1] & 1);
	munmap(private + 2 * page, page);
	result("mincore with a hole", mincore(private, 4 * page, present));
	result("msync with a hole", msync(private, 4 * page, MS_ASYNC));
	result("mincore not aligned", mincore(private + 1, page, present));

	int id = semget(IPC_PRIVATE, 1, 0600);
	struct sembuf up = {0, 2, 0}, down = {0, -3, IPC_NOWAIT};
	result("semop", syscall(SYS_semop, id, &up, 1));
	result("value", semctl(id, 0, GETVAL));
	result("semop too much", syscall(SYS_semop, id, &down, 1));
	result("semop none", syscall(SYS_semop, id, &down, 0));
	result("remove", semctl(id, 0, IPC_RMID));
	result("semop removed", syscall(SYS_semop, id, &up, 1));
	return finish();
}
