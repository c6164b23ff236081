// SPDX-License-Identifier: MIT
/*
 * /proc/PID/mounts and mountinfo: the mount table in Linux's two formats (proc(5)), as far as it
 * can be seen from the process's root directory.
 */
#include "procfs.h"

#include <abi/errno.h>
#include <abi/limits.h>
#include <fs/mount.h>
#include <kernel/files.h>
#include <kernel/kmem.h>

struct mount_list {
	struct proc_text *text;
	struct dentry *root; /* paths begin here */
	char *buffer;        /* PATH_MAX bytes */
	void (*show)(struct mount_list *list, const struct mount *mount, const char *path);
};

/* Fields are parted by spaces: those inside, and what begins a comment or an escape, are octal. */
static void show_field(struct proc_text *t, const char *text)
{
	for (; *text; text++) {
		if (__builtin_strchr(" \t\n\\#", *text))
			proc_printf(t, "\\%03o", (unsigned char)*text);
		else
			proc_printf(t, "%c", *text);
	}
}

static void show_options(struct proc_text *t, const struct mount *mount)
{
	static const struct {
		unsigned flag;
		const char *text;
	} options[] = {
		{MOUNT_NOSUID, ",nosuid"},
		{MOUNT_NODEV, ",nodev"},
		{MOUNT_NOEXEC, ",noexec"},
	};
	unsigned flags = fs_read(mount->flags);

	proc_printf(t, "%s", flags & MOUNT_RDONLY ? "ro" : "rw");
	for (unsigned i = 0; i < sizeof options / sizeof *options; i++)
		if (flags & options[i].flag)
			proc_printf(t, "%s", options[i].text);
	proc_printf(t, ",noatime");
}

static void show_line(struct mount_list *list, const struct mount *mount, const char *path)
{
	struct proc_text *t = list->text;

	show_field(t, mount->source);
	proc_printf(t, " ");
	show_field(t, path);
	proc_printf(t, " %s ", mount->type->name);
	show_options(t, mount);
	proc_printf(t, " 0 0\n");
}

/* No mount shows a part of its file system, and none propagates. */
static void show_info_line(struct mount_list *list, const struct mount *mount, const char *path)
{
	const struct mount *parent = mount->covered ? mount->covered->mount : mount;
	struct proc_text *t = list->text;

	proc_printf(t, "%u %u %u:%u / ", mount->id, parent->id, (unsigned)(mount->dev >> 8) & 0xfff,
		(unsigned)mount->dev & 0xff);
	show_field(t, path);
	proc_printf(t, " ");
	show_options(t, mount);
	proc_printf(t, " - %s ", mount->type->name);
	show_field(t, mount->source);
	proc_printf(t, " %s\n", fs_read(mount->flags) & MOUNT_RDONLY ? "ro" : "rw");
}

static void visit(struct mount *mount, void *arg)
{
	struct mount_list *list = arg;
	char *path;

	if (!dentry_path(mount->root, list->root, list->buffer, PATH_MAX, &path))
		list->show(list, mount, path);
}

static void show_all(struct proc_text *t, struct process *p,
	void (*show)(struct mount_list *, const struct mount *, const char *))
{
	struct mount_list list = {
		.text = t,
		.root = process_root(p),
		.buffer = kmalloc(PATH_MAX),
		.show = show,
	};

	if (!list.buffer)
		t->no_memory = true;
	else if (list.root)
		mount_for_each(visit, &list);
	kfree(list.buffer);
	dentry_unref(list.root);
}

void proc_show_mounts(struct proc_text *t, struct process *p)
{
	show_all(t, p, show_line);
}

void proc_show_mountinfo(struct proc_text *t, struct process *p)
{
	show_all(t, p, show_info_line);
}
