// SPDX-License-Identifier: MIT
/*
 * mapfsview IMAGE [COMMAND [ARGUMENT]]: any structure of an image as text, or all of it as a page.
 * Never writes to the image; shows damaged ones, too.
 *
 * Exit status: 0; 1 something that was shown is damaged, or what was asked for is not there; 2 a
 * wrong command line; 8 there is no image to show.
 */
#include "mapfsview/view.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static const char usage[] =
	"usage: mapfsview IMAGE [COMMAND]\n"
	"\n"
	"  summary         what the blocks are used for, and what fsck finds (without COMMAND)\n"
	"  super           both super blocks\n"
	"  state           the state block, and the list of orphans\n"
	"  log             heads, groups and their blocks, what recovery would do\n"
	"  groups          the groups, where their tables are and how much is free\n"
	"  bitmaps GROUP   both bitmaps of a group, as runs\n"
	"  inode WHAT      an inode; WHAT is a number, or a path from / on\n"
	"  tree WHAT       its tree of extents, node by node\n"
	"  dir WHAT        the tree of a directory, node by node: hash, number, inode, name\n"
	"  block N         what block N is, whose, and what it holds\n"
	"  owner N         the same in one line\n"
	"  free            how the free space lies\n"
	"  files           in how many parts files are\n"
	"  json            the layout of the disk, for programs\n"
	"  html [-o FILE]  the same as one page for a browser\n"
	"\n"
	"Metadata are shown as a mount would find them: from the log, where it is newer.  A line "
	"that\n"
	"begins with !! says what is damaged; then the exit status is 1.  The image is never "
	"written to.\n";

struct command {
	const char *name;
	void (*plain)(struct view *v);
	void (*inode)(struct view *v, uint32_t ino);
	void (*block)(struct view *v, uint64_t block);
	void (*group)(struct view *v, uint32_t group);
	bool needs_super;
};

static const struct command commands[] = {
	{"summary", .plain = view_summary, .needs_super = true},
	{"super", .plain = view_supers},
	{"state", .plain = view_state, .needs_super = true},
	{"log", .plain = view_log, .needs_super = true},
	{"groups", .plain = view_groups, .needs_super = true},
	{"bitmaps", .group = view_bitmaps, .needs_super = true},
	{"inode", .inode = view_inode, .needs_super = true},
	{"tree", .inode = view_tree, .needs_super = true},
	{"dir", .inode = view_dir, .needs_super = true},
	{"block", .block = view_one_block},
	{"owner", .block = view_owner, .needs_super = true},
	{"free", .plain = view_free, .needs_super = true},
	{"files", .plain = view_files, .needs_super = true},
	{"json", .plain = view_json, .needs_super = true},
	{"html", .plain = view_page, .needs_super = true},
};

static const struct command *find_command(const char *name)
{
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
		if (strcmp(commands[i].name, name) == 0)
			return &commands[i];
	image_die(2, "there is no command '%s'; --help lists them", name);
}

static uint64_t number(const char *text, uint64_t end, const char *what)
{
	unsigned long long n;
	char *rest;

	errno = 0;
	n = strtoull(text, &rest, 0);
	if (*rest || rest == text || errno || text[0] == '-')
		image_die(2, "'%s' is not the number of a %s", text, what);
	if (n >= end)
		image_die(
			1, "%s %s: there are %llu, from 0 on", what, text, (unsigned long long)end);
	return n;
}

static void run(struct view *v, const struct command *c, const char *argument)
{
	if (c->plain)
		c->plain(v);
	else if (c->inode)
		c->inode(v, view_find(v, argument));
	else if (c->block)
		c->block(v, number(argument, v->n_device_blocks, "block"));
	else
		c->group(v, (uint32_t)number(argument, v->sb.n_groups, "group"));
}

/* The words behind the command: its argument, or -o FILE. */
static void parse(const struct command *c, char **word, const char **argument, const char **file)
{
	if (c->plain == view_page && word[0] && strcmp(word[0], "-o") == 0) {
		if (!word[1] || word[2])
			image_die(2, "html -o wants the name of one file");
		*file = word[1];
	} else if (!c->plain) {
		if (!word[0] || word[1])
			image_die(2, "%s wants one argument; --help says which", c->name);
		*argument = word[0];
	} else if (word[0]) {
		image_die(2, "%s wants no argument", c->name);
	}
}

/* Not the image itself, under whatever name. */
static FILE *open_output(const char *file, const char *image)
{
	struct stat a, b;
	FILE *out;

	if (!file)
		return stdout;
	if (!stat(file, &a) && !stat(image, &b) && a.st_dev == b.st_dev && a.st_ino == b.st_ino)
		image_die(2, "%s is the image", file);
	out = fopen(file, "we");
	if (!out)
		image_die_errno(8, file, -errno);
	return out;
}

int main(int argc, char **argv)
{
	const char *argument = NULL, *file = NULL;
	const struct command *c;
	struct blkdev *dev;
	struct view v;
	int status;

	image_tool = "mapfsview";
	if (argc == 2 && (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h"))) {
		fputs(usage, stdout);
		return 0;
	}
	if (argc < 2 || argv[1][0] == '-') {
		fputs(usage, stderr);
		return 2;
	}
	c = find_command(argc > 2 ? argv[2] : "summary");
	parse(c, argc > 2 ? argv + 3 : argv + 2, &argument, &file);
	dev = image_open(argv[1], false);
	view_open(&v, dev, stdout);
	if (v.super_fault && c->needs_super)
		image_die(8, "%s: %s; `super` and `block` may tell more", argv[1], v.super_fault);
	v.out = open_output(file, argv[1]);
	run(&v, c, argument);
	if (fflush(v.out) || ferror(v.out))
		image_die(8, "%s: cannot be written", file ? file : "the output");
	status = v.n_faults ? 1 : 0;
	view_close(&v);
	image_close(dev);
	return status;
}
