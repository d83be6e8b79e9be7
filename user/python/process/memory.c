/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <string.h>
#include <sys/uio.h>

#include "python/process/memory.h"
#include "python/process/pages.h"

static int read_present(pid_t pid, uint64_t address, void *to, size_t length)
{
	struct iovec local = {.iov_base = to, .iov_len = length};
	struct iovec remote = {.iov_base = (void *)(uintptr_t)address, .iov_len = length};
	ssize_t got = process_vm_readv(pid, &local, 1, &remote, 1, 0);

	if (got < 0)
		return -errno;
	return (size_t)got == length ? 0 : -EFAULT;
}

int memory_read(pid_t pid, uint64_t address, void *to, size_t length)
{
	struct pages_seen seen = {0};
	size_t done = 0;

	while (done < length) {
		size_t here;
		enum page page = pages_look(pid, address + done, length - done, &seen, &here);
		int err = page == PAGE_WAITS ? seen.err : 0;

		if (page == PAGE_READ)
			err = read_present(pid, address + done, (char *)to + done, here);
		else if (page == PAGE_ZERO)
			memset((char *)to + done, 0, here);
		if (err)
			return err;
		done += here;
	}
	return 0;
}

int memory_read_u64(pid_t pid, uint64_t address, uint64_t *ret_value)
{
	uint64_t value;
	int err = memory_read(pid, address, &value, sizeof(value));

	if (!err)
		*ret_value = value;
	return err;
}

int memory_read_u32(pid_t pid, uint64_t address, uint32_t *ret_value)
{
	uint32_t value;
	int err = memory_read(pid, address, &value, sizeof(value));

	if (!err)
		*ret_value = value;
	return err;
}

void memory_read_each(pid_t pid, const uint64_t *addresses, size_t count, void *to, size_t size)
{
	enum { AT_ONCE = 256 };
	struct iovec remote[AT_ONCE];
	struct pages_seen seen = {0};
	size_t done = 0;

	memset(to, 0, count * size);
	while (done < count) {
		size_t now = count - done < AT_ONCE ? count - done : AT_ONCE;
		struct iovec local = {.iov_base = (char *)to + done * size, .iov_len = now * size};
		ssize_t got;

		for (size_t i = 0; i < now; i++) {
			uint64_t address = addresses[done + i];

			/* what may not be touched is address 0, which cannot be read */
			remote[i] = (struct iovec){
				.iov_base = (void *)(uintptr_t)(pages_answer(pid, address, size,
									     &seen)
									? address
									: 0),
				.iov_len = size};
		}
		got = process_vm_readv(pid, &local, 1, remote, now, 0);
		done += got < 0 ? 0 : (size_t)got / size;
		if (got != (ssize_t)(now * size) && done < count) {
			memset((char *)to + done * size, 0, size); /* perhaps its first half */
			done++;
		}
	}
}

int memory_read_text(pid_t pid, uint64_t address, char *to, size_t size)
{
	enum { PAGE_BYTES = 4096 };
	size_t done = 0;

	/* the next page is read only if the text continues there */
	while (done + 1 < size) {
		size_t room = size - 1 - done, here = PAGE_BYTES - (address + done) % PAGE_BYTES,
		       length = here < room ? here : room;
		int err = memory_read(pid, address + done, to + done, length);

		if (err)
			return err;
		if (memchr(to + done, 0, length))
			return 0;
		done += length;
	}
	to[done] = 0;
	return 0;
}
