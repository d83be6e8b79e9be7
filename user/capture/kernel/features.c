/* SPDX-License-Identifier: MIT */
#include "capture/kernel/features.h"

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <cap-ng.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <linux/magic.h>
#include <linux/seccomp.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/diag.h"
#include "capture/kernel/clocks.h"
#include "capture/kernel/load.h"

DEFINE_CLEANUP(btf__free, struct btf *, btf__free, NULL)

static const struct feature TABLE[FEATURE_COUNT] = {
	[FEATURE_CAPABILITIES] =
		{.name = "capabilities",
		 .purpose = "load BPF programs, set uprobes, read the target's memory",
		 .required = true},
	[FEATURE_PID_NAMESPACE] = {.name = "pid namespace",
				   .purpose = "PIDs as the kernel reports them",
				   .required = true},
	[FEATURE_BTF] = {.name = "kernel BTF",
			 .purpose = "offsets of kernel structures, typed tracepoints",
			 .required = true},
	[FEATURE_LOCKDOWN] = {.name = "lockdown",
			      .purpose = "BPF may read kernel and user memory",
			      .required = true},
	[FEATURE_RINGBUF] = {.name = "BPF ring buffer",
			     .purpose = "records in one stream (kernel 5.8)",
			     .required = true},
	[FEATURE_UPROBES] = {.name = "uprobes",
			     .purpose = "every take, drop and wait of the GIL",
			     .required = true},
	[FEATURE_UPROBE_MULTI] = {.name = "uprobe_multi",
				  .purpose = "probes come and go together, not one by one"},
	[FEATURE_SCHED] = {.name = "scheduler events",
			   .purpose = "on a CPU, asleep, woken, waiting for a CPU and behind whom",
			   .required = true},
	[FEATURE_LIFECYCLE] = {.name = "thread events",
			       .purpose = "threads born, renamed and gone; exit and exec",
			       .required = true},
	[FEATURE_EPOLL] = {.name = "epoll waits",
			   .purpose = "turns of event loops",
			   .required = true},
	[FEATURE_TASK_REGS] =
		{.name = "sleep reasons",
		 .purpose = "registers of the system call a thread sleeps in (kernel 5.15)"},
	[FEATURE_THROTTLE] = {.name = "cgroup throttling", .purpose = "time the CPU quota took"},
	[FEATURE_CLOCK] = {.name = "sampling clock",
			   .purpose = "Python stacks of threads on a CPU"},
	[FEATURE_PROGRAMS] = {.name = "BPF programs",
			      .purpose = "the kernel takes every probe of this build",
			      .required = true},
	[FEATURE_TRACEFS] = {.name = "tracefs",
			     .purpose = "not needed: raw tracepoints and the uprobe PMU are used"},
	[FEATURE_FILTER] = {.name = "system call filter",
			    .purpose = "while it observes, gilscope can do little else"},
	[FEATURE_GIVING_UP] =
		{.name = "rights given up",
		 .purpose = "once the probes are in place; CAP_BPF too, unless its maps need it"},
};

/* the files of tracefs that libbpf reads */
static const char *const TRACEFS[] = {"/sys/kernel/tracing/events/raw_syscalls/sys_enter/id",
				      "/sys/kernel/debug/tracing/events/raw_syscalls/sys_enter/id"};

static void __attribute__((format(printf, 3, 4))) found(struct feature *feature, bool available,
							const char *format, ...)
{
	va_list args;

	feature->available = available;
	va_start(args, format);
	vsnprintf(feature->found, sizeof(feature->found), format, args);
	va_end(args);
}

/* Not known, for a reason that says nothing about the kernel. */
static void __attribute__((format(printf, 2, 3))) unchecked(struct feature *feature,
							    const char *format, ...)
{
	va_list args;

	feature->available = false;
	feature->unchecked = true;
	va_start(args, format);
	vsnprintf(feature->found, sizeof(feature->found), format, args);
	va_end(args);
}

