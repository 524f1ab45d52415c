/* SPDX-License-Identifier: ISC */
/*
 * Lines for the monitor's log, and the two ways in which things end badly: for this member, or for
 * the whole family.
 */
#include <stdatomic.h>

#include "abi/boot.h"
#include "abi/kin.h"
#include "kernel/host/host.h"
#include "kernel/lib/lib.h"

#define LINE_MAX 512

void klog(const char *fmt, ...)
{
	char line[LINE_MAX];
	va_list ap;
	int n;

	if (!(BOOT_INFO->flags & BOOT_VERBOSE))
		return;
	va_start(ap, fmt);
	n = kvsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	host_log(line, MIN((size_t)n, sizeof(line) - 1));
}

_Noreturn void kpanic(const char *fmt, ...)
{
	char line[LINE_MAX];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = kvsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	host_panic(line, MIN((size_t)n, sizeof(line) - 1));
}

/*
 * The first of several members to come here writes the text; then all wait for the supervisor,
 * which ends them.
 */
_Noreturn void family_fatal(const char *fmt, ...)
{
	static _Atomic u32 here;
	char line[sizeof(KIN->fatal_text)];
	va_list ap;

	va_start(ap, fmt);
	kvsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	/*
	 * A second call within this member comes from below: say what it is rather than wait for ever.
	 */
	if (atomic_exchange(&here, 1))
		host_panic(line, strlen(line));
	if (!atomic_load(&KIN->fatal)) {
		memcpy(KIN->fatal_text, line, sizeof(line));
		atomic_store(&KIN->fatal, 1);
	}
	for (;;) {
		host_notify();
		host_sleep(atomic_load(&KIN->members[BOOT_INFO->member].doorbell), HYP_NO_DEADLINE, NULL, 0,
			   HYP_NO_MEMBER, NULL);
	}
}
