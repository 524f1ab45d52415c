/* SPDX-License-Identifier: ISC */
/*
 * A datagram on the socket that members have of a published UDP port: an address of the client, a
 * struct sockaddr_in or sockaddr_in6 of the host's filled with zeros, then the data.
 */
#ifndef ABI_RELAY_H
#define ABI_RELAY_H

#define RELAY_HEAD 28

#endif