static void __attribute__((format(printf, 2, 3))) remedy(struct feature *feature,
							 const char *format, ...)
{
	va_list args;

	if (feature->available)
		return;
	va_start(args, format);
	vsnprintf(feature->remedy, sizeof(feature->remedy), format, args);
	va_end(args);
}

static bool on_file_system(const char *path, long magic)
{
	struct statfs fs;

	return statfs(path, &fs) == 0 && (long)fs.f_type == magic;
}

static bool have_sysfs(void)
{
	return on_file_system("/sys", SYSFS_MAGIC);
}

/* The inode of one of gilscope's namespaces, 0 if it is the kernel's initial one. 0, or -errno if
 * that cannot be determined. */
static int own_namespace(const char *path, ino_t initial, uint32_t *ret_inode)
{
	struct stat st;

	if (stat(path, &st) < 0)
		return -errno;
	*ret_inode = st.st_ino == initial ? 0 : (uint32_t)st.st_ino;
	return 0;
}

static void probe_capabilities(struct feature *feature)
{
	static const struct {
		unsigned int cap;
		const char *name;
		bool admin_will_do; /* CAP_SYS_ADMIN includes it */
	} needed[] = {
		{CAP_BPF, "CAP_BPF", true},
		{CAP_PERFMON, "CAP_PERFMON", true},
		{CAP_SYS_PTRACE, "CAP_SYS_PTRACE", false},
		/* /proc/PID/fd of another user's process is searched for epoll descriptors */
		{CAP_DAC_READ_SEARCH, "CAP_DAC_READ_SEARCH", false},
	};
	/* PROC_USER_INIT_INO, include/linux/proc_ns.h */
	const ino_t initial_user = 0xEFFFFFFDu;
	char missing[128] = "";
	uint32_t other = 0;

	capng_get_caps_process();
	bool admin = capng_have_capability(CAPNG_EFFECTIVE, CAP_SYS_ADMIN);

	for (size_t i = 0; i < sizeof(needed) / sizeof(needed[0]); i++) {
		if (capng_have_capability(CAPNG_EFFECTIVE, needed[i].cap) ||
		    (admin && needed[i].admin_will_do))
			continue;
		snprintf(missing + strlen(missing), sizeof(missing) - strlen(missing), "%s%s",
			 missing[0] ? ", " : "", needed[i].name);
	}
	feature->permission = true;
	(void)own_namespace("/proc/self/ns/user", initial_user, &other);
	if (missing[0]) {
		found(feature, false, "missing: %s", missing);
		remedy(feature,
		       "run it with sudo, or in a container with --privileged or --cap-add for %s",
		       missing);
	} else if (other) {
		found(feature, false,
		      "all, but of a user namespace: the kernel asks for those of the initial one");
		remedy(feature, "run it as root of the host, not of a user namespace (unshare -r, "
				"a rootless container)");
	} else {
		found(feature, true, "%s", admin ? "all, with CAP_SYS_ADMIN" : "all");
	}
}

/* A /proc that was mounted outside of this PID namespace has other numbers in it. */
static bool proc_is_own(void)
{
	char number[16] = "";

	return readlink("/proc/self", number, sizeof(number) - 1) > 0 && atoi(number) == getpid();
}

static void probe_pid_namespace(struct feature *feature, uint32_t *ret_inode)
{
	/* PROC_PID_INIT_INO, include/linux/proc_ns.h */
	const ino_t initial_pid = 0xEFFFFFFCu;
	int err = own_namespace("/proc/self/ns/pid", initial_pid, ret_inode);

	if (err && !on_file_system("/proc", PROC_SUPER_MAGIC)) {
		found(feature, false, "/proc is not mounted");
		remedy(feature, "mount it: mount -t proc proc /proc");
	} else if (err) {
		unchecked(feature, "/proc/self/ns/pid cannot be read: %s", strerror(-err));
	} else if (!proc_is_own()) {
		found(feature, false, "not that of /proc");
		remedy(feature, "mount a /proc of this namespace (unshare --mount-proc), or run "
				"gilscope where /proc was mounted");
	} else {
		found(feature, true, *ret_inode ? "a container's own" : "initial");
	}
}

