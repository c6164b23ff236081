// SPDX-License-Identifier: MIT
#include "model.h"

#include <stdlib.h>
#include <string.h>

static unsigned pages_of(size_t bytes)
{
	return (unsigned)((bytes + FSX_PAGE - 1) / FSX_PAGE);
}

static size_t least(size_t a, size_t b)
{
	return a < b ? a : b;
}

void model_init(struct model *m, size_t capacity)
{
	memset(m, 0, sizeof(*m));
	m->capacity = capacity;
	for (unsigned i = 0; i < MODEL_FILES; i++)
		m->file[i].data = calloc(1, capacity);
	for (unsigned i = 0; i < FSX_NAMES; i++)
		m->name[i] = MODEL_NONE;
	for (unsigned i = 0; i < FSX_DESCRIPTORS; i++)
		m->descriptor[i].file = MODEL_NONE;
	for (unsigned s = 0; s < FSX_SPACES; s++)
		for (unsigned i = 0; i < FSX_AREAS; i++)
			m->area[s][i].file = MODEL_NONE;
}

void model_free(struct model *m)
{
	for (unsigned i = 0; i < MODEL_FILES; i++)
		free(m->file[i].data);
}

/* --- Names ------------------------------------------------------------------------------- */

void model_use(struct model *m, int file)
{
	m->file[file].uses++;
}

void model_unuse(struct model *m, int file)
{
	struct model_file *f = &m->file[file];

	if (--f->uses)
		return;
	memset(f->data, 0, m->capacity);
	memset(f->block, 0, sizeof(f->block));
	f->size = 0;
	f->dirty_tail = false;
}

int model_open(struct model *m, unsigned name)
{
	for (int i = 0; m->name[name] == MODEL_NONE && i < MODEL_FILES; i++) {
		if (m->file[i].uses == 0) {
			m->name[name] = i;
			m->file[i].named = true;
			model_use(m, i);
		}
	}
	return m->name[name];
}

void model_unlink(struct model *m, unsigned name)
{
	int file = m->name[name];

	m->name[name] = MODEL_NONE;
	m->file[file].named = false;
	model_unuse(m, file);
}

/* --- Bytes ------------------------------------------------------------------------------- */

/* A tail stays unknown until the end is in another page, or the tail was cut. */
static void set_size(struct model_file *f, size_t size)
{
	if (size < f->size || pages_of(size) != pages_of(f->size) || size % FSX_PAGE == 0)
		f->dirty_tail = false;
	f->size = size;
}

static void mark(struct model_file *f, size_t start, size_t end)
{
	for (size_t page = start / FSX_PAGE; page < pages_of(end); page++)
		f->block[page] = BLOCK_MAY | BLOCK_MUST;
}

void model_write(struct model *m, int file, const void *from, size_t n, size_t at)
{
	struct model_file *f = &m->file[file];

	if (n == 0)
		return;
	memcpy(f->data + at, from, n);
	if (at + n > f->size)
		set_size(f, at + n);
	mark(f, at, at + n);
}

/* Private copies behind the new end go with the pages that they were made of. */
static void drop_copies(struct model *m, int file, unsigned from_page)
{
	for (unsigned s = 0; s < FSX_SPACES; s++) {
		for (unsigned i = 0; i < FSX_AREAS; i++) {
			struct model_area *a = &m->area[s][i];
			if (a->file != file || a->first + a->pages <= from_page)
				continue;
			unsigned skip = a->first < from_page ? from_page - a->first : 0;
			model_forget(m, a, skip, a->pages - skip);
		}
	}
}

void model_truncate(struct model *m, int file, size_t size)
{
	struct model_file *f = &m->file[file];

	if (size < f->size) {
		memset(f->data + size, 0, f->size - size);
		drop_copies(m, file, pages_of(size));
	}
	/* Of blocks that were allocated behind the end: those behind a smaller one go. */
	if (size < f->size)
		memset(f->block + pages_of(size), 0, FSX_FILE_PAGES - pages_of(size));
	else if (size == f->size)
		model_trim(m, file);
	/* The edge, if it is to be zeroed, may get one. */
	if (size % FSX_PAGE)
		f->block[size / FSX_PAGE] |= BLOCK_MAY;
	if (f->size % FSX_PAGE)
		f->block[f->size / FSX_PAGE] |= BLOCK_MAY;
	set_size(f, size);
}

void model_zero(struct model *m, int file, size_t start, size_t end, bool keeps_blocks)
{
	struct model_file *f = &m->file[file];
	size_t stop = least(end, f->size);

	if (start < stop)
		memset(f->data + start, 0, stop - start);
	for (size_t page = start / FSX_PAGE; page < pages_of(end); page++) {
		bool whole = page * FSX_PAGE >= start && (page + 1) * FSX_PAGE <= end;
		if (!whole && page * FSX_PAGE < f->size)
			f->block[page] |= BLOCK_MAY;
		else if (whole && !keeps_blocks)
			f->block[page] &= (uint8_t) ~(
				page * FSX_PAGE < f->size ? BLOCK_MAY | BLOCK_MUST : BLOCK_MUST);
	}
}

void model_allocate(struct model *m, int file, size_t start, size_t end)
{
	mark(&m->file[file], start, end);
}

