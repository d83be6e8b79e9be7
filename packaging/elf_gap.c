/* SPDX-License-Identifier: MIT */
/*
 * elf_gap.c - what Debian 13's libelf.a (elfutils 0.192-4) forgot to pack: elf_begin() and
 * elf_end() make and free a tree for elf_getdata_rawchunk(), with functions of elfutils' own libeu.
 * gilscope does not call elf_getdata_rawchunk(), whose other two functions stay undefined, so that
 * a program that did could not be linked: the tree stays as it was allocated, zeroed and empty. It
 * comes last when linking; where libelf.a is whole nothing of it is taken.
 */
void eu_search_tree_init(void *tree);
void eu_search_tree_fini(void *tree, void (*free_node)(void *));

void eu_search_tree_init(void *tree)
{
	(void)tree;
}

void eu_search_tree_fini(void *tree, void (*free_node)(void *))
{
	(void)tree;
	(void)free_node;
}
