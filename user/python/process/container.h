/* SPDX-License-Identifier: MIT */
/*
 * container.h - which container a process runs in, by the name of its cgroup: that is where the
 * programs that start containers leave their ids, and it can be read without asking them.
 */
#ifndef GILSCOPE_PYTHON_PROCESS_CONTAINER_H
#define GILSCOPE_PYTHON_PROCESS_CONTAINER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* "docker 4f5e6d7c8b9a" (the 12 digits that `docker ps` and `crictl ps` show), "podman …",
 * "containerd …", "CRI-O …", "container …" (an id, by whom is not said), "LXC web",
 * "machine web" (systemd-nspawn); "" for a process in none, or if its cgroup does not say. */
#define CONTAINER_NAME_MAX 64
void container_name(pid_t pid, char to[static CONTAINER_NAME_MAX]);
/* The same from the text of /proc/PID/cgroup, which is hostile. */
void container_name_parse(const char *text, char to[static CONTAINER_NAME_MAX]);

/* Whether the process has this PID in a PID namespace below ours. */
bool container_has_pid(pid_t pid, uint32_t inside);

#endif
