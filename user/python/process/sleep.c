/* SPDX-License-Identifier: MIT */
#include "python/process/sleep.h"

#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "python/process/memory.h"
#include "python/process/pages.h"
#include "python/process/proc.h"

/* Sockets of a network namespace that are looked through for one. */
enum { SOCKETS_MAX = 2048 };

/* The same calls as bpf/file.bpf.h has. */
static bool takes_descriptor(int64_t sysno)
{
	static const int64_t calls[] = {
		SYS_read,    SYS_write,	 SYS_pread64, SYS_pwrite64, SYS_readv,	  SYS_writev,
		SYS_connect, SYS_accept, SYS_accept4, SYS_sendto,   SYS_recvfrom, SYS_sendmsg,
		SYS_recvmsg, SYS_fcntl,	 SYS_flock,   SYS_fsync,    SYS_fdatasync};

	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++)
		if (calls[i] == sysno)
			return true;
	return false;
}

static bool is_poll(int64_t sysno)
{
#ifdef SYS_poll
	if (sysno == SYS_poll)
		return true;
#endif
	return sysno == SYS_ppoll;
}

/* ── sockets ─────────────────────────────────────────────────────────────── */

/* The kernel prints the words of an address as it has them in memory (net/ipv4/tcp_ipv4.c,
 * net/ipv6/tcp_ipv6.c). */
static bool parse_peer(const char *text, struct sleep_file *file)
{
	unsigned int words = file->family == AF_INET ? 1 : 4, port;

	for (unsigned int i = 0; i < words; i++, text += 8) {
		uint32_t word;

		if (sscanf(text, "%8" SCNx32, &word) != 1)
			return false;
		memcpy(file->address + 4 * i, &word, sizeof(word));
	}
	if (sscanf(text, ":%4x", &port) != 1)
		return false;
	file->port = (uint16_t)((port & 0xff) << 8 | port >> 8);
	return true;
}

/* A line of /proc/net/tcp: number, local and remote address, and later the inode. */
static bool parse_socket(const char *line, uint64_t inode, struct sleep_file *file)
{
	char peer[64];
	uint64_t found;

	return sscanf(line,
		      " %*[0-9]: %*s %63s %*x %*[0-9A-Fa-f:] %*[0-9A-Fa-f:] %*x %*u %*u %" SCNu64,
		      peer, &found) == 2 &&
	       found == inode && parse_peer(peer, file);
}

static bool find_in(pid_t pid, const char *table, uint64_t inode, struct sleep_file *file)
{
	_cleanup_(fclosep) FILE *list = NULL;
	char path[64], line[512];

	snprintf(path, sizeof(path), "/proc/%d/net/%s", pid, table);
	list = fopen(path, "re");
	for (int i = 0; list && i < SOCKETS_MAX && fgets(line, sizeof(line), list); i++) {
		if (pages_over())
			return false;
		if (parse_socket(line, inode, file))
			return true;
	}
	return false;
}

static void find_socket(pid_t pid, uint64_t inode, struct sleep_file *ret_file)
{
	static const struct {
		const char *table;
		uint16_t family, type;
	} tables[] = {{"tcp", AF_INET, SOCK_STREAM},
		      {"tcp6", AF_INET6, SOCK_STREAM},
		      {"udp", AF_INET, SOCK_DGRAM},
		      {"udp6", AF_INET6, SOCK_DGRAM}};

	for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++) {
		struct sleep_file file = {.type = S_IFSOCK,
					  .family = tables[i].family,
					  .socket_type = tables[i].type};

		if (!find_in(pid, tables[i].table, inode, &file))
			continue;
		*ret_file = file;
		return;
	}
}

/* ── descriptors ─────────────────────────────────────────────────────────── */

void sleep_file_of(pid_t pid, uint32_t fd, struct sleep_file *ret_file)
{
	char path[64], link[64];
	uint64_t inode;
	ssize_t length;

	*ret_file = (struct sleep_file){0};
	snprintf(path, sizeof(path), "/proc/%d/fd/%u", pid, fd);
	length = readlink(path, link, sizeof(link) - 1);
	if (length <= 0)
		return;
	link[length] = 0;
	if (sscanf(link, "socket:[%" SCNu64 "]", &inode) == 1) {
		ret_file->type = S_IFSOCK;
		find_socket(pid, inode, ret_file);
	} else if (strncmp(link, "pipe:[", 6) == 0) {
		ret_file->type = S_IFIFO;
	} else if (sscanf(link, "/dev/pts/%" SCNu32, &ret_file->terminal) == 1) {
		ret_file->type = S_IFCHR;
	}
}

void sleep_file_read(pid_t pid, uint32_t tid, struct sleep_file *ret_file)
{
	uint64_t first, second;
	struct pollfd polled;
	char path[64], text[256];
	int64_t sysno;

	*ret_file = (struct sleep_file){0};
	snprintf(path, sizeof(path), "/proc/%d/task/%u/syscall", pid, tid);
	if (proc_read(path, text, sizeof(text)) <= 0 ||
	    sscanf(text, "%" SCNd64 " 0x%" SCNx64 " 0x%" SCNx64, &sysno, &first, &second) != 3)
		return;
	if (takes_descriptor(sysno))
		sleep_file_of(pid, (uint32_t)first, ret_file);
	else if (is_poll(sysno) && second == 1 &&
		 !memory_read(pid, first, &polled, sizeof(polled)) && polled.fd >= 0)
		sleep_file_of(pid, (uint32_t)polled.fd, ret_file);
}
