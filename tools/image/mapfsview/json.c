// SPDX-License-Identifier: MIT
/*
 * The layout of the disk as JSON.  It is to stay small whatever the image: it has runs, not blocks,
 * as numbers only.  Of more than MAX_FILES files those in the most parts are listed, then the
 * largest; runs of others have no owner.  When there are more than MAX_RUNS then, no run has one,
 * and neighbours of one use are one.
 *
 *	image    name, label, uuid, made, blocks, clean, mounts, inodes, inodes_used
 *	uses     [name, blocks]
 *	runs     [blocks, use, file or -1, file block]... flat, from block 0 on, without gaps
 *	merged   there were too many runs: none has a file
 *	files    [inode, path, type, bytes, blocks, parts, mode, modified]
 *	parts    files by the power of two of their parts
 *	groups   [first block, blocks, free blocks, free inodes, damaged]
 *	log      start, ring, heads [sequence, offset, good], head, fault,
 *	         groups [sequence, offset, blocks, copies, time, {kind: copies}]
 *	findings what fsck says
 */
#include "view.h"

#include <fs/types.h>

#include <stdlib.h>
#include <string.h>

#define MAX_RUNS     60000
#define MAX_FILES    5000
#define MAX_FINDINGS 200

/* --- JSON -------------------------------------------------------------------------------- */

/* Characters of 1 to 4 bytes: the first byte's upper bits, and the least that needs so many. */
static const struct {
	uint8_t mask, bits;
	uint32_t least;
} utf8[] = {{0x80, 0, 0}, {0xe0, 0xc0, 0x80}, {0xf0, 0xe0, 0x800}, {0xf8, 0xf0, 0x10000}};

/* How many bytes the character there has; 0: it is none. */
static unsigned utf8_bytes(const unsigned char *p, size_t n)
{
	unsigned more = 0;
	uint32_t c;

	while (more < 4 && (p[0] & utf8[more].mask) != utf8[more].bits)
		more++;
	if (more == 4 || more >= n)
		return 0;
	c = p[0] & (uint8_t)~utf8[more].mask;
	for (unsigned i = 1; i <= more; i++) {
		if (p[i] >> 6 != 2)
			return 0;
		c = c << 6 | (p[i] & 0x3f);
	}
	return c < utf8[more].least || c > 0x10ffff || c >> 11 == 0x1b ? 0 : more + 1;
}

/* Bytes that are no UTF-8 are shown as \xNN; nothing ends the script that it stands in. */
static void put_text(struct view *v, const char *text, size_t n)
{
	const unsigned char *p = (const unsigned char *)text;

	fputc('"', v->out);
	for (size_t i = 0; i < n;) {
		unsigned bytes = utf8_bytes(p + i, n - i);

		if (bytes == 0)
			fprintf(v->out, "\\\\x%02x", p[i]);
		else if (p[i] < ' ' || p[i] == 0x7f || strchr("\"\\<>&", p[i]))
			fprintf(v->out, "\\u%04x", p[i]);
		else
			fwrite(p + i, 1, bytes, v->out);
		i += bytes ? bytes : 1;
	}
	fputc('"', v->out);
}

static void put_string(struct view *v, const char *text)
{
	put_text(v, text, strlen(text));
}

static void put_key(struct view *v, const char *key)
{
	fprintf(v->out, "\"%s\":", key);
}

static void put_number(struct view *v, const char *key, uint64_t n, const char *behind)
{
	fprintf(v->out, "\"%s\":%llu%s", key, (unsigned long long)n, behind);
}

/* --- Image ------------------------------------------------------------------------------- */

