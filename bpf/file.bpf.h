/* SPDX-License-Identifier: Dual MIT/GPL */
/*
 * file.bpf.h - what a thread sleeps on: the file behind the descriptor of its system call, read
 * from the kernel's own tables at that instant. Part of sched.bpf.c.
 *
 * Costs about twenty reads, and so is done for threads that run an event loop only: their sleeps in
 * such calls are what is looked for, and rare.
 */
#ifndef GILSCOPE_FILE_BPF_H
#define GILSCOPE_FILE_BPF_H

#include "common.bpf.h"

/* linux/stat.h */
#define FILE_TYPE   0170000
#define FILE_SOCKET 0140000

/* Descriptor in the first argument, or in the first element of the array that it points to. */
enum descriptor_place { NO_DESCRIPTOR, DESCRIPTOR, DESCRIPTOR_POLLED };

static __always_inline enum descriptor_place descriptor_place(__s32 sysno)
{
	switch (sysno) {
#if defined(__TARGET_ARCH_x86)
	case 0 ... 1:	/* read, write */
	case 17 ... 20: /* pread64, pwrite64, readv, writev */
	case 42 ... 47: /* connect, accept, sendto, recvfrom, sendmsg, recvmsg */
	case 72 ... 75: /* fcntl, flock, fsync, fdatasync */
	case 288:	/* accept4 */
		return DESCRIPTOR;
	case 7:	  /* poll */
	case 271: /* ppoll */
		return DESCRIPTOR_POLLED;
#else
	case 63 ... 68:	  /* read, write, readv, writev, pread64, pwrite64 */
	case 202 ... 203: /* accept, connect */
	case 206 ... 207: /* sendto, recvfrom */
	case 211 ... 212: /* sendmsg, recvmsg */
	case 25:	  /* fcntl */
	case 32:	  /* flock */
	case 82 ... 83:	  /* fsync, fdatasync */
	case 242:	  /* accept4 */
		return DESCRIPTOR;
	case 73: /* ppoll */
		return DESCRIPTOR_POLLED;
#endif
	}
	return NO_DESCRIPTOR;
}

static __always_inline struct file *file_of(__u32 descriptor)
{
	struct task_struct *task = (struct task_struct *)bpf_get_current_task();
	struct fdtable *table = BPF_CORE_READ(task, files, fdt);
	struct file **files = BPF_CORE_READ(table, fd), *file = 0;

	if (descriptor < BPF_CORE_READ(table, max_fds))
		bpf_probe_read_kernel(&file, sizeof(file), &files[descriptor]);
	return file;
}

static __always_inline void read_peer(struct shared_file *record, struct file *file)
{
	struct socket *socket = BPF_CORE_READ(file, private_data);
	struct sock *sock = BPF_CORE_READ(socket, sk);

	record->type = (__u16)BPF_CORE_READ(socket, type);
	record->family = BPF_CORE_READ(sock, __sk_common.skc_family);
	if (record->family == 2) { /* AF_INET */
		record->port = BPF_CORE_READ(sock, __sk_common.skc_dport);
		BPF_CORE_READ_INTO((__be32 *)record->address, sock, __sk_common.skc_daddr);
	} else if (record->family == 10 && /* AF_INET6 */
		   bpf_core_field_exists(sock->__sk_common.skc_v6_daddr)) {
		record->port = BPF_CORE_READ(sock, __sk_common.skc_dport);
		BPF_CORE_READ_INTO((struct in6_addr *)record->address, sock,
				   __sk_common.skc_v6_daddr);
	}
}

/* `argument`: the first one of the system call that the current thread goes to sleep in. */
static __always_inline void send_file(__u64 ts, __u32 tid, __s32 sysno, __u64 argument,
				      __u64 second)
{
	struct shared_file record = {.hdr = HDR(SLEEPS_ON, ts, tid, 0, 0)};
	enum descriptor_place place = descriptor_place(sysno);
	__s32 descriptor = (__s32)argument;
	struct file *file;

	if (!place)
		return;
	if (place == DESCRIPTOR_POLLED &&
	    (second != 1 || bpf_probe_read_user(&descriptor, sizeof(descriptor), (void *)argument)))
		return;
	file = file_of((__u32)descriptor);
	if (!file)
		return;
	record.hdr.type = RING_FILE;
	record.mode = BPF_CORE_READ(file, f_inode, i_mode);
	record.device = BPF_CORE_READ(file, f_inode, i_rdev);
	if ((record.mode & FILE_TYPE) == FILE_SOCKET)
		read_peer(&record, file);
	else
		bpf_probe_read_kernel_str(record.name, sizeof(record.name),
					  BPF_CORE_READ(file, f_path.dentry, d_name.name));
	emit(&record, sizeof(record));
}

#endif