static void probe_btf(struct feature *feature, const struct btf *btf, int err)
{
	if (btf) {
		found(feature, true, "/sys/kernel/btf/vmlinux");
	} else if (!have_sysfs()) {
		found(feature, false, "/sys is not mounted");
		remedy(feature, "mount it: mount -t sysfs sysfs /sys");
	} else if (access("/sys/kernel/btf/vmlinux", F_OK) == 0) {
		found(feature, false, "/sys/kernel/btf/vmlinux cannot be read: %s", strerror(err));
		remedy(feature, "look at its permissions, and at the memory that is left");
	} else {
		found(feature, false, "no /sys/kernel/btf/vmlinux");
		remedy(feature, "needs a kernel with CONFIG_DEBUG_INFO_BTF; the distributions' "
				"kernels have it");
	}
}

static void probe_lockdown(struct feature *feature)
{
	_cleanup_(fclosep) FILE *file = fopen("/sys/kernel/security/lockdown", "re");
	int err = file ? 0 : -errno;
	char line[128] = "";

	if (file && fgets(line, sizeof(line), file)) {
		line[strcspn(line, "\n")] = '\0';
		found(feature, !strstr(line, "[confidentiality]"), "%s", line);
		remedy(feature, "confidentiality mode forbids BPF to read memory: boot with "
				"lockdown=integrity or none");
	} else if (err == -ENOENT && on_file_system("/sys/kernel/security", SECURITYFS_MAGIC)) {
		found(feature, true, "not in force");
	} else {
		unchecked(feature, !err || err == -ENOENT
					   ? "securityfs is not mounted"
					   : "/sys/kernel/security/lockdown cannot be read");
	}
}

/* Not libbpf_probe_bpf_map_type(), which takes every failure for a missing feature. */
static void probe_ringbuf(struct feature *feature)
{
	unsigned int bytes = (unsigned int)sysconf(_SC_PAGESIZE);
	int fd = bpf_map_create(BPF_MAP_TYPE_RINGBUF, NULL, 0, 0, bytes, NULL);
	int err = fd < 0 ? -errno : 0;

	if (!err) {
		found(feature, true, "yes");
		close(fd);
	} else if (err == -EINVAL) {
		found(feature, false, "the kernel has none");
		remedy(feature, "needs kernel 5.8 or later");
	} else {
		unchecked(feature, "%s", err == -EPERM ? "not permitted" : strerror(-err));
	}
}

static void probe_uprobes(struct feature *feature)
{
	bool pmu = access("/sys/bus/event_source/devices/uprobe/type", R_OK) == 0;

	if (!pmu && !have_sysfs()) {
		unchecked(feature, "/sys is not mounted");
		return;
	}
	found(feature, pmu,
	      pmu ? "perf uprobe PMU" : "no uprobe PMU in /sys/bus/event_source/devices");
	remedy(feature, "needs a kernel with CONFIG_UPROBE_EVENTS");
}

/* Raw tracepoints of the kernel have prototypes that are BTF types named btf_trace_NAME. */
static void probe_tracepoints(struct feature *feature, const struct btf *btf,
			      const char *const names[])
{
	char type[80], missing[128] = "";

	if (!btf) {
		unchecked(feature, "needs kernel BTF");
		return;
	}
	for (size_t i = 0; names[i]; i++) {
		snprintf(type, sizeof(type), "btf_trace_%s", names[i]);
		if (btf__find_by_name_kind(btf, type, BTF_KIND_TYPEDEF) < 0)
			snprintf(missing + strlen(missing), sizeof(missing) - strlen(missing),
				 " %s", names[i]);
	}
	if (missing[0])
		found(feature, false, "tracepoints missing:%s", missing);
	else
		found(feature, true, "raw tracepoints");
	remedy(feature,
	       "needs a kernel with these tracepoints (CONFIG_FTRACE_SYSCALLS for system calls)");
}

