// SPDX-License-Identifier: MIT
/*
 * Operations on files: changes of size, read and write, write-back, reclaim.
 */
#include "ops.h"

#include <string.h>

/* --- Changes of size -------------------------------------------------------------------------- */

static uint64_t bytes_of_words(unsigned words)
{
	return words * (MVM_PAGE_BYTES / WORDS);
}

static void set_size(unsigned file, unsigned words)
{
	int err;

	file_resize_begin(file);
	err = mvm_pc_truncate(files[file].object, bytes_of_words(words));
	check_result("truncate", err, !err);
	file_resize_end(file, words);
}

/* What is behind the end in the last page is zeros, and may be stored to without a trace. */
static void look_behind_end(struct actor *a, unsigned words)
{
	unsigned page = 0;

	while (page < VIEW_PAGES && !(a->view->pages[page].kind == KIND_SHARED &&
					    a->view->pages[page].index == words / WORDS))
		page++;
	if (words % WORDS == 0 || page == VIEW_PAGES || draw(a, 2))
		return;
	view_load(a->view, page, words % WORDS);
	view_store(a->view, page, words % WORDS);
	view_load(a->view, page, words % WORDS);
}

/* Cut the file, and make it as long as it was. */
static void cut(struct actor *a, unsigned words)
{
	unsigned file = a->file, index = (words + WORDS - 1) / WORDS, all = file_words(file);
	struct cut_effect copies;
	uint32_t since = last_store();

	file_inode_lock(&files[file]);
	file_disturb(file, words, all);
	cut_begin(&copies, file, index);
	set_size(file, words);
	file_since(file, words, index * WORDS, since);
	cut_end(&copies);
	look_behind_end(a, words);
	file_free_blocks(&files[file], index, FILE_PAGES - 1);
	file_settle_zeros(file, index * WORDS, all);
	since = last_store(); /* what stands behind the end goes when the file grows */
	set_size(file, all);
	file_since(file, words, index * WORDS, since);
	file_settle(file, words, index * WORDS);
	file_inode_unlock(&files[file]);
}

void op_truncate(struct actor *a)
{
	cut(a, WORDS * draw(a, FILE_PAGES));
}

void op_cut_page(struct actor *a)
{
	cut(a, WORDS * draw(a, FILE_PAGES) + 1);
}

/* The medium's part of a punch: nothing shows the old contents any more, nor is new there. */
static int free_blocks(struct mvm_object *obj, mvm_pgoff_t first, mvm_pgoff_t last)
{
	struct sim_file *file = file_of(obj);

	file_free_blocks(file, first, last);
	file_settle_zeros(
		(unsigned)(file - files), (unsigned)first * WORDS, (unsigned)(last + 1) * WORDS);
	return 0;
}

void op_punch(struct actor *a)
{
	unsigned first = draw(a, FILE_PAGES), end = first + 1 + draw(a, FILE_PAGES - first);
	struct sim_file *file = &files[a->file];
	int err;

	file_inode_lock(file);
	file_disturb(a->file, first * WORDS, end * WORDS);
	err = mvm_pc_punch(file->object, first * MVM_PAGE_BYTES, end * MVM_PAGE_BYTES, free_blocks);
	check_result("punch", err, !err);
	file_inode_unlock(file);
}

/* --- read(2), write(2), write-back, reclaim --------------------------------------------------- */

/* One word, copied at one instant. */
struct word_copy {
	struct mvm_copy copy;
	unsigned file, index, word;
	unsigned changes; /* of the file, when the call began */
};

static size_t copy_word_out(struct mvm_copy *copy, void *kernel, size_t done, size_t n)
{
	struct word_copy *c = (struct word_copy *)copy;
	uint64_t value;

	(void)done;
	sched_point(POINT_USER);
	memcpy(&value, kernel, sizeof value);
	sim_trace("reads file page %u, word %u: store %u", c->index, c->word, (unsigned)value);
	file_word_load(c->file, c->index, c->word, value, c->changes);
	return n;
}

static size_t copy_word_in(struct mvm_copy *copy, void *kernel, size_t done, size_t n)
{
	struct word_copy *c = (struct word_copy *)copy;
	uint64_t value;

	(void)done;
	sched_point(POINT_USER);
	value = file_word_store(c->file, c->index, c->word);
	memcpy(kernel, &value, sizeof value);
	sim_trace("writes file page %u, word %u: store %u", c->index, c->word, (unsigned)value);
	return n;
}

static struct word_copy draw_word(struct actor *a)
{
	return (struct word_copy){
		.file = a->file,
		.index = draw(a, FILE_PAGES),
		.word = draw(a, WORDS),
		.changes = file_changes(a->file),
	};
}

static uint64_t place_of(const struct word_copy *c)
{
	return c->index * MVM_PAGE_BYTES + word_offset(c->word);
}

void op_read(struct actor *a)
{
	struct word_copy c = draw_word(a);
	size_t done;
	int err;

	c.copy.copy = copy_word_out;
	err = mvm_pc_read(files[c.file].object, place_of(&c), sizeof(uint64_t), &c.copy, &done);
	check_result("read", err, !err);
}

void op_write(struct actor *a)
{
	struct word_copy c = draw_word(a);
	size_t done;
	int err;

	c.copy.copy = copy_word_in;
	file_inode_lock(&files[c.file]);
	err = mvm_pc_write(files[c.file].object, place_of(&c), sizeof(uint64_t), &c.copy, &done);
	check_result("write", err, !err && done == sizeof(uint64_t));
	file_inode_unlock(&files[c.file]);
}

void op_flush(struct actor *a)
{
	int err = mvm_pc_flush(
		files[a->file].object, draw(a, 2), FILE_PAGES, draw(a, 2) ? MVM_PC_WAIT : 0);

	check_result("flush", err, !err);
}

void op_sync(struct actor *a)
{
	unsigned first, end;
	int err;

	draw_range(a, &first, &end);
	err = mvm_sync(a->view->space, view_va(first), (end - first) * MVM_PAGE_BYTES,
		draw(a, 2) ? MVM_SYNC_WAIT : 0, NULL);
	check_result("sync", err, !err || err == -MVM_ENOMEM);
}

void op_writeback(struct actor *a)
{
	int err = mvm_writeback(0, draw(a, 2));

	check_result("writeback", err, !err);
}

void op_invalidate(struct actor *a)
{
	unsigned first = draw(a, FILE_PAGES);

	mvm_pc_invalidate(files[a->file].object, first, first + draw(a, 3));
}

void op_reclaim(struct actor *a)
{
	(void)mvm_reclaim(1 + draw(a, 8));
}