static void put_image(struct view *v)
{
	union view_block b = {0};
	char made[VIEW_TIME_BYTES];
	uint64_t used = 0;

	for (uint32_t ino = 1; ino <= v->fsck->n_inodes; ino++)
		used += v->fsck->inodes[ino].in_use;
	put_key(v, "image");
	fputs("{\"name\":", v->out);
	put_string(v, v->dev->name);
	fputs(",\"label\":", v->out);
	put_text(v, (const char *)v->sb.label,
		strnlen((const char *)v->sb.label, sizeof(v->sb.label)));
	fputs(",\"uuid\":\"", v->out);
	for (unsigned i = 0; i < sizeof(v->sb.uuid); i++)
		fprintf(v->out, "%02x", v->sb.uuid[i]);
	fputs("\",\"made\":", v->out);
	put_string(v, view_time(v->sb.made_ns, made));
	fputc(',', v->out);
	if (!view_read(v, MAPFS_STATE_BLOCK, &b) ||
		mapfs_block_fault(v->seed, &b, MAPFS_STATE_BLOCK, MAPFS_KIND_STATE, 0))
		memset(&b, 0, sizeof(b));
	put_number(v, "clean", b.state.clean, ",");
	put_number(v, "mounts", b.state.mounts, ",");
	put_number(v, "blocks", v->sb.n_blocks, ",");
	put_number(v, "inodes", v->fsck->n_inodes, ",");
	put_number(v, "inodes_used", used, "},\n");
}

/* --- Files ------------------------------------------------------------------------------- */

struct listed {
	uint32_t ino, parts;
	uint64_t blocks, bytes;
};

static int by_interest(const void *a, const void *b)
{
	const struct listed *x = a, *y = b;

	if (x->parts > 1 || y->parts > 1)
		if (x->parts != y->parts)
			return (x->parts < y->parts) - (x->parts > y->parts);
	if (x->bytes != y->bytes)
		return (x->bytes < y->bytes) - (x->bytes > y->bytes);
	return (x->ino > y->ino) - (x->ino < y->ino);
}

static struct listed *list_files(struct view *v, size_t *n)
{
	struct listed *file = view_alloc(v->fsck->n_inodes, sizeof(*file));

	*n = 0;
	for (uint32_t ino = 1; ino <= v->fsck->n_inodes; ino++) {
		const struct fsck_inode *inode = &v->fsck->inodes[ino];

		if (!inode->in_use)
			continue;
		file[(*n)++] = (struct listed){ino, view_parts(inode),
			fsck_map_blocks(inode) + (inode->dir ? inode->dir->n_nodes : 0),
			inode->d.size};
	}
	qsort(file, *n, sizeof(*file), by_interest);
	return file;
}

static void put_file(struct view *v, const struct listed *file)
{
	const struct mapfs_inode_disk *d = &v->fsck->inodes[file->ino].d;
	char text[VIEW_TIME_BYTES];
	char *path = view_path(v, file->ino);

	fprintf(v->out, "[%u,", file->ino);
	put_string(v, path);
	fputc(',', v->out);
	put_string(v, view_type(d->mode));
	fprintf(v->out, ",%llu,%llu,%u,", (unsigned long long)file->bytes,
		(unsigned long long)file->blocks, file->parts);
	put_string(v, view_mode(d->mode, text));
	fputc(',', v->out);
	put_string(v, view_time(d->mtime_ns, text));
	fputc(']', v->out);
	free(path);
}

static void put_parts(struct view *v, const struct listed *file, size_t n)
{
	uint64_t count[33] = {0};
	unsigned last = 0;

	for (size_t i = 0; i < n; i++) {
		unsigned power = 0;

		if (file[i].parts == 0 || view_role_of(&v->fsck->inodes[file[i].ino]) != VIEW_DATA)
			continue;
		while (file[i].parts >> (power + 1))
			power++;
		count[power]++;
		last = power > last ? power : last;
	}
	put_key(v, "parts");
	for (unsigned i = 0; i <= last; i++)
		fprintf(v->out, "%c%llu", i ? ',' : '[', (unsigned long long)count[i]);
	fputs("],\n", v->out);
}