static bool has_enumerator(const struct btf *btf, const char *type, const char *name)
{
	int id = btf ? btf__find_by_name_kind(btf, type, BTF_KIND_ENUM) : -1;
	const struct btf_type *t = id > 0 ? btf__type_by_id(btf, (uint32_t)id) : NULL;

	for (uint16_t i = 0; t && i < btf_vlen(t); i++)
		if (!strcmp(btf__name_by_offset(btf, btf_enum(t)[i].name_off), name))
			return true;
	return false;
}

static bool has_member(const struct btf *btf, const char *type, const char *member)
{
	int id = btf ? btf__find_by_name_kind(btf, type, BTF_KIND_STRUCT) : -1;
	const struct btf_type *t = id > 0 ? btf__type_by_id(btf, (uint32_t)id) : NULL;

	for (uint16_t i = 0; t && i < btf_vlen(t); i++)
		if (!strcmp(btf__name_by_offset(btf, btf_members(t)[i].name_off), member))
			return true;
	return false;
}

static void probe_kernel_details(struct features *features, const struct btf *btf)
{
	struct feature *regs = &features->list[FEATURE_TASK_REGS],
		       *throttle = &features->list[FEATURE_THROTTLE];
	bool have_task_regs = has_enumerator(btf, "bpf_func_id", "BPF_FUNC_task_pt_regs");
	struct feature *multi = &features->list[FEATURE_UPROBE_MULTI];

	features->cookies = has_enumerator(btf, "bpf_func_id", "BPF_FUNC_get_attach_cookie");
	if (!btf) {
		unchecked(regs, "needs kernel BTF");
		unchecked(multi, "needs kernel BTF");
		unchecked(throttle, "needs kernel BTF");
		return;
	}
	found(regs, have_task_regs,
	      have_task_regs
		      ? "system call of every sleep"
		      : "no: they are read from the end of the kernel stack, which is as exact");
	remedy(regs, "none needed; kernel 5.15 has it");

	/*
	 * uprobe_multi came with 6.6, but its pid filter took one thread for the process until
	 * 46ba0e49b642 ("bpf: fix multi-uprobe PID filtering logic", 6.10). Sessions came
	 * with 6.13, so where they are the filter is right.
	 */
	found(multi, has_enumerator(btf, "bpf_attach_type", "BPF_TRACE_UPROBE_SESSION"), "%s",
	      has_enumerator(btf, "bpf_attach_type", "BPF_TRACE_UPROBE_SESSION")
		      ? "yes"
		      : "no: one perf event for each site, which is as exact");
	remedy(multi, "none needed; kernel 6.13 has it");

	if (has_member(btf, "task_struct", "throttled"))
		found(throttle, true, "per task (kernel 6.18 on)");
	else if (has_member(btf, "cfs_rq", "throttle_count"))
		found(throttle, true, "per run queue");
	else
		found(throttle, false, "the kernel has no CPU quotas (CONFIG_CFS_BANDWIDTH)");
	remedy(throttle, "none needed: without quotas nothing is throttled");
}

/*
 * Can a thread be preempted while it runs a tracing program? It can in kernels in which an SRCU
 * domain protects tracepoints. Before 6.13 there was an unrelated one of the same name; it was
 * removed when the tracepoints of system calls were marked as faultable.
 */
static bool has_preemptible_programs(const struct btf *btf)
{
	return has_member(btf, "tracepoint_ext", "faultable") &&
	       btf__find_by_name_kind(btf, "tracepoint_srcu_srcu_data", BTF_KIND_VAR) > 0;
}

