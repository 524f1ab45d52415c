/* SPDX-License-Identifier: ISC */
/*
 * Put before every source of the supervisor (-include): what it asks of the host about processes
 * goes to fuzz_mailbox.c, which knows who is its child. What is not named here is made as it is.
 */
#ifndef TESTS_FUZZ_MAILBOX_HOST_H
#define TESTS_FUZZ_MAILBOX_HOST_H

#define kill mailbox_kill
#define fork mailbox_fork
#define vfork mailbox_fork
#define wait4 mailbox_wait4
#define waitid mailbox_waitid
#define waitpid mailbox_waitpid
#define syscall mailbox_syscall
#define poll mailbox_poll
#define ppoll mailbox_ppoll
#define pidfd_open mailbox_pidfd_open
#define pidfd_send_signal mailbox_pidfd_send_signal
#define sendmsg mailbox_sendmsg
#define close mailbox_close
#define fcntl mailbox_fcntl

#endif
