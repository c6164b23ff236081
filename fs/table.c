// SPDX-License-Identifier: MIT
/* The hash table that grows (fs/table.h): changing its chains, and going through all of them. */
#include <fs/table.h>

#define FIRST_BITS 4
#define MORE_BITS  2

/* Of the sizes that there are the first with a chain for each of n links. */
static uint32_t bits_for(uint32_t n)
{
	uint32_t bits = 0;

	while (n > (1u << bits) + FS_TABLE_SLACK && bits < FS_TABLE_BITS_MOST)
		bits += bits ? MORE_BITS : FIRST_BITS;
	return bits;
}

bool fs_table_wanted(uint32_t n, struct fs_link ***chains, uint32_t *bits)
{
	*bits = bits_for(n);
	*chains = *bits ? fsh_alloc(sizeof(struct fs_link *) << *bits) : NULL;
	return *chains || !*bits;
}

void fs_table_move(struct fs_table *t, struct fs_link ***chains, uint32_t bits)
{
	struct fs_table old = *t;
	struct fs_link *link, *next;

	if (fs_table_fits(t) || bits == t->bits)
		return;
	t->few = NULL;
	t->chains = *chains;
	fs_write(t->bits, bits);
	fs_write(t->n, 0);
	for (link = fs_table_next(&old, NULL); link; link = next) {
		next = fs_table_next(&old, link);
		fs_table_insert(t, link);
	}
	*chains = old.chains;
}

void fs_table_refit(struct fs_table *t)
{
	struct fs_link **chains;
	uint32_t bits;

	if (!fs_table_wanted(t->n, &chains, &bits))
		return;
	fs_table_move(t, &chains, bits);
	fsh_free(chains);
}

void fs_table_fini(struct fs_table *t)
{
	fsh_assert(t->n == 0);
	fsh_free(t->chains);
}

struct fs_link *fs_table_next(struct fs_table *t, const struct fs_link *link)
{
	uint32_t n_chains = 1u << t->bits, i = 0;

	if (link && link->next)
		return link->next;
	if (!t->chains)
		return link ? NULL : t->few;
	if (link)
		i = (uint32_t)(fs_table_chain(t, link->hash) - t->chains) + 1;
	while (i < n_chains && !t->chains[i])
		i++;
	return i < n_chains ? t->chains[i] : NULL;
}

void fs_table_check(struct fs_table *t)
{
	uint32_t n = 0;

	fsh_assert(!t->chains == !t->bits && !(t->chains && t->few));
	for (struct fs_link *link = fs_table_next(t, NULL); link; link = fs_table_next(t, link)) {
		struct fs_link *found = *fs_table_chain(t, link->hash);

		while (found && found != link)
			found = found->next;
		fsh_assert(found == link);
		n++;
	}
	fsh_assert(n == t->n);
}