static void probe_tracefs(struct features *features, const struct btf *btf)
{
	struct feature *feature = &features->list[FEATURE_TRACEFS];
	bool preemptible = has_preemptible_programs(btf), readable = false, mounted = false;
	const char *state = "not mounted";

	for (size_t i = 0; i < sizeof(TRACEFS) / sizeof(TRACEFS[0]); i++) {
		mounted |= access(TRACEFS[i], F_OK) == 0;
		readable |= access(TRACEFS[i], R_OK) == 0;
	}
	features->syscall_events = preemptible && readable;
	if (preemptible)
		feature->purpose = "every wait of an event loop, also while other threads are in "
				   "the same probe (needed on this kernel)";
	if (readable)
		state = "mounted";
	else if (mounted)
		state = "not readable";
	found(feature, readable || !preemptible, "%s", state);
	remedy(feature,
	       "mount it, with mount -t tracefs tracefs /sys/kernel/tracing, and run as root; "
	       "without it waits of event loops may be missed, and the time around is unknown");
}

static void probe_clock(struct feature *feature)
{
	int fd = clock_open(0, 1);

	feature->permission = fd == -EPERM || fd == -EACCES;
	if (fd >= 0) {
		found(feature, true, "perf software clock");
		close(fd);
	} else if (fd == -ENOSYS || fd == -ENOENT || fd == -EOPNOTSUPP || fd == -ENODEV) {
		found(feature, false, "%s", strerror(-fd));
		remedy(feature, "needs a kernel with CONFIG_PERF_EVENTS; without it CPU time is "
				"not attributed to functions");
	} else {
		unchecked(feature, "%s", feature->permission ? "not permitted" : strerror(-fd));
		remedy(feature, "without it CPU time is not attributed to functions");
	}
}

bool features_clock(void)
{
	struct feature feature = {0};

	probe_clock(&feature);
	return feature.available;
}

/* The filter itself is not installed, because it could not be removed again. */
static void probe_filter(struct feature *feature)
{
	const __u32 action = SECCOMP_RET_ERRNO;
	int err = syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action) < 0 ? -errno : 0;

	if (!err)
		found(feature, true, "the kernel has it");
	else if (err == -ENOSYS || err == -EINVAL || err == -EOPNOTSUPP)
		found(feature, false, "the kernel has none (CONFIG_SECCOMP_FILTER)");
	else
		unchecked(feature, "%s", strerror(-err));
	remedy(feature, "gilscope works without it, with one safeguard less");
}

/* The capabilities that cmd/pipeline/confine.c keeps. It also keeps CAP_BPF if the maps of an
 * observation turn out to need it. */
static void probe_giving_up(struct feature *feature)
{
	static const struct {
		unsigned int cap;
		const char *name;
	} kept[] = {{CAP_SYS_PTRACE, "SYS_PTRACE"},
		    {CAP_DAC_READ_SEARCH, "DAC_READ_SEARCH"},
		    {CAP_CHECKPOINT_RESTORE, "CHECKPOINT_RESTORE"}};
	char names[100] = "none";
	size_t length = 0;

	capng_get_caps_process();
	for (size_t i = 0; i < sizeof(kept) / sizeof(kept[0]); i++)
		if (capng_have_capability(CAPNG_PERMITTED, kept[i].cap) > 0)
			length += (size_t)snprintf(names + length, sizeof(names) - length, "%s%s",
						   length ? ", " : "", kept[i].name);
	found(feature, true, "all but %s%s", names,
	      capng_have_capability(CAPNG_EFFECTIVE, CAP_SETPCAP) > 0
		      ? ""
		      : "; the bounding set stays (no CAP_SETPCAP)");
}