void model_begun(struct model *m, int file, size_t start, size_t end)
{
	for (size_t page = start / FSX_PAGE; page < pages_of(end); page++)
		m->file[file].block[page] = BLOCK_MAY;
}

void model_trim(struct model *m, int file)
{
	struct model_file *f = &m->file[file];

	for (unsigned page = pages_of(f->size); page < FSX_FILE_PAGES; page++)
		f->block[page] &= (uint8_t)~BLOCK_MUST;
}

unsigned model_blocks(const struct model *m, int file, unsigned bit)
{
	unsigned n = 0;

	for (unsigned page = 0; page < FSX_FILE_PAGES; page++)
		n += (m->file[file].block[page] & bit) != 0;
	return n;
}

/* --- Areas ------------------------------------------------------------------------------- */

static struct model_copy *copy_new(struct model *m)
{
	for (unsigned i = 0; i < MODEL_COPIES; i++) {
		if (!m->copy[i].used) {
			m->copy[i].used = true;
			return &m->copy[i];
		}
	}
	return NULL;
}

void model_map(struct model *m, struct model_area *a, int file, bool shared, unsigned first,
	unsigned pages)
{
	*a = (struct model_area){.file = file, .shared = shared, .first = first, .pages = pages};
	model_use(m, file);
}

void model_forget(struct model *m, struct model_area *a, unsigned page, unsigned pages)
{
	(void)m;
	for (unsigned i = page; i < page + pages; i++) {
		if (a->copy[i])
			a->copy[i]->used = false;
		a->copy[i] = NULL;
	}
}

void model_unmap(struct model *m, struct model_area *a)
{
	int file = a->file;

	model_forget(m, a, 0, a->pages);
	a->file = MODEL_NONE;
	model_unuse(m, file);
}

static unsigned copies_of(const struct model *m, unsigned space)
{
	unsigned n = 0;

	for (unsigned i = 0; i < FSX_AREAS; i++)
		for (unsigned page = 0; page < FSX_FILE_PAGES; page++)
			n += m->area[space][i].copy[page] != NULL;
	return n;
}

bool model_fork(struct model *m, unsigned from, unsigned to)
{
	unsigned n = 0;

	for (unsigned i = 0; i < MODEL_COPIES; i++)
		n += !m->copy[i].used;
	if (n < copies_of(m, from))
		return false;
	for (unsigned i = 0; i < FSX_AREAS; i++) {
		struct model_area *a = &m->area[to][i];
		*a = m->area[from][i];
		if (a->file == MODEL_NONE)
			continue;
		model_use(m, a->file);
		for (unsigned page = 0; page < a->pages; page++) {
			if (a->copy[page]) {
				struct model_copy *copy = copy_new(m);
				*copy = *a->copy[page];
				a->copy[page] = copy;
			}
		}
	}
	return true;
}

/* --- Loads and stores -------------------------------------------------------------------- */

size_t model_reach(const struct model *m, const struct model_area *a, size_t at, size_t n)
{
	unsigned end = pages_of(m->file[a->file].size);
	size_t reach = end > a->first ? (size_t)(end - a->first) * FSX_PAGE : 0;

	return reach <= at ? 0 : least(reach - at, n);
}

static size_t known_of(const struct model_copy *copy, size_t in_page, size_t n)
{
	return in_page >= copy->known ? 0 : least(n, copy->known - in_page);
}

const uint8_t *model_load(
	const struct model *m, const struct model_area *a, size_t at, size_t n, size_t *known)
{
	const struct model_file *f = &m->file[a->file];
	const struct model_copy *copy = a->copy[at / FSX_PAGE];
	size_t in_file = a->first * (size_t)FSX_PAGE + at;

	if (copy) {
		*known = known_of(copy, at % FSX_PAGE, n);
		return copy->data + at % FSX_PAGE;
	}
	*known = n;
	if (f->dirty_tail)
		*known = in_file >= f->size ? 0 : least(n, f->size - in_file);
	return f->data + in_file;
}

static struct model_copy *copy_of_page(struct model *m, const struct model_file *f, size_t start)
{
	struct model_copy *copy = copy_new(m);

	if (!copy)
		return NULL;
	memcpy(copy->data, f->data + start, FSX_PAGE);
	copy->known = FSX_PAGE;
	if (f->dirty_tail && start + FSX_PAGE > f->size)
		copy->known = (unsigned)(f->size - start);
	return copy;
}

bool model_store(struct model *m, struct model_area *a, size_t at, const void *from, size_t n)
{
	struct model_file *f = &m->file[a->file];
	size_t in_file = a->first * (size_t)FSX_PAGE + at;
	struct model_copy **copy = &a->copy[at / FSX_PAGE];

	if (!a->shared) {
		if (!*copy)
			*copy = copy_of_page(m, f, in_file - at % FSX_PAGE);
		if (*copy)
			memcpy((*copy)->data + at % FSX_PAGE, from, n);
		return *copy != NULL;
	}
	if (in_file < f->size)
		memcpy(f->data + in_file, from, least(n, f->size - in_file));
	if (in_file + n > f->size)
		f->dirty_tail = true;
	mark(f, in_file, in_file + 1);
	return true;
}
