/* SPDX-License-Identifier: MIT */
#include "capture/kernel/load.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/diag.h"
#include "capture/capture.h"
#include "capture/kernel/refusal.h"
#include "capture/kernel/uprobes.h"
#include "bpf/shared.h"
#include "gilscope.skel.h"

DEFINE_CLEANUP(gilscope_bpf__destroy, struct gilscope_bpf *, gilscope_bpf__destroy, NULL)

/* libbpf's warnings are kept here instead of being printed. */
static char last_words[400];
static struct refusal refusal;

static int listen(enum libbpf_print_level level, const char *format, va_list args)
{
	_cleanup_(freep) char *message = NULL;

	if (level != LIBBPF_WARN || vasprintf(&message, format, args) < 0) {
		message = NULL; /* undefined after a failure */
		return 0;
	}
	refusal_note(&refusal, message);
	snprintf(last_words, sizeof(last_words), "%.*s", (int)strcspn(message, "\n"), message);
	return 0;
}

const char *load_last_words(void)
{
	return last_words;
}

static void raise_limit(__rlimit_resource_t resource, rlim_t wanted)
{
	struct rlimit limit;

	if (getrlimit(resource, &limit) < 0 || limit.rlim_cur >= wanted)
		return;
	limit.rlim_cur = wanted;
	if (limit.rlim_max < wanted)
		limit.rlim_max = wanted;
	if (setrlimit(resource, &limit) == 0 || getrlimit(resource, &limit) < 0)
		return;
	limit.rlim_cur = limit.rlim_max; /* all that is possible without CAP_SYS_RESOURCE */
	(void)setrlimit(resource, &limit);
}

void load_prepare(void)
{
	libbpf_set_print(listen);
	raise_limit(RLIMIT_MEMLOCK, RLIM_INFINITY);
	raise_limit(RLIMIT_NOFILE, 65536); /* a dozen for each process (SHARED_MAX_TARGETS) */
}

/*
 * Every program, map, link and clock is a descriptor. Checked in advance, because libbpf takes an
 * EMFILE during its own feature tests for a missing feature and then fails with another error.
 */
static int check_descriptors(int cpu_count, struct diag *diag)
{
	/* for what is open already, the ring, and files of the target and of the output */
	const unsigned int spare = 32;
	const struct gilscope_bpf *skeleton = NULL;
	const unsigned int programs = sizeof(skeleton->progs) / sizeof(struct bpf_program *),
			   maps = sizeof(skeleton->maps) / sizeof(struct bpf_map *);
	unsigned int needed = spare + (unsigned int)cpu_count + 2 * programs + maps;
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur >= needed)
		return 0;
	diag_set(diag, EXIT_FAILED, -EMFILE,
		 "the limit of open files is %llu, and observing needs %u",
		 (unsigned long long)limit.rlim_cur, needed);
	diag_hint(diag,
		  "raise it with ulimit -n %u (as root if the hard limit is lower), LimitNOFILE= "
		  "of a service, or --ulimit nofile= of a container",
		  needed);
	return -EMFILE;
}

static int refused(int err, struct diag *diag)
{
	diag_set(diag, err == -EPERM ? EXIT_NOT_PERMITTED : EXIT_FAILED, err,
		 "the kernel refused %s with \"%s\" (%s)",
		 refusal.subject[0] ? refusal.subject : "the BPF programs", refusal.reason,
		 strerror(-err));
	if (err == -EPERM)
		diag_hint(diag, "loading needs CAP_BPF and CAP_PERFMON (or CAP_SYS_ADMIN), and "
				"before kernel 5.11 a high limit of locked memory (ulimit -l)");
	else if (err == -ENOMEM)
		diag_hint(diag, "memory is short, here or in this control group; a smaller "
				"--ring-size needs less");
	else
		diag_hint(diag, "please report this sentence with the kernel's version (uname -r)");
	return err;
}

static uint32_t ring_size(uint32_t bytes)
{
	uint32_t size = (uint32_t)sysconf(_SC_PAGESIZE);

	while (size < (bytes ? bytes : CAPTURE_RING_BYTES) && size < (1u << 30))
		size <<= 1;
	return size;
}

static uint32_t kinds_of(const struct capture_options *options)
{
	const uint32_t all = EVF_STACK_SLEEP | EVF_STACK_PREEMPT | EVF_STACK_WAIT |
			     EVF_STACK_HOLDER | EVF_STACK_WAKES;

	if (!options->stacks)
		return 0;
	return options->stack_kinds ? options->stack_kinds & all : all;
}

_Static_assert((int)SHARED_MODE_EXACT == (int)MODE_EXACT &&
		       (int)SHARED_MODE_EDGES == (int)MODE_EDGES &&
		       (int)SHARED_MODE_FUTEX == (int)MODE_FUTEX,
	       "the probes' modes are the stream's");

static void choose_gil_programs(struct gilscope_bpf *skeleton, enum evidence_mode mode)
{
	skeleton->rodata->mode = mode;
	bpf_program__set_autoload(skeleton->progs.gil_take, mode == MODE_EXACT);
	bpf_program__set_autoload(skeleton->progs.gil_drop, mode == MODE_EXACT);
	bpf_program__set_autoload(skeleton->progs.gil_wait, mode != MODE_FUTEX);
	bpf_program__set_autoload(skeleton->progs.gil_wait_end, mode != MODE_FUTEX);
	bpf_program__set_autoload(skeleton->progs.libc_called, mode == MODE_EDGES);
}