void features_probe(struct features *features)
{
	static const char *const sched[] = {"sched_switch",	  "sched_waking",
					    "sched_wakeup",	  "sched_wakeup_new",
					    "sched_migrate_task", NULL};
	static const char *const life[] = {"sched_process_fork", "sched_process_exit",
					   "sched_process_exec", "task_rename",
					   "signal_generate",	 NULL};
	static const char *const epoll[] = {"sys_enter", "sys_exit", NULL};
	_cleanup_(btf__freep) struct btf *btf = NULL;
	struct feature *list = features->list;
	int btf_err;

	load_prepare();
	btf = btf__load_vmlinux_btf();
	btf_err = errno;
	*features = (struct features){0};
	memcpy(features->list, TABLE, sizeof(TABLE));
	for (int i = 0; i < FEATURE_COUNT; i++)
		list[i].id = (enum feature_id)i;
	probe_capabilities(&list[FEATURE_CAPABILITIES]);
	probe_pid_namespace(&list[FEATURE_PID_NAMESPACE], &features->pid_namespace);
	probe_btf(&list[FEATURE_BTF], btf, btf_err);
	probe_lockdown(&list[FEATURE_LOCKDOWN]);
	probe_ringbuf(&list[FEATURE_RINGBUF]);
	probe_uprobes(&list[FEATURE_UPROBES]);
	probe_tracepoints(&list[FEATURE_SCHED], btf, sched);
	probe_tracepoints(&list[FEATURE_LIFECYCLE], btf, life);
	probe_tracepoints(&list[FEATURE_EPOLL], btf, epoll);
	probe_kernel_details(features, btf);
	probe_tracefs(features, btf);
	probe_clock(&list[FEATURE_CLOCK]);
	unchecked(&list[FEATURE_PROGRAMS], "they are loaded when a process is observed");
	probe_filter(&list[FEATURE_FILTER]);
	probe_giving_up(&list[FEATURE_GIVING_UP]);
}

void features_try_programs(struct features *features)
{
	struct feature *feature = &features->list[FEATURE_PROGRAMS];
	struct diag diag = {0};

	if (features_require(features, MODE_FUTEX, &diag)) {
		unchecked(feature, "what is missing above comes first");
		return;
	}
	*feature = TABLE[FEATURE_PROGRAMS];
	feature->id = FEATURE_PROGRAMS;
	if (load_try(features, &diag)) {
		feature->permission = diag.status == EXIT_NOT_PERMITTED;
		found(feature, false, "%s", diag.what);
		remedy(feature, "%s", diag.hint);
	} else {
		struct feature *lockdown = &features->list[FEATURE_LOCKDOWN];

		found(feature, true, "accepted");
		/* in confidentiality mode the verifier rejects helpers that read memory */
		if (lockdown->unchecked) {
			lockdown->unchecked = false;
			found(lockdown, true, "programs that read memory load");
		}
	}
}

const char *feature_state(const struct feature *feature)
{
	if (feature->available)
		return "ok";
	if (feature->unchecked)
		return "not_checked";
	return feature->required ? "no" : "absent";
}

static bool is_missing(const struct feature *feature, enum evidence_mode mode)
{
	return feature->required && !feature->available && !feature->unchecked &&
	       (feature->id != FEATURE_UPROBES || mode != MODE_FUTEX);
}

bool features_only_futex(const struct features *features)
{
	for (int i = 0; i < FEATURE_COUNT; i++)
		if (is_missing(&features->list[i], MODE_FUTEX))
			return false;
	return is_missing(&features->list[FEATURE_UPROBES], MODE_EDGES);
}

int features_require(const struct features *features, enum evidence_mode mode, struct diag *diag)
{
	for (int i = 0; i < FEATURE_COUNT; i++) {
		const struct feature *feature = &features->list[i];

		if (!is_missing(feature, mode))
			continue;
		if (feature->id == FEATURE_PROGRAMS) /* `found` is a whole sentence */
			diag_set(diag, feature->permission ? EXIT_NOT_PERMITTED : EXIT_FAILED, 0,
				 "%s", feature->found);
		else
			diag_set(diag, feature->permission ? EXIT_NOT_PERMITTED : EXIT_FAILED, 0,
				 "%s: %s", feature->name, feature->found);
		if (features_only_futex(features))
			diag_hint(diag, "%s; or observe without them: --mode futex",
				  feature->remedy);
		else
			diag_hint(diag, "%s", feature->remedy);
		return feature->permission ? -EPERM : -EOPNOTSUPP;
	}
	return 0;
}
