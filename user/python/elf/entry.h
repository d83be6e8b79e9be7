/* SPDX-License-Identifier: MIT */
/*
 * entry.h - where in a small function a uprobe is cheap. The kernel emulates pushes of registers,
 * calls and jumps, and single-steps everything else, which costs ten times as much
 * (arch/x86/kernel/uprobes.c, branch_setup_xol_ops() and push_setup_xol_ops()). Functions of a C
 * library have such an instruction near their beginning, where the arguments are still in their
 * registers, or behind their system call, where the result is, too.
 */
#ifndef GILSCOPE_PYTHON_ELF_ENTRY_H
#define GILSCOPE_PYTHON_ELF_ENTRY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Offset of the first emulated instruction of an x86-64 function, if until there its first argument
 * (and with `fourth` that one) stays in its register; else 0, the function's entry. */
size_t entry_place(const uint8_t *code, size_t size, bool fourth);

/* Offset of the emulated instruction behind the comparison of the result of the function's first
 * system call; SIZE_MAX: there is none. */
size_t entry_result_place(const uint8_t *code, size_t size);

#endif