/* bpf/loop.bpf.c explains why there are two sets of programs for system calls. */
static void choose_syscall_programs(struct gilscope_bpf *skeleton, const struct features *features)
{
	bpf_program__set_autoload(skeleton->progs.on_sys_enter, !features->syscall_events);
	bpf_program__set_autoload(skeleton->progs.on_sys_exit, !features->syscall_events);
	bpf_program__set_autoload(skeleton->progs.on_sys_enter_event, features->syscall_events);
	bpf_program__set_autoload(skeleton->progs.on_sys_exit_event, features->syscall_events);
}

void load_attach_syscalls(struct gilscope_bpf *skeleton, bool attach)
{
	bpf_program__set_autoattach(skeleton->progs.on_sys_enter, attach);
	bpf_program__set_autoattach(skeleton->progs.on_sys_exit, attach);
	bpf_program__set_autoattach(skeleton->progs.on_sys_enter_event, attach);
	bpf_program__set_autoattach(skeleton->progs.on_sys_exit_event, attach);
}

/*
 * THREAD_SIZE, by which the probes find the registers of a system call in kernels before 5.15:
 * arch/x86/include/asm/page_64_types.h, arch/arm64/include/asm/memory.h. Kernels built with KASAN
 * have larger stacks, in which the registers are then not recognised.
 */
static uint32_t kernel_stack_bytes(void)
{
	uint32_t bytes = 16 << 10;

#if defined(__aarch64__)
	if (sysconf(_SC_PAGESIZE) > bytes)
		bytes = (uint32_t)sysconf(_SC_PAGESIZE);
#endif
	return bytes;
}

/* How deep gilscope's PID namespace lies, for the probes to find a task's number in it. */
static int ask_level(struct gilscope_bpf *skeleton, struct diag *diag)
{
	LIBBPF_OPTS(bpf_test_run_opts, options);
	int err = bpf_prog_test_run_opts(bpf_program__fd(skeleton->progs.find_level), &options);

	if (err)
		diag_set(diag, EXIT_UNSUPPORTED, err,
			 "cannot find out how deep this container's PID namespace lies: %s",
			 strerror(-err));
	if (err == -ENOTSUP || err == -EINVAL)
		diag_hint(diag,
			  "kernels before 5.10 cannot say it: run gilscope on the host, or in "
			  "a container with the host's PID namespace (--pid=host)");
	return err;
}

int load_programs(const struct features *features, const struct capture_options *options,
		  int cpu_count, struct diag *diag, struct gilscope_bpf **ret_skeleton)
{
	_cleanup_(gilscope_bpf__destroyp) struct gilscope_bpf *skeleton = NULL;
	uint32_t ring_bytes = ring_size(options->ring_bytes);
	int err;

	load_prepare();
	refusal = (struct refusal){0};
	err = check_descriptors(cpu_count, diag);
	if (err)
		return err;
	skeleton = gilscope_bpf__open();
	if (!skeleton) {
		err = -errno;
		return diag_set(diag, EXIT_FAILED, err, "cannot open the BPF programs: %s",
				strerror(-err));
	}
	skeleton->rodata->have_task_regs = features_have(features, FEATURE_TASK_REGS);
	skeleton->rodata->have_cookies = features->cookies;
	skeleton->rodata->stack_bytes = kernel_stack_bytes();
	uprobes_prepare(skeleton, features_have(features, FEATURE_UPROBE_MULTI));
	skeleton->rodata->page_kb = (uint32_t)sysconf(_SC_PAGESIZE) / 1024;
	skeleton->rodata->stack_kinds = kinds_of(options);
	skeleton->rodata->ns_inum = features->pid_namespace;
	bpf_program__set_autoload(skeleton->progs.find_level, features->pid_namespace != 0);
	choose_gil_programs(skeleton, options->mode);
	bpf_program__set_autoload(skeleton->progs.on_clock, options->rate_hz > 0);
	choose_syscall_programs(skeleton, features);
	skeleton->rodata->wake_bytes = ring_bytes / 4;
	bpf_map__set_max_entries(skeleton->maps.ring, ring_bytes);
	bpf_map__set_max_entries(skeleton->maps.cpus, (uint32_t)cpu_count);
	err = gilscope_bpf__load(skeleton);
	if (err)
		return refused(err, diag);
	err = features->pid_namespace ? ask_level(skeleton, diag) : 0;
	if (err)
		return err;
	*ret_skeleton = STEAL(skeleton, NULL);
	return 0;
}

int load_try(const struct features *features, struct diag *diag)
{
	struct capture_options options = {.stacks = true, .rate_hz = CAPTURE_RATE_HZ};
	struct gilscope_bpf *skeleton;
	int cpu_count = libbpf_num_possible_cpus(), err;

	if (cpu_count < 1)
		return diag_set(diag, EXIT_FAILED, cpu_count,
				"cannot determine the number of CPUs");
	err = load_programs(features, &options, cpu_count, diag, &skeleton);
	if (!err)
		gilscope_bpf__destroy(skeleton);
	return err;
}
