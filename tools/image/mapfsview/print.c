// SPDX-License-Identifier: MIT
#include "view.h"

#include <fs/types.h>

#include <ctype.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

void view_print(struct view *v, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vfprintf(v->out, format, args);
	va_end(args);
}

void view_field(struct view *v, const char *name, const char *format, ...)
{
	va_list args;

	fprintf(v->out, "  %-14s ", name);
	va_start(args, format);
	vfprintf(v->out, format, args);
	va_end(args);
	fputc('\n', v->out);
}

void view_fault(struct view *v, const char *format, ...)
{
	va_list args;

	v->n_faults++;
	if (v->quiet)
		return;
	fputs("  !! ", v->out);
	va_start(args, format);
	vfprintf(v->out, format, args);
	va_end(args);
	fputc('\n', v->out);
}

/* Bytes of UTF-8 are left as they are. */
void view_text(struct view *v, const char *text, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		unsigned char c = (unsigned char)text[i];

		if (c < ' ' || c == 0x7f || c == '\\')
			fprintf(v->out, "\\x%02x", c);
		else
			fputc(c, v->out);
	}
}

void view_inode_name(struct view *v, uint32_t ino)
{
	char *path;

	if (!v->fsck)
		return;
	path = view_path(v, ino);
	fputs(" (", v->out);
	view_text(v, path, strlen(path));
	fputc(')', v->out);
	free(path);
}

/* Rounded down to seconds; the nanoseconds count from there. */
const char *view_time(int64_t ns, char *text)
{
	int64_t part = ns % 1000000000;
	time_t seconds = (time_t)(ns / 1000000000 - (part < 0));
	struct tm tm;
	size_t n;

	gmtime_r(&seconds, &tm);
	n = strftime(text, VIEW_TIME_BYTES, "%Y-%m-%d %H:%M:%S", &tm);
	snprintf(text + n, VIEW_TIME_BYTES - n, ".%09d UTC",
		(int)(part < 0 ? part + 1000000000 : part));
	return text;
}

const char *view_size(uint64_t bytes, char *text)
{
	static const char *const unit[] = {"bytes", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
	unsigned i = 0;
	double n = (double)bytes;

	for (; n >= 1024 && i < 6; i++)
		n /= 1024;
	snprintf(text, VIEW_SIZE_BYTES, n == (double)(uint64_t)n ? "%.0f %s" : "%.1f %s", n,
		unit[i]);
	return text;
}

static const struct {
	uint32_t type;
	char letter;
	const char *name;
} types[] = {
	{FS_IFREG, '-', "file"},
	{FS_IFDIR, 'd', "directory"},
	{FS_IFLNK, 'l', "symbolic link"},
	{FS_IFCHR, 'c', "character device"},
	{FS_IFBLK, 'b', "block device"},
	{FS_IFIFO, 'p', "FIFO"},
	{FS_IFSOCK, 's', "socket"},
};
#define N_TYPES (sizeof(types) / sizeof(types[0]))

const char *view_type(uint32_t mode)
{
	for (unsigned i = 0; i < N_TYPES; i++)
		if (types[i].type == (mode & FS_IFMT))
			return types[i].name;
	return "unknown";
}

const char *view_mode(uint32_t mode, char *text)
{
	static const char letters[] = "rwxrwxrwx", special[] = "sst", no_execute[] = "SST";

	text[0] = '?';
	for (unsigned i = 0; i < N_TYPES; i++)
		if (types[i].type == (mode & FS_IFMT))
			text[0] = types[i].letter;
	for (unsigned i = 0; i < 9; i++)
		text[1 + i] = mode >> (8 - i) & 1 ? letters[i] : '-';
	for (unsigned i = 0; i < 3; i++)
		if (mode >> (11 - i) & 1)
			text[3 + 3 * i] = (text[3 + 3 * i] == '-' ? no_execute : special)[i];
	text[10] = 0;
	return text;
}

const char *view_kind(uint32_t kind)
{
	switch (kind) {
	case MAPFS_KIND_STATE:
		return "state block";
	case MAPFS_KIND_BLOCK_MAP:
		return "bitmap of blocks";
	case MAPFS_KIND_INODE_MAP:
		return "bitmap of inodes";
	case MAPFS_KIND_DIR:
		return "directory node";
	case MAPFS_KIND_EXTENTS:
		return "extent node";
	case MAPFS_KIND_SYMLINK:
		return "symlink target";
	case MAPFS_KIND_LOG_HEAD:
		return "head of the log";
	case MAPFS_KIND_LOG_BLOCKS:
		return "descriptor";
	case MAPFS_KIND_LOG_COMMIT:
		return "commit block";
	case MAPFS_KIND_INODES:
		return "inodes";
	default:
		return "something unknown";
	}
}

/* 16 bytes a line; lines that repeat the one before are left out, as hexdump(1) does. */
void view_hex(struct view *v, const void *data, size_t n)
{
	const uint8_t *p = data;
	bool starred = false;

	for (size_t at = 0; at < n; at += 16) {
		if (at && memcmp(p + at, p + at - 16, 16) == 0) {
			if (!starred)
				view_print(v, "  *\n");
			starred = true;
			continue;
		}
		starred = false;
		view_print(v, "  %03zx ", at);
		for (unsigned i = 0; i < 16; i++)
			view_print(v, "%s%02x", i % 8 ? " " : "  ", p[at + i]);
		view_print(v, "  ");
		for (unsigned i = 0; i < 16; i++)
			fputc(p[at + i] < 0x7f && isprint(p[at + i]) ? p[at + i] : '.', v->out);
		view_print(v, "\n");
	}
	view_print(v, "  %03zx\n", n);
}

bool view_header(
	struct view *v, const union view_block *b, uint64_t block, uint32_t kind, uint32_t owner)
{
	const char *fault = mapfs_block_fault(v->seed, b, block, kind, owner);

	view_field(v, "header", "%s, sequence %llu, checksum %08x%s", view_kind(b->header.kind),
		(unsigned long long)b->header.sequence, b->header.crc,
		b->header.crc == mapfs_block_crc(v->seed, b) ? "" : ", which is wrong");
	if (fault)
		view_fault(v, "block %llu %s", (unsigned long long)block, fault);
	return !fault;
}

void view_where(struct view *v, uint64_t block)
{
	uint64_t at = mapfs_recovery_find(&v->log, block);

	view_print(v, "block %llu", (unsigned long long)block);
	if (at != block)
		view_print(v, ", newer in the log: block %llu", (unsigned long long)at);
}