/* Fills in, by inode, the index of each file that is listed, plus one. */
static void put_files(struct view *v, uint32_t *index)
{
	size_t n;
	struct listed *file = list_files(v, &n);

	put_number(v, "n_files", n, ",\n");
	put_parts(v, file, n);
	put_key(v, "files");
	fputc('[', v->out);
	for (size_t i = 0; i < n && i < MAX_FILES; i++) {
		fputs(i ? ",\n" : "\n", v->out);
		put_file(v, &file[i]);
		index[file[i].ino] = (uint32_t)i + 1;
	}
	fputs("],\n", v->out);
	free(file);
}

/* --- Runs -------------------------------------------------------------------------------- */

static void put_uses(struct view *v, const struct view_layout *layout)
{
	put_key(v, "uses");
	for (unsigned use = 0; use < VIEW_USES; use++)
		fprintf(v->out, "%c[\"%s\",%llu]", use ? ',' : '[', view_use_name[use],
			(unsigned long long)layout->blocks[use]);
	fputs("],\n", v->out);
}

/*
 * How many runs, from the first one on, are one in the page.  Nobody can tell neighbours of one use
 * apart when neither is of a file that is listed; with `all`, nor otherwise.
 */
static size_t run_of_runs(const struct view_run *run, size_t n, const uint32_t *index, bool all)
{
	size_t i = 1;

	while (i < n && run[i].use == run[0].use &&
		(all || (!index[run[i].ino] && !index[run[0].ino])))
		i++;
	return i;
}

static size_t count_runs(const struct view_layout *layout, const uint32_t *index)
{
	size_t n = 0;

	for (size_t i = 0; i < layout->n; n++)
		i += run_of_runs(&layout->run[i], layout->n - i, index, false);
	return n;
}

static void put_runs(struct view *v, const struct view_layout *layout, const uint32_t *index)
{
	bool all = count_runs(layout, index) > MAX_RUNS;
	size_t n;

	put_number(v, "merged", all, ",\n");
	put_key(v, "runs");
	for (size_t i = 0; i < layout->n; i += n) {
		const struct view_run *run = &layout->run[i];
		const struct view_run *last;
		bool whole;

		n = run_of_runs(run, layout->n - i, index, all);
		last = run + n - 1;
		whole = n == 1 && index[run->ino];
		fprintf(v->out, "%s%llu,%d,%lld,%u", i ? "," : "[",
			(unsigned long long)(last->start + last->count - run->start), run->use,
			whole ? (long long)index[run->ino] - 1 : -1, whole ? run->logical : 0);
	}
	fputs("],\n", v->out);
}

/* --- Groups ------------------------------------------------------------------------------ */

static void put_group(struct view *v, uint32_t group)
{
	static const uint32_t kind[] = {MAPFS_KIND_BLOCK_MAP, MAPFS_KIND_INODE_MAP};
	uint32_t n_free[2] = {0, 0};
	bool damaged = false;
	union view_block b;

	for (unsigned i = 0; i < 2; i++) {
		uint64_t at = mapfs_group_first(&v->sb, group) + i;

		if (view_read(v, at, &b) && !mapfs_block_fault(v->seed, &b, at, kind[i], group))
			n_free[i] = b.map.n_free;
		else
			damaged = true;
	}
	fprintf(v->out, "%s[%llu,%u,%u,%u,%d]", group ? "," : "",
		(unsigned long long)mapfs_group_first(&v->sb, group),
		mapfs_group_length(&v->sb, group), n_free[0], n_free[1], damaged);
}

static void put_groups(struct view *v)
{
	put_key(v, "groups");
	fputc('[', v->out);
	for (uint32_t g = 0; g < v->sb.n_groups; g++)
		put_group(v, g);
	fputs("],\n", v->out);
}

/* --- Log --------------------------------------------------------------------------------- */

