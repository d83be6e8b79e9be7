// SPDX-License-Identifier: Dual MIT/GPL
/*
 * gc.bpf.c - garbage collections, in builds that have probe points or symbols for them
 * (user/python/target.h, struct gc_site).
 */
#include "common.bpf.h"

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__type(key, struct shared_gc_key);
	__type(value, struct shared_gc);
	__uint(max_entries, SHARED_MAX_GC_SITES);
} gc_sites SEC(".maps");

static __always_inline bool is_hit(void *ctx, __u32 tgid)
{
	const struct shared_target *target = target_of(tgid);

	return target && is_own_probe(ctx, target->image);
}

static __always_inline __u16 generation_at(void *regs, const struct shared_gc *site)
{
	__u64 value = 0;
	__u32 generation;

	if (!site || site->kind == GENERATION_UNKNOWN)
		return 0xffff;
	if (site->kind == GENERATION_CONSTANT)
		return site->generation;
	if (bpf_probe_read_kernel(&value, sizeof(value), regs + (__u32)site->regs_offset % 256))
		return 0xffff;
	generation = (__u32)value;
	if (site->kind == GENERATION_MEMORY &&
	    bpf_probe_read_user(&generation, sizeof(generation),
				(void *)(value + site->generation)))
		return 0xffff;
	return generation < 16 ? generation : 0xffff;
}

SEC("uprobe")
int gc_begin(struct pt_regs *ctx)
{
	__u64 ts = bpf_ktime_get_ns(), me = my_ids();
	struct shared_gc_key key = {.address = PT_REGS_IP(ctx), .tgid = me >> 32};

	if (!is_hit(ctx, key.tgid))
		return 0;
	check_current(ts, (__u32)me);

	struct ev_gc_begin record = {
		.hdr = HDR(GC_BEGIN, ts, (__u32)me,
			   generation_at(ctx, bpf_map_lookup_elem(&gc_sites, &key)), 0)};
	emit(&record, sizeof(record));
	return 0;
}

SEC("uprobe")
int gc_end(struct pt_regs *ctx)
{
	__u64 ts = bpf_ktime_get_ns(), me = my_ids();

	if (!is_hit(ctx, me >> 32))
		return 0;
	check_current(ts, (__u32)me);

	struct ev_gc_end record = {.hdr = HDR(GC_END, ts, (__u32)me, 0, 0)};
	emit(&record, sizeof(record));
	return 0;
}

static const char LICENSE[] SEC("license") __attribute__((used)) = "Dual MIT/GPL";
