/* SPDX-License-Identifier: ISC */
/* Files of /proc/net about the internet families. */
#ifndef KERNEL_NET_INET_PROC_H
#define KERNEL_NET_INET_PROC_H

#include "common/types.h"

struct text;
struct proc_target;
/* Lines of some files are filled with blanks. */
void line_end(struct text *t, const char *line, u32 width);
s64 show_net_tcp(struct text *t, const struct proc_target *p);
s64 show_net_tcp6(struct text *t, const struct proc_target *p);
s64 show_net_udp(struct text *t, const struct proc_target *p);
s64 show_net_udp6(struct text *t, const struct proc_target *p);
s64 show_net_raw(struct text *t, const struct proc_target *p);
s64 show_net_dev(struct text *t, const struct proc_target *p);
s64 show_net_route(struct text *t, const struct proc_target *p);
s64 show_net_arp(struct text *t, const struct proc_target *p);
s64 show_net_if_inet6(struct text *t, const struct proc_target *p);
s64 show_net_snmp(struct text *t, const struct proc_target *p);
s64 show_net_sockstat(struct text *t, const struct proc_target *p);
s64 show_net_sockstat6(struct text *t, const struct proc_target *p);

#endif