static void put_kinds(struct view *v, const struct view_log_group *g)
{
	static const uint32_t kind[] = {MAPFS_KIND_STATE, MAPFS_KIND_BLOCK_MAP,
		MAPFS_KIND_INODE_MAP, MAPFS_KIND_INODES, MAPFS_KIND_DIR, MAPFS_KIND_EXTENTS,
		MAPFS_KIND_SYMLINK};
	const char *separator = "";

	fputc('{', v->out);
	for (size_t k = 0; k < sizeof(kind) / sizeof(kind[0]); k++) {
		uint32_t n = 0;

		for (uint32_t i = 0; i < g->n_copies; i++)
			n += g->copy[i].kind == kind[k];
		if (n)
			fprintf(v->out, "%s\"%s\":%u", separator, view_kind(kind[k]), n);
		separator = n ? "," : separator;
	}
	fputc('}', v->out);
}

static void put_log_groups(struct view *v)
{
	uint64_t position = v->log.tail.position;

	put_key(v, "groups");
	fputc('[', v->out);
	for (uint64_t i = 0; i < v->log.n_groups; i++) {
		struct view_log_group g;
		char text[VIEW_TIME_BYTES];

		view_log_group_read(v, position, v->log.tail.sequence + i, &g);
		fprintf(v->out, "%s[%llu,%llu,%llu,%u,", i ? ",\n" : "",
			(unsigned long long)g.sequence,
			(unsigned long long)(position % mapfs_ring_blocks(&v->sb)),
			(unsigned long long)g.n_blocks, g.n_copies);
		put_string(v, view_time(g.time_ns, text));
		fputc(',', v->out);
		put_kinds(v, &g);
		fputc(']', v->out);
		position += g.n_blocks;
		view_log_group_free(&g);
	}
	fputs("]},\n", v->out);
}

static void put_heads(struct view *v)
{
	union view_block b;

	put_key(v, "heads");
	for (unsigned which = 0; which < MAPFS_LOG_HEADS; which++) {
		uint64_t at = v->sb.log_start + which;
		bool good = view_read_in_place(v, at, &b) &&
			    !mapfs_block_fault(v->seed, &b, at, MAPFS_KIND_LOG_HEAD, which);

		fprintf(v->out, "%s[%llu,%llu,%d]", which ? "," : "[",
			good ? (unsigned long long)b.header.sequence : 0,
			good ? (unsigned long long)b.head.offset : 0, good);
	}
	fputs("],", v->out);
}

static void put_log(struct view *v)
{
	put_key(v, "log");
	fputc('{', v->out);
	put_number(v, "start", v->sb.log_start, ",");
	put_number(v, "ring", mapfs_ring_blocks(&v->sb), ",");
	put_number(v, "head", v->log.head, ",");
	put_number(v, "end", v->log.end.position % mapfs_ring_blocks(&v->sb), ",");
	put_number(v, "moved", v->log.n_moved, ",");
	put_heads(v);
	put_key(v, "fault");
	put_string(v, v->log_fault ? v->log_fault : "");
	fputc(',', v->out);
	put_log_groups(v);
}

static void put_findings(struct view *v)
{
	put_number(v, "n_findings", v->n_findings, ",\n");
	put_key(v, "findings");
	fputc('[', v->out);
	for (size_t i = 0; i < v->n_findings && i < MAX_FINDINGS; i++) {
		fputs(i ? ",\n" : "\n", v->out);
		put_string(v, v->finding[i]);
	}
	fputs("]", v->out);
}

/* What cannot be read is said by fsck; faults printed into the JSON would break it. */
void view_json(struct view *v)
{
	struct view_layout layout;
	uint32_t *index;

	view_index(v);
	index = view_alloc((size_t)v->fsck->n_inodes + 1, sizeof(*index));
	v->quiet = true;
	view_layout_read(v, &layout);
	fputs("{", v->out);
	put_image(v);
	put_uses(v, &layout);
	put_files(v, index);
	put_runs(v, &layout, index);
	put_groups(v);
	put_log(v);
	put_findings(v);
	fputs("}\n", v->out);
	v->quiet = false;
	v->n_faults += v->n_findings;
	view_layout_free(&layout);
	free(index);
}
