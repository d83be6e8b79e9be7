/* SPDX-License-Identifier: MIT */
/*
 * notify.h - reports to the service manager that started this process, by the protocol of
 * sd_notify(3): datagrams to the socket that NOTIFY_SOCKET names. libsystemd would open that socket
 * for each of them, which a confined process may not.
 */
#ifndef GILSCOPE_CMD_WATCH_NOTIFY_H
#define GILSCOPE_CMD_WATCH_NOTIFY_H

#include <stdint.h>

struct notify {
	int socket;	   /* -1: there is no service manager that wants to know */
	uint64_t every_ns; /* of signs of life; 0: none are wanted */
	uint64_t ts;	   /* of the last one */
};

/* Before confining; takes the variables out of the environment. A socket that cannot be reached is
 * as if there were none. */
void notify_begin(struct notify *notify);
/* "READY=1", "STOPPING=1". Never blocks. */
void notify_send(const struct notify *notify, const char *state);
/* A sign of life, if it is time for one (WatchdogSec=). */
void notify_alive(struct notify *notify, uint64_t now);
void notify_done(struct notify *notify);

#endif
