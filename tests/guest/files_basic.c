/* SPDX-License-Identifier: ISC */
/*
 * open flags and errors, read, write, lseek, pread, pwrite, truncate, ftruncate, sparse files.
 * @test timeout=30 members=1
 */
#include "guest.h"

int main(void)
{
	char text[64];
	struct stat info;

	work_dir();
	result("open missing", open("file", O_RDONLY));
	int fd = open("file", O_RDWR | O_CREAT | O_EXCL, 0640);
	okay("create", fd);
	result("create again", open("file", O_RDWR | O_CREAT | O_EXCL, 0640));
	result("write", write(fd, "0123456789", 10));
	result("pread", pread(fd, text, 4, 3));
	say("%.4s", text);
	result("pwrite", pwrite(fd, "AB", 2, 4));
	result("lseek end", lseek(fd, 0, SEEK_END));
	result("lseek back", lseek(fd, -7, SEEK_CUR));
	result("read", read(fd, text, 64));
	say("%.7s", text);
	result("read at the end", read(fd, text, 1));
	result("negative lseek", lseek(fd, -1, SEEK_SET));
	result("wrong whence", lseek(fd, 0, 99));
	result("negative pread", pread(fd, text, 1, -1));
	result("lseek beyond", lseek(fd, 1 << 20, SEEK_SET));
	result("write there", write(fd, "z", 1));
	fstat(fd, &info);
	say("size: %ld mode %o links %d", (long)info.st_size, info.st_mode, (int)info.st_nlink);
	check("sparse", info.st_blocks * 512 < 512 * KIB);
	result("hole", pread(fd, text, 8, 500000));
	say("zeros: %d", !memcmp(text, "\0\0\0\0\0\0\0\0", 8));
	result("ftruncate", ftruncate(fd, 3));
	result("truncate longer", truncate("file", 6));
	result("pread", pread(fd, text, 64, 0));
	say("content: %d", !memcmp(text, "012\0\0\0", 6));
	result("truncate negative", truncate("file", -1));
	result("truncate missing", truncate("missing", 1));
	result("truncate directory", truncate(".", 1));
	close(fd);
	fd = open("file", O_RDONLY);
	result("write read-only", write(fd, "x", 1));
	result("ftruncate read-only", ftruncate(fd, 0));
	close(fd);
	fd = open("file", O_WRONLY | O_TRUNC);
	result("read write-only", read(fd, text, 1));
	fstat(fd, &info);
	say("truncated: %ld", (long)info.st_size);
	close(fd);
	result("read closed", read(fd, text, 1));
	result("directory for writing", open(".", O_WRONLY));
	result("O_DIRECTORY on a file", open("file", O_RDONLY | O_DIRECTORY));
	result("file as a directory", open("file/x", O_RDONLY));
	result("trailing slash", open("file/", O_RDONLY));
	result("create with a slash", open("new/", O_RDWR | O_CREAT, 0600));
	result("empty path", open("", O_RDONLY));
	result("bad address", syscall(SYS_open, (void *)8, O_RDONLY, 0));
	fd = open(".", O_RDONLY | O_DIRECTORY);
	result("read a directory", read(fd, text, 1));
	result("close", close(fd));
	result("close again", close(fd));
	fd = open("append", O_RDWR | O_CREAT | O_APPEND, 0600);
	write_all(fd, "one", 3);
	lseek(fd, 0, SEEK_SET);
	write_all(fd, "two", 3);
	say("appended: %s", file_text("append"));
	struct iovec parts[2] = {{"x", 1}, {"yz", 2}};
	result("pwritev", pwritev(fd, parts, 2, 0));
	char a[2] = "", b[8] = "";
	struct iovec into[2] = {{a, 1}, {b, 7}};
	result("preadv", preadv(fd, into, 2, 1));
	say("%s|%s", a, b);
	return finish();
}
