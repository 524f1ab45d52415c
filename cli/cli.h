/* SPDX-License-Identifier: ISC */
/* The command line: one file per verb, one table (main.c) for dispatch and help. */
#ifndef CLI_CLI_H
#define CLI_CLI_H

#include "monitor/core/error.h"

/* Exit statuses of unifork itself; otherwise it is the program's own. */
enum { EXIT_USAGE = 100, EXIT_SYSTEM = 111, EXIT_CANNOT_EXEC = 126, EXIT_NOT_FOUND = 127 };

/*
 * A verb returns the exit status. A negative one: -EXIT_*, and err has the line to print. Above
 * VERB_SIGNALED: what it ran was ended by signal N.
 */
#define VERB_SIGNALED 256
struct verb {
	const char *name, *synopsis, *summary;
	int (*run)(int argc, char **argv, struct error *err);
	void (*help)(void);
};

int verb_run(int argc, char **argv, struct error *err);
void help_run(void);
int verb_syscalls(int argc, char **argv, struct error *err);
void help_syscalls(void);

/* Families with names. */
int verb_ps(int argc, char **argv, struct error *err);
void help_ps(void);
int verb_stop(int argc, char **argv, struct error *err);
void help_stop(void);
int verb_kill(int argc, char **argv, struct error *err);
void help_kill(void);
int verb_wait(int argc, char **argv, struct error *err);
void help_wait(void);
int verb_rm(int argc, char **argv, struct error *err);
void help_rm(void);
int verb_inspect(int argc, char **argv, struct error *err);
void help_inspect(void);
int verb_logs(int argc, char **argv, struct error *err);
void help_logs(void);
int verb_exec(int argc, char **argv, struct error *err);
void help_exec(void);
int verb_attach(int argc, char **argv, struct error *err);
void help_attach(void);
int verb_events(int argc, char **argv, struct error *err);
void help_events(void);
int verb_port(int argc, char **argv, struct error *err);
void help_port(void);
int verb_pause(int argc, char **argv, struct error *err);
void help_pause(void);
int verb_unpause(int argc, char **argv, struct error *err);
void help_unpause(void);
int verb_stats(int argc, char **argv, struct error *err);
void help_stats(void);
int verb_top(int argc, char **argv, struct error *err);
void help_top(void);

void help_of(const char *verb); /* main.c */

#endif
