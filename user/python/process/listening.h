/* SPDX-License-Identifier: MIT */
/*
 * listening.h - the TCP ports on which a process accepts connections.
 */
#ifndef GILSCOPE_PYTHON_PROCESS_LISTENING_H
#define GILSCOPE_PYTHON_PROCESS_LISTENING_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum { LISTENING_PORTS_MAX = 8 };

struct listening_ports {
	uint16_t list[LISTENING_PORTS_MAX]; /* ascending; those beyond are left out */
	uint32_t count;
};

/*
 * Of IPv4 and IPv6, in the network namespace of the process. A socket that was inherited counts: a
 * supervisor and its workers listen on one port. 0, or -errno: without permission to read the
 * process's descriptors nothing is known.
 */
int listening_ports_read(pid_t pid, struct listening_ports *ret_ports);

#endif
