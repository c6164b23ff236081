// SPDX-License-Identifier: MIT
/*
 * Supplementary groups.
 *
 * A process's list is its own, so that whoever asks fs for something on its behalf may pass it as
 * it is (process_fs_cred()).  A list that is replaced stays until the process ends, since other
 * threads may be in the middle of such a call; replacing takes privilege, and the same list again
 * is no replacement, so there is no pile of them.
 */
#include <abi/errno.h>
#include <kernel/files.h>
#include <kernel/kmem.h>
#include <kernel/process.h>

int process_inherit_groups(struct process *p, const struct process *parent)
{
	const struct group_list *list = __atomic_load_n(&parent->groups, __ATOMIC_ACQUIRE);

	if (!list)
		return 0;
	size_t bytes = sizeof *list + list->n * sizeof list->ids[0];
	p->groups = kmalloc(bytes);
	if (!p->groups)
		return -ENOMEM;
	__builtin_memcpy(p->groups, list, bytes);
	p->groups->replaced = NULL;
	return 0;
}

void process_free_groups(struct process *p)
{
	while (p->groups) {
		struct group_list *list = p->groups;
		p->groups = list->replaced;
		kfree(list);
	}
}
